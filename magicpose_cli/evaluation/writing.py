"""What an evaluation leaves for people and spreadsheets: videos, pages, pictures, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..media.atomic import write_json, write_text
from ..media.compare import side_by_side
from ..media.pictures import save_picture
from ..media.video import open_writer
from .by_frame import values_by_frame, write_frames_csv
from .captions import captioned
from .datasets import TestClip
from .methods import COPY
from .page import write_page
from .records import Record
from .results import TRUTH, Results
from .tables import as_markdown, as_pictures

VIDEO_FPS = 8


def write_results(
    results: Results,
    report: dict[str, Any],
    records: Mapping[str, Sequence[Record]],
    clips: Sequence[TestClip],
    numbers: bool,
) -> None:
    """Write all but the frames and records themselves.

    Args:
        results: the evaluation's folder.
        report: the document of ``report.json``.
        records: of each method, clip by clip.
        clips: in the same order.
        numbers: write each frame's number and PSNR into the videos.
    """
    out, methods = results.out, list(records)
    for number, clip in enumerate(clips):
        psnr = {name: of_clips[number]["frames"]["psnr"] for name, of_clips in records.items()}
        _write_video(results, clip, methods, psnr if numbers else None)
    write_json(out / "report.json", report)
    write_text(out / "report.md", as_markdown(report))
    strips = _of_one_size([_strip(results, clip, methods) for clip in clips])
    save_picture(out / "pictures.jpg", as_pictures(strips))
    rows = (
        ((name, clip.name), values_by_frame(record))
        for name in methods
        for clip, record in zip(clips, records[name], strict=True)
    )
    write_frames_csv(out / "frames.csv", rows, ("method", "clip"))

    def show(method: str, number: int, frame: int) -> list[np.ndarray]:
        pictures = results.shown(clips[number], [method], frame - 1)
        reference = pictures["reference"]
        # the copy's result is the reference, and a dataset may have no pose maps
        pose = pictures.get("pose", np.zeros_like(reference))
        return [reference, pose, pictures.get(method, reference), pictures[TRUTH]]

    write_page(out / "report.html", report, records, show)


def _write_video(
    results: Results, clip: TestClip, names: Sequence[str], psnr: Mapping[str, list[float]] | None
) -> None:
    """Write a clip's video, with a PSNR a frame by method where its numbers are to stand below."""
    path = results.video(clip, with_numbers=psnr is not None)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    reference, maps, truth = clip.reference(results.sizes[clip.name]), results.maps(clip), results.truth(clip)
    made = {name: results.made(name, clip) for name in names if name != COPY}
    columns = ({} if maps is None else {"pose": maps}) | made | {TRUTH: truth}
    with open_writer(path, VIDEO_FPS) as writer:
        for i in range(len(truth)):
            pictures = {"reference": reference, **{name: frames[i] for name, frames in columns.items()}}
            if psnr is not None:
                below = {name: f"frame {i + 1}   {psnr[name][i]:.2f} dB" for name in made}
                pictures = {n: captioned(picture, [n, below.get(n, "")]) for n, picture in pictures.items()}
            writer.write(side_by_side(list(pictures.values())))


def _strip(results: Results, clip: TestClip, names: Sequence[str]) -> np.ndarray:
    """Reference, pose map, each method and truth at two thirds of a clip."""
    return side_by_side(list(results.shown(clip, names, 2 * len(clip.targets) // 3).values()))


def _of_one_size(strips: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Strips with black beside and below the smaller ones."""
    height_px, width_px = (max(strip.shape[axis] for strip in strips) for axis in (0, 1))
    placed = []
    for strip in strips:
        canvas = np.zeros((height_px, width_px, 3), np.uint8)
        canvas[: strip.shape[0], : strip.shape[1]] = strip
        placed.append(canvas)
    return placed
