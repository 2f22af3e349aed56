"""Frames of a driving, one at a time, at a steady rate.

Each source becomes a stream of frames with times; output frame k is the one that is shown at
start_s + k / fps. For a steady source at its own rate that is each frame once. Frames of a variable
rate may come a little late (`JITTER`) and still count, or a camera's unsteady clock would repeat one
frame and skip the next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import ImageSequence

from .. import console
from ..errors import OptionError, VideoError
from .pictures import PICTURE_SUFFIXES, load_picture, rgb_of, upright
from .probe import (
    FOLDER_FPS,
    JITTER,
    VideoInfo,
    animation_delay,
    display_matrix,
    folder_pictures,
    open_image,
    open_video,
    probe,
    square_size,
)

Timed = Iterator[tuple[Fraction, Fraction, np.ndarray]]


class FrameReader:
    """The frames of a video, an animation, a folder of pictures or one picture: uint8 (H W 3), RGB.

    Iterating opens the source anew each time and holds one frame at a time. A video's frames are
    turned upright and given square pixels. A variable rate becomes the steady average rate, by
    timestamps, and that is said.

    Args:
        path: what to read.
        fps: frames a second to read; a video or animation is resampled by timestamps (frames are left
            out or repeated, the duration stays), pictures simply get this rate. None: the source's own.
        start_s: where to start, s after the first frame.
        duration_s: how much to read; None reads to the end.
        max_frames: stop after this many frames.

    Attributes:
        info: what `probe` found.
        fps: frames a second of what is read, exact.
        expected_frames: how many frames will come, or None where only reading tells.

    Raises:
        VideoError: the source cannot be read (here), or breaks while it is read (when iterating).
        OptionError: a rate, time or number that makes no sense, or a start after the end.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: Fraction | float | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        max_frames: int | None = None,
    ) -> None:
        _check_options(fps, start_s, duration_s, max_frames)
        self.info: VideoInfo = probe(path)
        self.fps: Fraction = as_rate(fps) if fps is not None else self.info.fps
        # pictures have no times: they follow each other at the wanted rate
        self._source_fps = self.fps if self.info.kind in ("folder", "picture") else self.info.fps
        self._patience_s = JITTER / self.info.fps if self.info.variable_rate else Fraction(0)
        self._start_s = exact_s(start_s)
        wanted = [max_frames] if max_frames is not None else []
        if duration_s is not None:
            wanted.append(_count(exact_s(duration_s), self.fps))
        if self.info.num_frames is not None:
            length_s = self.info.num_frames / self._source_fps
            wanted.append(_count_to_end(self._start_s, length_s, self.fps, str(path)))
        self._limit = min(wanted) if wanted else None
        self.expected_frames = self._limit if self.info.num_frames is not None else None
        if self.info.variable_rate and fps is None:
            console.say(
                f"{self.info.path.name} has a variable frame rate: it is read at its average, "
                f"{float(self.fps):.3f} frames a second."
            )

    def __iter__(self) -> Iterator[np.ndarray]:
        count = 0
        shown: np.ndarray | None = None
        end_s = Fraction(0)
        for frame_start_s, frame_end_s, frame in self._timed_frames():
            # what was shown before lasts until this frame starts
            while (
                shown is not None
                and self._time(count) + self._patience_s < frame_start_s
                and not self._is_enough(count)
            ):
                yield shown
                count += 1
            if self._is_enough(count):
                return
            shown, end_s = frame, frame_end_s
        if shown is None:
            raise VideoError(
                expected=f"a video with frames at {self.info.path}",
                found="none that can be decoded",
                remedy="It is damaged; export or download it again.",
            )
        while not self._is_enough(count) and (count == 0 or self._time(count) + 1 / (2 * self.fps) <= end_s):
            yield shown
            count += 1

    def _time(self, index: int) -> Fraction:
        return self._start_s + index / self.fps

    def _is_enough(self, count: int) -> bool:
        return self._limit is not None and count >= self._limit

    def _timed_frames(self) -> Timed:
        if self.info.kind == "folder":
            yield from self._pictures(folder_pictures(self.info.path))
        elif self.info.kind == "picture":
            yield from self._pictures([self.info.path])
        elif self.info.kind == "gif":
            yield from self._animation()
        else:
            yield from self._video()

    def _pictures(self, paths: list[Path]) -> Timed:
        for index, path in enumerate(paths):
            yield index / self._source_fps, (index + 1) / self._source_fps, load_picture(path)

    def _animation(self) -> Timed:
        start_s = Fraction(0)
        with open_image(self.info.path) as image:
            for index, frame in enumerate(ImageSequence.Iterator(image)):
                frame.load()
                end_s = start_s + animation_delay(frame)
                picture = self._of_one_size(rgb_of(upright(frame, self.info.path), self.info.path))
                if self.info.variable_rate:
                    yield start_s, end_s, picture
                else:
                    place_s = index / self._source_fps
                    yield place_s, place_s + self._whole_frames(end_s - start_s), picture
                start_s = end_s

    def _video(self) -> Timed:
        """Decode; a decoder's error ends it (frames after it would be guesses), and is a VideoError."""
        path, index, first_s, patched = self.info.path, 0, None, 0
        with open_video(path) as (container, stream):
            stream.thread_type = "AUTO"
            try:
                for frame in container.decode(stream):
                    if frame.pts is None:
                        start_s = index / self._source_fps
                    else:
                        time_s = frame.pts * Fraction(frame.time_base)
                        first_s = time_s if first_s is None else first_s
                        start_s = time_s - first_s
                    if not self.info.variable_rate:
                        # containers round times; the frame's place on the grid is exact
                        start_s = round(start_s * self._source_fps) / self._source_fps
                    # only the last frame's duration counts: the others last until the next one
                    lasts_s = (frame.duration or 0) * Fraction(frame.time_base)
                    if not self.info.variable_rate:
                        lasts_s = self._whole_frames(lasts_s)
                    elif not lasts_s:
                        lasts_s = 1 / self._source_fps
                    yield start_s, start_s + lasts_s, self._upright(frame, stream)
                    index += 1
                    patched += frame.is_corrupt
            except av.FFmpegError as error:
                if index == 0:
                    raise
                at_s = float(index / self._source_fps)
                raise VideoError(
                    expected=f"a video that can be decoded to its end at {path}",
                    found=f"broken data after {index} frames ({at_s:.2f} s)",
                    remedy="Export or download it again, or end before that with a duration.",
                ) from error
        if patched:
            console.warn(f"{patched} frames of {path.name} are damaged: the decoder patched them.")

    def _whole_frames(self, lasts_s: Fraction) -> Fraction:
        """A steady video's frame lasts whole frames, at least one; `probe` counts a long last one the same way."""
        return max(1, round(lasts_s * self._source_fps)) / self._source_fps

    def _upright(self, frame: Any, stream: Any) -> np.ndarray:
        """uint8 (height_px, width_px, 3) as it is shown."""
        swaps_axes, mirrors_x, mirrors_y = display_matrix(frame)
        width_px, height_px = square_size(frame, stream)
        picture = frame.to_ndarray(format="rgb24", width=width_px, height=height_px)
        if swaps_axes:
            picture = picture.transpose(1, 0, 2)
        picture = picture[:: -1 if mirrors_y else 1, :: -1 if mirrors_x else 1]
        return np.ascontiguousarray(self._of_one_size(picture))

    def _of_one_size(self, picture: np.ndarray) -> np.ndarray:
        if picture.shape[:2] != (self.info.height_px, self.info.width_px):
            raise VideoError(
                expected=f"frames of one size in {self.info.path}",
                found=f"{self.info.width_px}x{self.info.height_px} and {picture.shape[1]}x{picture.shape[0]}",
                remedy="Convert them to one size first.",
            )
        return picture


