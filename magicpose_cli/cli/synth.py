"""`synth`: clips of rendered dancers to train and test on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console
from .options import AsJson


def synth(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the dataset.", show_default=False)
    ],
    clips: Annotated[int, typer.Option("--clips", help="How many clips.")] = 16,
    frames: Annotated[int, typer.Option("--frames", help="Frames of each clip.")] = 48,
    size: Annotated[int, typer.Option("--size", help="Side of the square frames, pixels.")] = 256,
    fps: Annotated[str, typer.Option("--fps", help="Frames a second: 12, 29.97 or 30000/1001.")] = "12",
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 0,
    split: Annotated[
        str, typer.Option("--split", help="train or test: the people of one are never in the other.")
    ] = "train",
    still: Annotated[
        bool, typer.Option("--still", help="Stand instead of dance, as for a reference picture.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", help="Processes that render; 1.2 GB memory each.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Render clips of dancing people with exact poses, in the TikTok dataset's folder layout.

    A clip that is there already is not rendered again, so an interrupted run can be continued.
    """
    from ..media.video import as_rate
    from ..synth.clips import ClipPlan, write_clips

    plan = ClipPlan(output, clips, frames, size, as_rate(fps), seed, split, still)
    rendered = write_clips(plan, workers)
    if as_json:
        folder, names = str(output), [plan.name(index) for index in range(clips)]
        console.result({"output": folder, "rendered": rendered, "clips": names}, as_json=True)
    else:
        console.result(f"{rendered} clips rendered, {clips - rendered} kept, in {output}")
