"""The two sides of a comparison: what is read of each, and which frame stands beside which."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError, VideoError
from ..media.pictures import load_picture
from ..media.probe import folder_pictures
from ..media.video import FrameReader
from .clips import Numbered, frames_by_video

Frames = str | os.PathLike[str] | np.ndarray


@dataclass(frozen=True)
class Side:
    name: str
    frames: Iterable[np.ndarray]
    count: int | None
    fps: Fraction | None
    folder: Path | None = None

    def videos(self) -> list[Numbered]:
        """Each video in it, to be read anew: (frame number, frame)."""
        if self.folder is None:
            return [enumerate(self.frames)]
        videos = frames_by_video(folder_pictures(self.folder)).values()
        return [((number, load_picture(path)) for number, path in frames) for frames in videos]


def open_side(frames: Frames) -> Side:
    if isinstance(frames, np.ndarray):
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
            raise OptionError(
                expected="frames as uint8 (f H W 3)",
                found=f"{frames.dtype} {frames.shape}",
                remedy="Convert the array.",
            )
        return Side("the array", frames, len(frames), None)
    reader = FrameReader(frames)
    # pictures have no rate of their own
    fps = reader.fps if reader.info.kind in ("video", "gif") else None
    folder = reader.info.path if reader.info.kind == "folder" else None
    return Side(reader.info.path.name, reader, reader.expected_frames, fps, folder)


def pairs(ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray]) -> Iterator[tuple[Any, Any]]:
    """As `zip`, but a difference in length is an error: the protocol would cut in silence."""
    our_frames, their_frames, count = iter(ours), iter(theirs), 0
    while True:
        our_frame, their_frame = next(our_frames, None), next(their_frames, None)
        if our_frame is None and their_frame is None:
            return
        if our_frame is None or their_frame is None:
            more = 1 + sum(1 for _ in (our_frames if their_frame is None else their_frames))
            raise uneven(count + more * (their_frame is None), count + more * (our_frame is None))
        count += 1
        yield our_frame, their_frame


def uneven(ours: int, theirs: int) -> VideoError:
    return VideoError(
        expected="as many generated frames as true ones",
        found=f"{ours} generated and {theirs} true",
        remedy="Cut the longer one, or generate all frames.",
    )