def as_rate(fps: Fraction | float | str) -> Fraction:
    """A rate as an exact fraction; the decimals 23.976, 29.97 and 59.94 mean 24, 30 and 60 x 1000/1001.

    Raises:
        OptionError: not a number above 0 and up to 1000.
    """
    try:
        exact = Fraction(fps)
    except (ValueError, ZeroDivisionError, OverflowError):
        exact = Fraction(0)
    if not 0 < exact <= 1000:
        raise OptionError(expected="a frame rate above 0 and up to 1000", found=str(fps), remedy="Try 25.")
    held = exact.limit_denominator(100_000)  # what containers can hold
    if held == 0:
        raise OptionError(
            expected="a frame rate of at least 1 frame in 100,000 s", found=str(fps), remedy="Try 25."
        )
    if isinstance(fps, Fraction) or exact.denominator == 1 or "/" in str(fps):
        return held
    for broadcast in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)):
        if abs(exact - broadcast) < Fraction(5, 1000):
            return broadcast
    return held


def chosen_frames(
    num_frames: int, fps: Fraction, start_s: float = 0.0, duration_s: float | None = None, name: str = "it"
) -> range:
    """Which frames of a steady video a start and a duration choose: the numbers that `FrameReader` gives.

    Args:
        num_frames: how many the video has.
        fps: its frames a second.
        start_s: where to start, s after the first frame.
        duration_s: how much to take; None takes all to the end.
        name: what the video is called in errors.

    Raises:
        OptionError: a time that makes no sense, or a start after the end.
    """
    _check_options(None, start_s, duration_s, None)
    begin_s = exact_s(start_s)
    count = _count_to_end(begin_s, num_frames / fps, fps, name)
    if duration_s is not None:
        count = min(count, _count(exact_s(duration_s), fps))
    first = int(begin_s * fps)  # the frame that is shown at that time
    return range(first, first + count)


