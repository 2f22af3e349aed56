"""`magicpose models`: released weights to folders that this program loads, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import console
from .options import AsJson, DtypeName, Force


def convert(
    source: Annotated[
        Path,
        typer.Argument(help="Weights of MagicPose, Stable Diffusion 1, a ControlNet or AnimateDiff."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.", show_default=False)],
    prompt_embeds: Annotated[
        Path | None,
        typer.Option(help="Embedding of the empty prompt, where the weights hold no usable text encoder."),
    ] = None,
    heads: Annotated[int, typer.Option(min=1, help="Attention heads of the diffusion networks.")] = 8,
    norm_groups: Annotated[int, typer.Option(min=1, help="Groups of their norms.")] = 32,
    dtype: Annotated[
        DtypeName, typer.Option(help="Number format to write; auto: as in the file.")
    ] = DtypeName.auto,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Convert released weights to a folder in diffusers' layout.

    Each tensor is accounted for: what is missing or left over is listed and nothing is written.
    """
    from ..diffusion.checkpoints.convert import ConvertOptions
    from ..diffusion.checkpoints.convert import convert as run

    options = ConvertOptions(prompt_embeds, heads, norm_groups, _torch_dtype(dtype), force)
    report = run(source, output, options)
    console.result(report if as_json else _in_words(report), as_json=as_json)


def export(
    model: Annotated[str, typer.Argument(help="Name or folder of a model.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write: .th, .ckpt, .safetensors.", show_default=False),
    ],
    text_encoder: Annotated[
        Path | None,
        typer.Option(help="Folder of the CLIP text encoder to put in.", show_default="the model's own"),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a model as one file with the released names, as the reference implementation's programs read it."""
    from ..diffusion.checkpoints.export import export as run
    from ..weights import find_model

    report = run(find_model(model), output, text_encoder=text_encoder, force=force)
    console.result(report if as_json else f"{report['output']}: {report['tensors']} tensors", as_json=as_json)


def _torch_dtype(name: DtypeName) -> Any:
    import torch

    formats = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    return formats.get(name.value)


def _in_words(report: dict[str, Any]) -> str:
    lines = [f"{report['folder']}: {report['kind']}"]
    lines += [
        f"  {name}: {part['parameters'] / 1e6:.1f} M parameters in {part['tensors']} tensors"
        for name, part in report["parts"].items()
    ]
    lines += [f"  left behind, {count} tensors: {why}" for why, count in report["dead"].items()]
    if report["prompt_embeds"] is not None:
        lines.append(f"  empty prompt: from {report['prompt_embeds']}")
    return "\n".join(lines)
