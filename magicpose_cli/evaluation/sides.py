"""The two sides of a comparison: what is read of each, and which frame stands beside which."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from .. import console
from ..errors import InputError, OptionError, VideoError
from ..media.pictures import load_picture
from ..media.probe import folder_pictures
from ..media.video import FrameReader
from .clips import Numbered, frames_by_video

Place = tuple[str, int]
"""Which video of a folder a frame belongs to, and where it stands in it: neighbours differ by 1."""

Frames = str | os.PathLike[str] | np.ndarray
Align = Literal["strict", "cut", "time", "auto"]
"""How two videos are laid beside each other; see `open_sides`."""

ALIGNS = ("strict", "cut", "time", "auto")
_SAME_RATE = 0.001  # relative


@dataclass(frozen=True)
class Side:
    """One of the two videos.

    Attributes:
        name: for messages.
        frames: uint8 ``(H W 3)`` each; iterating reads them anew.
        count: how many there are, or None where only reading tells.
        fps: frames a second; None for arrays and pictures, which have no rate of their own.
        folder: where it is a folder of pictures.
    """

    name: str
    frames: Iterable[np.ndarray]
    count: int | None
    fps: Fraction | None
    folder: Path | None = None

    def videos(self, limit: int, together: bool = False) -> list[Numbered]:
        """The first `limit` frames, to be read anew, (frame number, frame): each video, or all frames as one.

        Raises:
            InputError: pictures whose names do not tell their videos; never for all as one.
        """
        if self.folder is None or together:
            return [enumerate(islice(self.frames, limit))]
        videos = frames_by_video(folder_pictures(self.folder)[:limit]).values()
        return [((number, load_picture(path)) for number, path in frames) for frames in videos]

    def places(self) -> Iterator[Place]:
        """The place of each frame, in the order of `frames`, and no end to them where it is not a folder.

        In a folder a video's own step (every frame, every second one) counts as 1. Pictures whose names tell no
        videos are one.
        """
        if self.folder is not None:
            paths = folder_pictures(self.folder)
            with suppress(InputError):
                of_path: dict[Path, Place] = {}
                for video, frames in frames_by_video(paths).items():
                    step = min((b - a for (a, _), (b, _) in pairwise(frames)), default=1)
                    of_path |= {path: (video, number // step) for number, path in frames}
                yield from (of_path[path] for path in paths)
                return
        yield from (("", number) for number in count())


@dataclass
class Pairs:
    """Frames side by side, to be walked once.

    Attributes:
        ours, theirs: generated and true.
        align: as it is done: `strict`, `cut`, or `time`.
        resampled_from_fps: the rate of the generated video, where it was brought to the truth's.
        left_out: frames of (generated, truth) beyond the end of the shorter one; known after the walk.
    """

    ours: Side
    theirs: Side
    align: Align
    resampled_from_fps: Fraction | None = None
    left_out: tuple[int, int] = field(default=(0, 0))

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        our_frames, their_frames, compared = iter(self.ours.frames), iter(self.theirs.frames), 0
        while True:
            ours, theirs = next(our_frames, None), next(their_frames, None)
            if ours is None and theirs is None:
                return
            if ours is None or theirs is None:
                more = 1 + sum(1 for _ in (our_frames if theirs is None else their_frames))
                self.left_out = (more, 0) if theirs is None else (0, more)
                self._end(compared)
                return
            compared += 1
            yield ours, theirs

    def _end(self, compared: int) -> None:
        if self.align == "strict":
            raise uneven(compared + self.left_out[0], compared + self.left_out[1])
        longer = self.ours if self.left_out[0] else self.theirs
        console.warn(
            f"{compared} frames are compared; {longer.name} has {max(self.left_out)} more, left out."
        )


def open_sides(generated: Frames, truth: Frames, align: Align = "strict") -> Pairs:
    """Open two videos, and lay them beside each other.

    Args:
        generated, truth: a path or uint8 ``(f H W 3)``.
        align: `strict`: frame i stands beside frame i, and another number of frames is an error. `cut`: the same, up
            to the end of the shorter one. `time`: the generated video is brought to the truth's rate by
            timestamps, then as `cut`. `auto`: `time` where both have a rate and the rates differ, else `cut`, but
            two folders of which one lacks a frame are an error, as with `strict`. All that is done is said.

    Raises:
        VideoError: a path cannot be read, or the numbers of frames differ where they must not.
        OptionError: another `align`, `time` without two rates, or an array of another shape.
    """
    if align not in ALIGNS:
        raise OptionError(
            expected=f"an alignment ({', '.join(ALIGNS)})", found=str(align), remedy="Choose one of these."
        )
    ours, theirs = _open(generated), _open(truth)
    differ = bool(ours.fps and theirs.fps and abs(ours.fps / theirs.fps - 1) > _SAME_RATE)
    asked = align
    if align == "auto":
        align = "time" if differ else "cut"
    if align == "time" and (ours.fps is None or theirs.fps is None):
        raise OptionError(
            expected="two videos with a frame rate, to align them by time",
            found=f"{ours.name if ours.fps is None else theirs.name}, which has none",
            remedy="Align them with cut.",
        )
    if differ:
        rates = " and ".join(f"{side.name} at {float(side.fps or 0):.3f}" for side in (ours, theirs))
        rates += " frames a second"
        if align == "time" and not isinstance(generated, np.ndarray):
            console.say(f"{rates}: the first is read at the second's rate.")
            return Pairs(_open(generated, theirs.fps), theirs, align, ours.fps)
        console.warn(f"{rates}: they are compared frame by frame.")
    pairs = Pairs(ours, theirs, align)
    if ours.count is not None and theirs.count is not None:
        gap = _gap(ours, theirs) if asked in ("strict", "auto") else ""
        if gap or (align == "strict" and ours.count != theirs.count):
            raise uneven(ours.count, theirs.count, gap)
    return pairs


def _open(frames: Frames, fps: Fraction | None = None) -> Side:
    if isinstance(frames, np.ndarray):
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
            raise OptionError(
                expected="frames as uint8 (f H W 3)",
                found=f"{frames.dtype} {frames.shape}",
                remedy="Convert the array.",
            )
        return Side("the array", frames, len(frames), None)
    reader = FrameReader(frames, fps)
    own = reader.fps if reader.info.kind in ("video", "gif") else None
    folder = reader.info.path if reader.info.kind == "folder" else None
    return Side(reader.info.path.name, reader, reader.expected_frames, own, folder)


def _gap(ours: Side, theirs: Side) -> str:
    """Which picture one of two folders lacks between pictures that both have; empty where none is.

    Numbers that keep step say that none is, wherever they start. Else names that both have tell, and where the two are
    named differently, the numbers again.
    """
    if ours.folder is None or theirs.folder is None:
        return ""
    sides = (ours, theirs)
    names = [[path.stem for path in folder_pictures(side.folder)] for side in sides if side.folder]
    sets = [set(own) for own in names]
    share_names = len(sets[0] & sets[1]) >= min(map(len, names)) / 2
    places = [_relative_places(side) for side in sides]
    if places[0] == places[1]:
        if share_names and names[0][0] != names[1][0]:
            console.warn(
                f"{names[0][0]} is compared with {names[1][0]}, and so on: frame by frame in their order."
            )
        return ""
    if share_names:
        for pair in zip(*names, strict=False):
            lacking = [side for side in (0, 1) if pair[1 - side] not in sets[side]]
            if lacking:
                return f"{pair[1 - lacking[0]]} is missing in {sides[lacking[0]].name}"
        return ""
    for number, pair in enumerate(zip(*places, strict=False)):
        if pair[0] != pair[1]:
            behind = int(pair[1] > pair[0])
            return f"a frame before {names[behind][number]} is missing in {sides[behind].name}"
    return ""


def _relative_places(side: Side) -> list[tuple[int, int]]:
    """Of each frame: which video of the folder it is in, and how far it is behind that one's first frame.

    Where each picture would be a video of its own, its name's last number is not the frame's: then all are one.
    """
    first: dict[str, tuple[int, int]] = {}
    found = []
    for video, number in islice(side.places(), side.count):
        which, start = first.setdefault(video, (len(first), number))
        found.append((which, number - start))
    return list(zip([0] * len(found), range(len(found)), strict=True)) if len(first) == len(found) else found


def uneven(ours: int, theirs: int, gap: str = "") -> VideoError:
    """The error of two videos that cannot be compared frame by frame."""
    return VideoError(
        expected="the same frames on both sides" if gap else "as many generated frames as true ones",
        found=f"{ours} generated and {theirs} true" + (f" ({gap})" if gap else ""),
        remedy="Put it there, or compare them in their order with --align cut."
        if gap
        else "Cut the longer one (--align cut does), or generate all frames.",
    )