def exact_s(seconds: float) -> Fraction:
    """Seconds as a fraction that is as exact as FFmpeg's own times, 1 us."""
    return Fraction(seconds).limit_denominator(1_000_000)


def _count_to_end(start_s: Fraction, length_s: Fraction, fps: Fraction, name: str) -> int:
    """Frames from a start to the end of what is called `name`."""
    if start_s >= length_s:
        raise OptionError(
            expected=f"a start before the end of {name} at {float(length_s):.2f} s",
            found=f"{float(start_s):g} s",
            remedy="Choose an earlier --start.",
        )
    return _count(length_s - start_s, fps)


def _count(span_s: Fraction, fps: Fraction) -> int:
    """Frames that a span takes, at least one."""
    return max(1, int(span_s * fps + Fraction(1, 2)))


def _check_options(
    fps: Fraction | float | None, start_s: float, duration_s: float | None, max_frames: int | None
) -> None:
    if fps is not None:
        as_rate(fps)
    for name, value, is_fine in (
        ("a start of 0 s or later", start_s, 0 <= start_s < float("inf")),
        ("a duration above 0 s", duration_s, duration_s is None or 0 < duration_s < float("inf")),
        ("a number of frames of 1 or more", max_frames, max_frames is None or max_frames >= 1),
    ):
        if not is_fine:
            raise OptionError(expected=name, found=f"{value}", remedy="Correct the option.")


def folder_rate(frames: Path) -> Fraction | None:
    """The rate that the report among a folder's frames gives, or 25, which is said; None for what is no folder.

    Raises:
        VideoError: a report that cannot be read.
    """
    if not os.path.isdir(frames):
        return None
    report = frames / "report.json"
    stated = None
    if os.path.isfile(report):
        try:
            document = json.loads(report.read_text(encoding="utf-8"))
            stated = document.get("fps") if isinstance(document, dict) else None
            rate = None if stated is None else as_rate(stated)
        except (OSError, ValueError, TypeError, OptionError) as error:
            raise VideoError(
                expected=f"a report with a frame rate at {report}",
                found=f"one that cannot be used ({error})",
                remedy="Give the rate with --fps.",
            ) from error
        if rate is not None:
            return rate
    if _holds_frames(frames):
        console.say(
            f"{frames} names no frame rate: {FOLDER_FPS} frames a second are taken; --fps sets another."
        )
    return FOLDER_FPS


def _holds_frames(folder: Path) -> bool:
    """Whether there is anything to have a rate; whoever reads a folder without says what is wrong with it."""
    try:
        return any(entry.suffix.lower() in {".json", *PICTURE_SUFFIXES} for entry in folder.iterdir())
    except OSError:
        return False
