"""Whether the person is still the reference's: colours of face, hair and clothes, against those of all others.

A measure for rendered people, whose colours are their identity; Face-Cos is the one for real faces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..pose.opencv import load_cv2
from ..pose.sequence import FramePose

_NOSE, _NECK = 0, 1
_RIGHT_SHOULDER, _LEFT_SHOULDER, _RIGHT_HIP, _LEFT_HIP = 2, 5, 8, 11
_KNEES = ((_RIGHT_HIP, 9), (_LEFT_HIP, 12))
_RADIUS = 0.12  # of a patch, by the distance from nose to neck


def colours(frames: Sequence[np.ndarray], poses: Sequence[FramePose]) -> np.ndarray:
    """A person's colours over a clip.

    Args:
        frames: uint8 ``(H W 3)`` each.
        poses: where the person is in each of them: the truth's pose, also for a result's frames.

    Returns:
        CIE Lab means and deviations of face, hair, chest, belly and thighs, float64 ``(5 6)``; NaN for what
        no frame shows.
    """
    cv2 = load_cv2()
    seen: list[list[np.ndarray]] = [[] for _ in range(5)]
    for frame, pose in zip(frames, poses, strict=True):
        lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for values, places in zip(seen, _places(pose.body), strict=True):
            values += [patch for place in places if len(patch := _patch(lab, place, pose.body))]
    rows = []
    for values in seen:
        joined = np.concatenate(values) if values else np.full((1, 3), np.nan)
        rows.append(np.concatenate([joined.mean(0), joined.std(0)]))
    return np.array(rows)


def nearest(own: np.ndarray, others: Sequence[np.ndarray]) -> int | None:
    """Number of the person whose colours are nearest, over the parts that both show; None where none shares any."""
    distances = []
    for other in others:
        difference = np.linalg.norm(own - other, axis=1)
        distances.append(np.inf if np.isnan(difference).all() else np.nanmean(difference))
    return int(np.argmin(distances)) if np.isfinite(distances).any() else None


def _places(body: np.ndarray) -> list[list[np.ndarray]]:
    """Centres of face, hair, chest, belly and thighs; none where a joint that they hang on was not found."""

    def between(a: int, b: int, part: float) -> list[np.ndarray]:
        if not (body[a, 2] and body[b, 2]):
            return []
        return [body[a, :2] + part * (body[b, :2] - body[a, :2])]

    sides = [
        point
        for part in (0.25, 0.7)
        for a, b in ((_RIGHT_SHOULDER, _RIGHT_HIP), (_LEFT_SHOULDER, _LEFT_HIP))
        for point in between(a, b, part)
    ]
    chest, belly = sides[: len(sides) // 2], sides[len(sides) // 2 :]
    return [
        between(_NOSE, _NECK, 0.0),
        between(_NOSE, _NECK, -0.75),
        [np.mean(chest, axis=0)] if chest else [],
        [np.mean(belly, axis=0)] if belly else [],
        [point for hip, knee in _KNEES for point in between(hip, knee, 0.4)],
    ]


def _patch(lab: np.ndarray, centre: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Colours ``(n 3)`` of a square about a point; none outside the picture."""
    reach = max(1, round(_RADIUS * float(np.linalg.norm(body[_NOSE, :2] - body[_NECK, :2]))))
    x, y = np.round(centre).astype(int)
    height, width = lab.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        return np.empty((0, 3))
    square = lab[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    return square.reshape(-1, 3)
