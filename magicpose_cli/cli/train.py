"""`magicpose train`: one stage of training."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class StageName(StrEnum):
    """The stages there are."""

    vae = "vae"
    pose = "pose"
    motion = "motion"


def train(
    stage: Annotated[StageName, typer.Argument(help="What to train.")],
    data: Annotated[
        Path, typer.Option(help="Clips: a folder that `magicpose synth` wrote, or the TikTok layout.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for model, state, log and samples.")],
    recipe: Annotated[
        str, typer.Option(help="A recipe's name (mini) or TOML file: shapes, steps, rates.")
    ] = "mini",
    init: Annotated[
        Path | None, typer.Option(help="Model folder to start from; without it the weights are fresh.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the output folder.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of fresh weights, batches and noise.")] = 0,
) -> None:
    """Train one stage of a model: vae, then pose, then motion."""
    from .. import console
    from ..training.run import run_stage

    folder = run_stage(
        stage.value, recipe=recipe, data_dir=data, init_dir=init, run_dir=output, resume=resume, seed=seed
    )
    console.result(folder)
