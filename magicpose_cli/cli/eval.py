"""`eval`: how close a generated video is to the true one, or how good a model is on a test set."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from ..errors import OptionError
from .eval_options import refuse_strangers, refuse_without
from .options import DETAILS_FLAG, DETAILS_HELP, AsJson, DtypeName, Guidance, Solver, Steps

if TYPE_CHECKING:
    from ..evaluation.metrics import Protocol
    from ..evaluation.sides import Align


class ProtocolName(StrEnum):
    """Which keys to compute."""

    disco = "disco"
    corrected = "corrected"
    all = "all"


class AlignName(StrEnum):
    """How two videos of other lengths or frame rates are laid beside each other."""

    auto = "auto"
    strict = "strict"
    cut = "cut"
    time = "time"


class DatasetName(StrEnum):
    """Test sets that are known."""

    synth = "synth"
    tiktok = "tiktok"
    everybody_dance_now = "everybody-dance-now"
    folder = "folder"


class SplitName(StrEnum):
    """Which test videos of TikTok."""

    disco = "disco"
    from_335_to_340 = "335-340"


class TruthName(StrEnum):
    """What results are compared with."""

    real = "real"
    vae = "vae"


def evaluate(
    generated: Annotated[
        Path | None,
        typer.Argument(help="Generated video or folder of pictures.", metavar="A", show_default=False),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="The true video or folder, frame by frame.", metavar="B"),
    ] = None,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            "--protocol", help="Metrics as published (disco), as they should be, or all (the default)."
        ),
    ] = None,
    align: Annotated[
        AlignName | None,
        typer.Option(
            "--align",
            help="Other lengths or frame rates: strict (an error; the default with --protocol disco), cut to the "
            "shorter, by time, or auto (time where the rates differ, else cut; the default otherwise).",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out all that needs a network or a detector.")
    ] = False,
    grid: Annotated[
        int | None,
        typer.Option(
            "--grid", min=2, help="A is a comparison video of so many columns, the first the truth."
        ),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option("--names", help="With --grid: the methods' names, left to right, commas between."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="Folder of the networks' weights (LPIPS, FID, FVD, Face-Cos ...); also torch's own is looked through.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        DatasetName | None, typer.Option("--dataset", help="Evaluate on a test set's clips instead.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="Its folder; by default $MAGICPOSE_DATA/NAME.", show_default=False),
    ] = None,
    split: Annotated[
        SplitName | None,
        typer.Option(
            "--split", help="Of tiktok: DisCo's ten test videos (the default), or its sequences 335 to 340."
        ),
    ] = None,
    predictions: Annotated[
        list[str] | None,
        typer.Option(
            "--predictions",
            help="What others made: DIR or NAME=DIR, a folder or video in it for each clip. Can be repeated; "
            "without --model no model runs.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model to evaluate: name or folder.")] = None,
    clips: Annotated[int | None, typer.Option("--clips", min=1, help="Only the first so many clips.")] = None,
    stride: Annotated[
        int | None, typer.Option("--stride", min=1, help="Only every so manyth target.", show_default=False)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            help="WxH to compare at; by default the model's, without one the paper's 512x512 or the clips' own.",
            metavar="WxH",
        ),
    ] = None,
    gt: Annotated[
        TruthName | None,
        typer.Option(
            "--gt", help="The truth: the real frames (the default), or what the model's VAE makes of them."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out clips with something wrong, and count them.")
    ] = False,
    steps: Steps = None,
    guidance: Guidance = None,
    solver: Solver = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help="A way of sampling that the model knows by name.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the noise; 0 by default.", show_default=False)
    ] = None,
    reference_details: Annotated[
        bool | None,
        typer.Option(
            DETAILS_FLAG,
            help=DETAILS_HELP,
            show_default="model's",
        ),
    ] = None,
    without_motion: Annotated[
        bool, typer.Option("--without-motion", help="Also the model without its motion module.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="auto (the default), cpu, cuda, cuda:N or mps; on cuda the metrics' networks run, too.",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        DtypeName | None,
        typer.Option("--dtype", help="The model's number format; auto by default.", show_default=False),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Each frame's number and PSNR below it in the videos.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", help="Also the values of each frame, as CSV.", metavar="FILE", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="JSON report of two videos, or folder of a test set's results."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing JSON report or CSV file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare a generated video with the true one, or evaluate on a test set (--dataset) a model, or what others made.

    A test set's evaluation that was broken off goes on when it is started again with the same folder.
    """
    if (generated is None) == (dataset is None):
        raise OptionError(
            expected="either a video A with --truth B, or --dataset",
            found="neither" if dataset is None else "both",
            remedy="See magicpose eval --help.",
        )
    given = {
        "--truth": truth, "--protocol": protocol, "--weights": weights, "--force": force, "-o": output,
        "--align": align, "--quick": quick,
        "--grid": grid, "--names": names, "--dataset": dataset, "--root": root, "--model": model, "--clips": clips,
        "--steps": steps, "--guidance": guidance, "--seed": seed, "--without-motion": without_motion,
        "--reference-details": None if reference_details is None else True,  # either way it was named
        "--split": split, "--predictions": predictions, "--stride": stride, "--size": size, "--gt": gt,
        "--skip-bad": skip_bad, "--solver": solver, "--preset": preset,
        "--csv": csv, "--numbers": numbers, "--device": device, "--dtype": dtype,
    }  # fmt: skip
    refuse_strangers(
        "--dataset" if dataset is not None else "--grid" if grid is not None else "--truth", given
    )
    if weights is not None and not weights.is_dir():
        raise OptionError(
            expected="a folder of weights", found=f"none at {weights}", remedy="Check --weights."
        )
    if generated is None and dataset is not None:
        if output is None:
            raise OptionError(
                expected="a folder for the results", found="none", remedy="Name it with -o FOLDER."
            )
        refuse_without(dataset.value, given)
        from ..evaluation.benchmark import BenchmarkOptions, benchmark
        from ..evaluation.tables import as_table as plain_methods
        from ..evaluation.terminal import of_methods

        options = BenchmarkOptions(
            dataset.value,
            root,
            clips,
            model,
            steps,
            guidance,
            None if solver is None else solver.value,  # type: ignore[arg-type]
            preset,
            seed or 0,
            reference_details=reference_details,
            without_motion=without_motion,
            device=device or "auto",
            dtype=(dtype or DtypeName.auto).value,
            predictions=tuple(predictions or ()),
            split=(split or SplitName.disco).value,
            stride=stride or 1,
            gt=(gt or TruthName.real).value,
            size_px=_size_of(size),
            skip_bad=skip_bad,
            weights_dir=weights,
        )
        measured = benchmark(options, output, numbers=numbers)
        if as_json:
            console.result(measured, as_json=True)
        else:
            console.table(of_methods(measured), plain_methods(measured))
        console.say(f"The page with everything: {output / 'report.html'}")
        return
    if generated is not None and grid is not None:
        from ..evaluation.grid import as_table as plain_columns
        from ..evaluation.grid import score_grid
        from ..evaluation.terminal import of_columns

        values = score_grid(generated, grid, names.split(",") if names else None)
        if as_json:
            console.result(values, as_json=True)
        else:
            console.table(of_columns(values), plain_columns(values))
        return
    if truth is None or generated is None:
        raise OptionError(expected="the true video", found="none", remedy="Name it with --truth B.")
    name: Protocol = (protocol or ProtocolName.all).value  # type: ignore[assignment]
    # a table of the papers knows no cut videos
    how: Align = align.value if align is not None else "strict" if name == "disco" else "auto"
    _two_videos(generated, truth, name, weights, how, output, csv, quick=quick, force=force, as_json=as_json)


