"""Toy datasets in each layout: frames of one grey each, by clip and frame, so that any can be told from any other."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from magicpose_cli.media.pictures import save_picture

WIDTH_PX, HEIGHT_PX = 24, 40
VIDEOS = {"TiktokDance_00337": 4, "TiktokDance_201_005_1x1": 3}
"""Clips and how many frames they have."""

NEXT_TO_FRAMES = {"img": 0, "poses": 100, "masks": 200}


def grey(clip: int, frame: int, kind: str = "img") -> int:
    """The grey of a picture, 0..255."""
    return 20 * clip + 5 * frame + NEXT_TO_FRAMES[kind]


def picture(level: int) -> np.ndarray:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), level, np.uint8)


def write_frames(folder: Path, levels: Sequence[int], name: str = "{:04d}.png", first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, level in enumerate(levels, first):
        save_picture(folder / name.format(i), picture(level))
    return folder


def write_magicpose_layout(
    root: Path, videos: dict[str, int] = VIDEOS, frames: str = "disco_test_set"
) -> Path:
    for clip, (name, count) in enumerate(videos.items()):
        for kind, prefix in (("img", ""), ("poses", "pose_map_"), ("masks", "mask_")):
            write_frames(root / f"{prefix}{frames}" / name, [grey(clip, i, kind) for i in range(count)])
    return root


def encoded(level: int, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture(level)).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def write_tsvs(
    root: Path, *, relative: bool, split: str = "val", kind: str = "PNG", images: str = "images"
) -> Path:
    """As DisCo writes them: rows of all videos one after the other, offsets in either way."""
    root.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, int, int, int, int]] = []
    for clip, count in enumerate(VIDEOS.values()):
        start = len(rows)
        name = list(VIDEOS)[clip]
        rows += [(f"{name}_{i:04d}.png", clip, i, start, start + count - 1) for i in range(count)]

    def write(field: str, cells: Callable[[int, tuple[str, int, int, int, int]], list[str]]) -> None:
        lines = ["\t".join([row[0], *cells(at, row)]) for at, row in enumerate(rows)]
        (root / f"{split}_{field}.tsv").write_text("\n".join(lines) + "\n")

    write(images, lambda at, row: [encoded(grey(row[1], row[2]), kind)])
    write("poses", lambda at, row: [encoded(grey(row[1], row[2], "poses"))])
    write("masks", lambda at, row: [encoded(grey(row[1], row[2], "masks")), "True"])
    offset = 1 if relative else 0
    write("vid2line", lambda at, row: [json.dumps([row[3] - offset * at, row[4] - offset * at])])
    return root
