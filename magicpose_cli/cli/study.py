"""`study`: the paper's ablation, ways of sampling compared, and what published numbers mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console
from ..errors import OptionError
from .options import AsJson, Device, Dtype, DtypeName, Force, Model


def ablation(
    data: Annotated[
        Path, typer.Option(help="Clips with keypoints: what `magicpose synth` wrote, both splits.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for runs, evaluations and the table.")
    ],
    recipe: Annotated[
        str, typer.Option(help="A recipe's name or TOML file, with stages vae to pose.")
    ] = "ablation",
    clips: Annotated[
        int | None, typer.Option("--clips", min=1, help="Only the first so many test clips.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and noise.")] = 0,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="Folder of the metrics' networks' weights, as for eval.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train and evaluate the five rows of the paper's Table 3; started again, it goes on where it was."""
    if weights is not None and not weights.is_dir():
        raise OptionError(
            expected="a folder of weights", found=f"none at {weights}", remedy="Check --weights."
        )
    from ..training.ablation import as_markdown, run_ablation

    table = run_ablation(
        recipe=recipe, data_dir=data, out=output, seed=seed, clips=clips, weights_dir=weights
    )
    if table is not None:
        console.result(table if as_json else as_markdown(table), as_json=as_json)


def presets(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the table and the plot.")],
    root: Annotated[
        Path | None, typer.Option(help="Test clips; by default $MAGICPOSE_DATA/synth.", show_default=False)
    ] = None,
    model: Model = None,
    clips: Annotated[
        int | None, typer.Option("--clips", min=1, help="Only the first so many test clips.")
    ] = None,
    device: Device = "auto",
    dtype: Dtype = DtypeName.auto,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Time solvers, steps and guidance on test clips, and find those that nothing beats: a model's presets."""
    from ..evaluation.candidates import as_markdown, compare_candidates

    table = compare_candidates(
        dataset="synth",
        root=root,
        model=model,
        out=output,
        clips=clips,
        device=device,
        dtype=dtype.value,
        force=force,
    )
    console.result(table if as_json else as_markdown(table), as_json=as_json)


def published(
    seed: Annotated[int, typer.Option(min=0, help="Of the random pictures.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what the published PSNR and L1 measure: on pictures of which the answer is known, and at one size."""
    from ..evaluation.arithmetic import as_markdown, published_arithmetic

    found = published_arithmetic(seed)
    console.result(found if as_json else as_markdown(found), as_json=as_json)
