"""`extract-pose`: the poses of a driving video, saved for later."""

from __future__ import annotations

from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import console
from ..errors import OptionError
from .options import DetectorName

if TYPE_CHECKING:
    from ..media.video import FrameReader
    from ..pose.sequence import PoseSequence


def extract_pose(
    driving: Annotated[Path, typer.Argument(help="Video, GIF, folder of pictures or picture.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Pose file to write, OUT.npz.")],
    detector: Annotated[
        DetectorName, typer.Option("--detector", help="auto: openpose where its weights are installed.")
    ] = DetectorName.auto,
    device: Annotated[
        str, typer.Option("--device", help="Where openpose runs: auto, cpu, cuda, cuda:N or mps.")
    ] = "auto",
    cleaned: Annotated[
        bool,
        typer.Option("--clean/--no-clean", help="Fill short gaps and take the trembling out of the poses."),
    ] = True,
    fps: Annotated[
        str | None,
        typer.Option(
            "--fps", help="Frames a second to read: 25, 29.97 or 30000/1001. Default: the video's, or 25."
        ),
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option("--max-frames", min=1, help="Stop after this many frames.")
    ] = None,
    preview: Annotated[
        str | None,
        typer.Option("--preview", help="Also write a video of the source beside its pose maps, POSE.mp4."),
    ] = None,
    openpose_json: Annotated[
        Path | None, typer.Option("--openpose-json", help="Also write OpenPose's JSON files to this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing outputs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Find body, hands and face in every frame of a video."""
    from ..media.files import sha256_of
    from ..media.video import FrameReader, as_rate, check_output, folder_rate
    from ..pose import openpose_json as json_files
    from ..pose.clean import clean
    from ..pose.detect import detect_sequence, open_detector

    _check_pose_file(output, force)
    if preview is not None:
        check_output(preview, force)
    if openpose_json is not None:
        json_files.check_output(openpose_json, force)
    _check_apart(driving, output, preview, openpose_json)
    rate = as_rate(fps) if fps is not None else folder_rate(driving)
    reader = FrameReader(driving, fps=rate, max_frames=max_frames)
    filled = None
    with closing(open_detector(detector.value, device)) as finder:
        sequence = detect_sequence(reader, finder, reader.info.path.name, sha256_of(driving))
    if cleaned:
        sequence, filled = clean(sequence)
    sequence.save(output)
    if openpose_json is not None:
        sequence.to_openpose_json(openpose_json, overwrite=force)
    if preview is not None:
        _write_preview(preview, reader, sequence, force)
    counts = sequence.counts()
    summary: dict[str, Any] = {
        "output": str(output),
        "detector": finder.name,
        "fps": str(sequence.fps),
    } | counts
    summary |= {"width_px": sequence.width_px, "height_px": sequence.height_px, "filled_frames": filled}
    console.result(summary if as_json else _sentence(output, counts), as_json=as_json)


def _check_pose_file(output: Path, force: bool) -> None:
    from ..media import atomic

    if output.suffix != ".npz":
        raise OptionError(
            expected="an output that ends in .npz", found=str(output), remedy=f"Use {output}.npz, say."
        )
    atomic.check_file_output(output, force)


def _check_apart(driving: Path, output: Path, preview: str | None, openpose_json: Path | None) -> None:
    """See that nothing is written over the driving or into another output."""
    from ..media.atomic import keep_apart

    given = {"the driving": driving, "-o": output, "--preview": preview, "--openpose-json": openpose_json}
    there = {name: Path(path) for name, path in given.items() if path is not None}
    for name, other in permutations(there, 2):
        if name in ("--preview", "--openpose-json"):
            keep_apart(there[name], there[other], other)


def _sentence(output: Path, counts: dict[str, int]) -> str:
    return (
        f"{output}: {counts['frames']} frames, body in {counts['body']}, hands in {counts['hands']} "
        f"(left {counts['left_hand']}, right {counts['right_hand']}), face in {counts['face']}"
    )


def _write_preview(out: str, reader: FrameReader, sequence: PoseSequence, force: bool) -> None:
    """Source and pose map side by side; the source is read a second time, so that nothing is held."""
    from ..media.compare import side_by_side
    from ..media.pictures import Placement
    from ..media.video import open_writer
    from ..pose.draw import pose_map

    size = sequence.width_px, sequence.height_px
    placement = Placement.crop(*size, *size)
    with (
        open_writer(out, sequence.fps, force) as writer,
        console.progress("Drawing the preview", len(sequence)) as stage,
    ):
        for picture, pose in zip(reader, sequence, strict=True):
            writer.write(side_by_side([picture, pose_map(pose, *size, placement)]))
            stage.advance()
