"""`eval`: how close a generated video is to the true one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .. import console


class ProtocolName(StrEnum):
    """Which keys to compute."""

    disco = "disco"
    corrected = "corrected"
    all = "all"


def evaluate(
    generated: Annotated[Path, typer.Argument(help="Generated video or folder of pictures.", metavar="A")],
    truth: Annotated[
        Path, typer.Option("--truth", help="The true video or folder, frame by frame.", metavar="B")
    ],
    protocol: Annotated[
        ProtocolName,
        typer.Option("--protocol", help="Metrics as published (disco), as they should be, or all."),
    ] = ProtocolName.all,
    report: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write a JSON report with each frame's values.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report instead of a table.")] = False,
) -> None:
    """Compare a generated video with the true one: L1, PSNR, SSIM."""
    from ..evaluation.protocol import compare
    from ..evaluation.report import as_table, make_report
    from ..media.atomic import refuse_existing, write_json

    if report is not None:
        refuse_existing(report, overwrite=force)
    compared = compare(generated, truth, protocol.value)
    document = make_report(compared, generated, truth, protocol.value) if report or as_json else None
    if report is not None:
        write_json(report, document, overwrite=force)
    console.result(document if as_json else as_table(compared), as_json=as_json)
