"""Cleaning: what a detector, which looks at one frame after the other, leaves to mend in the poses of a video.

It loses a hand for a frame or two, and its points tremble. Both reach the result: the networks draw what the pose map
shows. A filter that runs along with the video would lag behind the person; here the whole video is known, so each point
is set by the frames before and after it.

The spans were measured on five rendered dancers whose joints are known (512 px, 25 and 12 frames a second, MediaPipe).
At 25, the body's error falls from 4.6 px with MediaPipe's own filter, which lags half a frame, to 3.4; what a point's
change of speed is off by falls to 0.6 of that for the body, 0.75 for hands and half for the face. Longer spans cut
corners of fast hands.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np

from .. import console
from .sequence import POINT_COUNTS, PoseSequence

FILLED_S = 0.2
"""A point that is missing for so long, and found before and after, is filled in. The points of hands filled so lie 6 px
from where they are, those of hands that the detector finds 4 px."""
_SPAN_S = {"body": 0.28, "left_hand": 0.16, "right_hand": 0.16, "face": 0.16}
"""Over so long a point moves along a parabola."""
_PARABOLA = 2
_WRISTS = {"left_hand": 7, "right_hand": 4}
_JUMP = 0.3
"""Who moves this share of their size from one frame to the next is somebody else, or seen by another camera; a single
point that does was found in another place than before."""
_LEAST_POINTS = 3
"""Fewer points of a body tell no size."""


def clean(poses: PoseSequence) -> tuple[PoseSequence, dict[str, int]]:
    """Fill short gaps, which is said, and take out trembling, but not across a cut that moves the person by `_JUMP`.

    A hand that is filled in keeps to its wrist, where the body shows it. Points are smoothed by Savitzky and Golay's
    filter, which has no lag and leaves any motion that is a parabola over its span; at low frame rates the span is less
    than four frames, and points stay where they are.

    Args:
        poses: what a detector found, frame by frame.

    Returns:
        The cleaned poses, and by part in how many frames points were filled in.
    """
    parts = {part: getattr(poses, part).astype(np.float64) for part in POINT_COUNTS}
    most_frames = math.floor(FILLED_S * poses.fps)
    for shot in _shots(parts["body"], most_frames):
        longest_px = _JUMP * _size_px(parts["body"][shot])
        for part, points in parts.items():  # the body is first: hands follow its wrists
            wrist = parts["body"][shot, _WRISTS[part]] if part in _WRISTS else None
            _fill(points[shot], most_frames, longest_px, wrist)
        for part, points in parts.items():
            _smooth(points[shot], _span_frames(part, poses.fps), longest_px)
    filled = {
        part: int(((points[..., 2] > 0) & (getattr(poses, part)[..., 2] == 0)).any(axis=1).sum())
        for part, points in parts.items()
    }
    if any(filled.values()):
        told = ", ".join(f"{part.replace('_', ' ')} in {count}" for part, count in filled.items() if count)
        console.say(
            f"Points that were missing for up to {FILLED_S:g} s are filled in: {told} of {len(poses)} frames."
        )
    cleaned = PoseSequence(
        **{part: points.astype(np.float32) for part, points in parts.items()},
        width_px=poses.width_px,
        height_px=poses.height_px,
        fps=poses.fps,
        source_name=poses.source_name,
        source_sha256=poses.source_sha256,
    )
    return cleaned, filled


def _shots(body: np.ndarray, most_frames: int) -> list[slice]:
    """Stretches of frames that show one person from one camera, as far as the body (f 18 3) tells."""
    seen = body[..., 2] > 0
    there = np.flatnonzero(seen.any(axis=1))
    starts = [
        int(after)
        for before, after in pairwise(there)
        if after - before > most_frames + 1 or _jumps(body[before], body[after])
    ]
    return [slice(*ends) for ends in zip([0, *starts], [*starts, len(body)], strict=True)]


def _jumps(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a body (18 3) cannot be the one of a few frames ago, as far as the points of both tell."""
    both = (before[:, 2] > 0) & (after[:, 2] > 0)
    if both.sum() < _LEAST_POINTS:
        return False
    size_px = max(np.hypot(*np.ptp(points[both, :2], axis=0)) for points in (before, after))
    return bool(np.median(np.hypot(*(after - before)[both, :2].T)) > _JUMP * size_px)


def _size_px(body: np.ndarray) -> float:
    """Median over frames of the diagonal of the box around a body (f 18 3); infinite where too little of it is seen."""
    sizes = [
        np.hypot(*np.ptp(points[points[:, 2] > 0, :2], axis=0))
        for points in body
        if (points[:, 2] > 0).sum() >= _LEAST_POINTS
    ]
    return float(np.median(sizes)) if sizes else math.inf


def _fill(points: np.ndarray, most_frames: int, longest_px: float, wrist: np.ndarray | None) -> None:
    """Fill gaps of points (f n 3) in place, on straight lines, or beside a wrist (f 3) that is seen all the while."""
    still = np.zeros((len(points), 2))
    for number in range(points.shape[1]):
        track = points[:, number]
        there = np.flatnonzero(track[:, 2] > 0)
        for before, after in pairwise(there):
            if not 1 < after - before <= most_frames + 1:
                continue
            gap, ends = np.arange(before + 1, after), [before, after]
            follows = wrist is not None and (wrist[before : after + 1, 2] > 0).all()
            origin = wrist[:, :2] if wrist is not None and follows else still
            offsets = track[ends, :2] - origin[ends]
            if np.hypot(*(offsets[1] - offsets[0])) > longest_px:
                continue
            for axis in (0, 1):
                track[gap, axis] = origin[gap, axis] + np.interp(gap, ends, offsets[:, axis])
            track[gap, 2] = track[ends, 2].min()


def _smooth(points: np.ndarray, span_frames: int, longest_px: float) -> None:
    """Smooth x and y of points (f n 3) in place, each over the frames in which it is seen without a break or a jump."""
    from scipy.signal import savgol_filter

    for number in range(points.shape[1]):
        track = points[:, number]
        seen = track[:, 2] > 0
        steps_px = np.hypot(*np.diff(track[:, :2], axis=0).T)
        breaks = 1 + np.flatnonzero((seen[1:] != seen[:-1]) | (steps_px > longest_px))
        for start, end in pairwise([0, *breaks, len(track)]):
            if not seen[start:end].any():
                continue
            span = min(span_frames, (end - start - 1) // 2 * 2 + 1)  # odd, and no longer than what there is
            if span > _PARABOLA + 1:
                track[start:end, :2] = savgol_filter(track[start:end, :2], span, _PARABOLA, axis=0)


def _span_frames(part: str, fps: Fraction) -> int:
    """The part's span, or the odd number of frames next above it."""
    return math.ceil(round(_SPAN_S[part] * fps, 6)) | 1