_SMALLEST_PX, _LARGEST_PX = 16, 4096


def _size_of(text: str | None) -> tuple[int, int] | None:
    """Width and height in px."""
    if text is None:
        return None
    from ..jobs.fit import read_size

    sides = read_size(text)
    if not all(_SMALLEST_PX <= side <= _LARGEST_PX for side in sides):
        raise OptionError(
            expected=f"a size like 512x512, sides of {_SMALLEST_PX} to {_LARGEST_PX} px",
            found=repr(text),
            remedy="Give width x height.",
        )
    return sides


def _two_videos(
    generated: Path,
    truth: Path,
    protocol: Protocol,
    weights: Path | None,
    align: Align,
    report: Path | None,
    csv: Path | None,
    *,
    quick: bool,
    force: bool,
    as_json: bool,
) -> None:
    from ..evaluation.by_frame import write_frames_csv
    from ..evaluation.protocol import compare
    from ..evaluation.report import as_table, make_report
    from ..evaluation.terminal import of_comparison
    from ..media.atomic import check_file_output, write_json

    for path in filter(None, (report, csv)):
        check_file_output(path, overwrite=force)
    if report is not None and csv is not None and report.resolve() == csv.resolve():
        raise OptionError(
            expected="a name each for -o and --csv", found=f"{csv} twice", remedy="Choose another name."
        )
    compared = compare(generated, truth, protocol, weights, align, quick)
    document = make_report(compared, generated, truth, protocol) if report or as_json else None
    if report is not None:
        write_json(report, document, overwrite=force)
    if csv is not None:
        write_frames_csv(csv, [((), compared.per_frame)], overwrite=force)
    if as_json:
        console.result(document, as_json=True)
    else:
        console.table(of_comparison(compared), as_table(compared))
