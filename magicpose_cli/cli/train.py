"""`magicpose train`: one stage of training, or all."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer


class StageName(StrEnum):
    """The stages there are, in their order, and all of a recipe's."""

    vae = "vae"
    base = "base"
    appearance = "appearance"
    pose = "pose"
    motion = "motion"
    distill = "distill"
    all = "all"


def train(
    stage: Annotated[StageName, typer.Argument(help="What to train.")],
    data: Annotated[
        Path,
        typer.Option(help="Clips: what `magicpose synth` wrote, the TikTok layout, or a folder of videos."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for model, state, log and samples.")],
    recipe: Annotated[
        str, typer.Option(help="A recipe's name (mini, smoke, sd15) or TOML file: shapes, steps, rates.")
    ] = "mini",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="An entry in place of the recipe's, as pose.steps=5000; can be repeated.",
            metavar="ENTRY=VALUE",
            show_default=False,
        ),
    ] = None,
    init: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of networks to start from; can be repeated, the last one counts. Without it the weights "
            "are fresh."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the output folder.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of fresh weights, batches and noise.")] = 0,
) -> None:
    """Train one stage of a model (vae, base, appearance, pose, motion, distill), or all that the recipe has.

    Runs on one process, or on several under `accelerate launch -m magicpose_cli train ...`.
    """
    from .. import console
    from ..training.given import check_given

    inits, entries = list(init or []), tuple(changes or ())
    name = None if stage is StageName.all else stage.value
    check_given(
        name,
        recipe=recipe,
        data_dir=data,
        init_dirs=inits,
        run_dir=output,
        resume=resume,
        seed=seed,
        changes=entries,
    )
    # now, since it takes seconds
    from ..training.run import part_processes, run_all, run_stage

    run = run_all if name is None else partial(run_stage, name)
    folder = run(
        recipe=recipe,
        data_dir=data,
        init_dirs=inits,
        run_dir=output,
        resume=resume,
        seed=seed,
        changes=entries,
    )
    part_processes()
    console.result(folder)
