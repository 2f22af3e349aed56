"""The `magicpose` app. Each command is a file beside this one: read the options, call the work, print the result.

Nothing here or in a command's module imports torch, diffusers, cv2 or av: `--help` stays instant.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__, console
from ..errors import MagicPoseError
from ..imports import this_is_a_program
from ..signals import Ended, unwind_on_signals


class _Group(TyperGroup):
    """Turns errors into one message and an exit code; `--debug` lets the traceback through."""

    def invoke(self, ctx: Any) -> Any:
        debug = bool(ctx.params.get("debug"))
        try:
            return super().invoke(ctx)
        except MagicPoseError as error:
            if debug:
                raise
            console.fail(str(error))
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            # whoever reads has had enough (| head); nothing is left to be flushed into the closed pipe at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            console.fail("Interrupted.")
            raise typer.Exit(130) from None
        except Ended as error:
            console.fail(f"Ended by {error.name}.")
            raise
        except Exception as error:
            # Typer's own ways out, and its usage messages
            if debug or isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "format_message"):
                raise
            console.fail(_in_one_line(error, ctx.invoked_subcommand))
            raise typer.Exit(1) from error


_TAKES_LESS_MEMORY = {
    "retarget": "Choose a smaller --size, --batch, --window or --vram, or --device cpu.",
    "bench": "Choose a smaller --size or --vram, or fewer --frames, or --device cpu.",
    "eval": "Choose a smaller --size of a test set, or leave networks out with --quick for two videos.",
    "train": "Raise accumulate, lower batch_size or set gradient_checkpointing in the recipe.",
    "synth": "Choose fewer --workers or a smaller --size.",
    "study": "Lower batch_size in the recipe of ablation, or choose --device cpu for presets.",
}
"""What each command has for it; the others take what their input needs."""


def _in_one_line(error: Exception, command: str | None) -> str:
    """What to tell of an error that nobody foresaw, in this command."""
    is_torchs = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    if is_torchs or isinstance(error, MemoryError):
        remedy = _TAKES_LESS_MEMORY.get(command or "", "Free some, or use a machine that has more.")
        return f"The memory did not suffice. {remedy}"
    first = (str(error).splitlines() or [""])[0]
    return (
        f"{type(error).__name__}: {first}. This is a fault of magicpose: magicpose --debug ... shows where."
    )


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Make the person in one picture move like the person in a video.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.result(f"magicpose {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command."""


from . import bench, encode, eval, extract_pose, models, retarget, study, synth, train  # noqa: E402

app.command("retarget")(retarget.retarget)
app.command("extract-pose")(extract_pose.extract_pose)
app.command("encode")(encode.encode)
app.command("eval")(eval.evaluate)
app.command("synth")(synth.synth)
app.command("train")(train.train)
app.command("bench")(bench.bench)

_models = typer.Typer(no_args_is_help=True, help="Convert released weights, and export models.")
_models.command("convert")(models.convert)
_models.command("export")(models.export)
app.add_typer(_models, name="models")


_study = typer.Typer(
    no_args_is_help=True,
    help="Experiments that compare models or ways of sampling, and what published numbers mean.",
)
_study.command("ablation")(study.ablation)
_study.command("presets")(study.presets)
_study.command("published")(study.published)
app.add_typer(_study, name="study")


def main() -> None:
    """Entry point of the `magicpose` script."""
    this_is_a_program()
    unwind_on_signals()
    sys.exit(app())
