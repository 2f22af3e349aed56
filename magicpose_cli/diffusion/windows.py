"""Which frames are denoised together (paper appendix C: windows of 16 that overlap by 4).

Each function gives the windows of one step as lists of frame numbers. Another random offset each step moves the
seams, so that no frame is always at a window's edge.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class WindowPlan:
    """The windows of a run, step by step: asked for once a step, in order.

    Attributes:
        num_frames: length of the video.
        window, overlap: frames denoised together, and shared by neighbours.
        see_each_other: whether the frames of a window do (a motion module); else each is made once, `batch` at a time.
        batch: frames that go through the networks together where they are independent.
        circular: the reference implementation's windows in place of our own.
        offsets: the reference's, one a step; None draws them, and the shifts of our own, from the seed.
        seed: of these draws.
    """

    num_frames: int
    window: int
    overlap: int
    see_each_other: bool
    batch: int
    circular: bool
    offsets: Sequence[int] | None
    seed: int
    _draw: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    @property
    def fade(self) -> int:
        """Frames over which windows fade into each other; 0 is the reference's plain average."""
        is_plain = self.circular or self.offsets is not None or not self.see_each_other
        return 0 if is_plain else self.overlap

    def of(self, step: int) -> list[list[int]]:
        """The windows of a step, 0 first."""
        if self.offsets is not None:
            return circular_windows(self.num_frames, self.window, self.overlap, self.offsets[step])
        if not self.see_each_other:
            return shifted_windows(self.num_frames, self.batch, overlap=0)
        if self.circular:
            offset = self._draw.randrange(self.num_frames)
            return circular_windows(self.num_frames, self.window, self.overlap, offset)
        offset = self._draw.randrange(max(self.window - self.overlap, 1))
        return shifted_windows(self.num_frames, self.window, self.overlap, offset)


def shifted_windows(num_frames: int, window: int = 16, overlap: int = 4, offset: int = 0) -> list[list[int]]:
    """Windows shifted by an offset and clipped at both ends; the last frame never meets the first.

    Args:
        num_frames: length of the video.
        window: most frames in a window.
        overlap: frames that neighbouring windows share; less than ``window``.
        offset: shift in frames, any integer; only its remainder by ``window - overlap`` matters.

    Returns:
        Windows in order that together cover each frame; one window where the video is no longer than ``window``.
    """
    _check(num_frames, window, overlap)
    if num_frames <= window:
        return [list(range(num_frames))]
    stride = window - overlap
    first = offset % stride - stride
    windows: list[list[int]] = []
    for start in range(first, num_frames, stride):
        frames = list(range(max(start, 0), min(start + window, num_frames)))
        # a sliver that lies wholly inside its neighbour adds cost and no context
        if frames and len(frames) > overlap:
            windows.append(frames)
    return windows


def circular_windows(num_frames: int, window: int = 16, overlap: int = 4, offset: int = 0) -> list[list[int]]:
    """The reference implementation's windows: modulo the length, so that the last joins the first.

    Starts run from ``offset`` to below ``offset + num_frames - 3`` in strides of ``window - overlap``
    (docs of the reference: starts < offset + F - 3; 3 is overlap - 1).
    """
    _check(num_frames, window, overlap)
    if num_frames < overlap:
        raise ValueError(f"the reference's windows need at least {overlap} frames, not {num_frames}")
    stride = window - overlap
    starts = range(offset, offset + num_frames - overlap + 1, stride)
    return [[frame % num_frames for frame in range(start, start + window)] for start in starts]


def fading(window: Sequence[int], num_frames: int, fade: int) -> list[float]:
    """What each frame of a window counts where windows overlap: less towards an end, so as to leave no jump.

    Plain averages leave a jump where a window ends. With a motion module of random weights it was 2.4 times the change
    elsewhere where windows stay, and 1.2 times with these weights; 1.1 and 1.0 where they shift (10 steps).

    Args:
        window: its frames in order.
        num_frames: of the video, at whose own ends nothing fades.
        fade: frames at an end over which the weight rises, in equal steps, to 1; 0 is the paper's plain average.
    """
    length, rise = len(window), [(place + 1) / (fade + 1) for place in range(len(window))]
    begin = [1.0] * length if window[0] == 0 else rise
    end = [1.0] * length if window[-1] == num_frames - 1 else rise[::-1]
    return [min(a, b, 1.0) for a, b in zip(begin, end, strict=True)]


def _check(num_frames: int, window: int, overlap: int) -> None:
    if num_frames < 1 or window < 1 or not 0 <= overlap < window:
        raise ValueError(
            f"no windows of {window} frames with an overlap of {overlap} over {num_frames} frames"
        )
