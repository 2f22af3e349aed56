"""The `synth` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console


def synth(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the dataset.", show_default=False)],
    clips: Annotated[int, typer.Option(help="How many clips.")] = 16,
    frames: Annotated[int, typer.Option(help="Frames of each clip.")] = 48,
    size: Annotated[int, typer.Option(help="Side of the square frames, pixels.")] = 256,
    fps: Annotated[float, typer.Option(help="Frames per second.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    split: Annotated[
        str, typer.Option(help="train or test: people of one are never in the other.")
    ] = "train",
    still: Annotated[
        bool, typer.Option("--still", help="Stand instead of dance, as for a reference.")
    ] = False,
) -> None:
    """Render clips of dancing people with exact poses, in the TikTok dataset's folder layout.

    A clip that is there already is not rendered again, so an interrupted run can be continued.
    """
    from fractions import Fraction

    from ..synth.clips import ClipPlan, write_clips

    plan = ClipPlan(out, clips, frames, size, Fraction(fps).limit_denominator(1001), seed, split, still)
    rendered = write_clips(plan)
    console.result(f"{rendered} clips rendered, {clips - rendered} kept, in {out}")
