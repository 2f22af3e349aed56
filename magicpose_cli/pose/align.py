"""Alignment: the driving's poses brought to the size and the place of the reference's person.

The networks draw the reference's person where the pose is, and as large. A driving seen from nearer, from farther, or
beside the middle asks for a person of another size in another place than the picture shows, and in no pair that the
networks learnt from did these differ. One scale and one shift for the whole video leave its motion as it is; limbs keep
the driving's proportions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .sequence import MOST_PX, POINT_COUNTS, FramePose, PoseSequence

_BONES: tuple[tuple[tuple[tuple[int, int], ...], float], ...] = (
    (((1, 8), (1, 11)), 3.0),  # neck to hips: seldom foreshortened
    (((2, 5),), 2.0),  # shoulders
    (((8, 9), (11, 12)), 2.0),  # thighs
    (((9, 10), (12, 13)), 2.0),  # shins
    (((8, 11),), 1.0),  # hips
    (((2, 3), (5, 6)), 1.0),  # upper arms
    (((3, 4), (6, 7)), 1.0),  # forearms
    (((0, 1),), 1.0),  # nose to neck
    (((14, 15),), 0.5),  # eyes
    (((16, 17),), 0.5),  # ears
)
"""Body points that a bone joins, left and right ones together, and its weight among the others."""
_ANCHORS = (8, 11), (1,), (0,)
"""What tells where a person is: the hips, else the neck, else the nose."""
_ANKLES = 10, 13
_SURE = 0.3
"""Confidence from which a point is measured by."""
_SEEN_IN = 0.1
"""What is there in this share of the frames counts."""


@dataclass(frozen=True)
class Alignment:
    """A scale and a shift in a plane: ``new px = scale x old px + shift``.

    Attributes:
        scale: above 1 people become larger.
        shift_x_px: to the right.
        shift_y_px: downwards.
    """

    scale: float
    shift_x_px: float
    shift_y_px: float

    def apply(self, sequence: PoseSequence, width_px: int, height_px: int) -> PoseSequence:
        """Move all points; those that come to lie beyond `MOST_PX` are missing then.

        Args:
            sequence: the poses.
            width_px: width of the picture in which they lie from now on.
            height_px: its height.
        """
        shift = np.array([self.shift_x_px, self.shift_y_px])
        moved = {}
        for part in POINT_COUNTS:
            points = getattr(sequence, part).astype(np.float64)
            points[..., :2] = points[..., :2] * self.scale + shift
            points[np.abs(points[..., :2]).max(axis=-1) > MOST_PX] = 0
            moved[part] = points.astype(np.float32)
        return PoseSequence(
            **moved,
            width_px=width_px,
            height_px=height_px,
            fps=sequence.fps,
            source_name=sequence.source_name,
            source_sha256=sequence.source_sha256,
        )


def find_alignment(driving: PoseSequence, reference: FramePose) -> tuple[Alignment, float] | None:
    """Measure what brings the driving's person to the size and the place of the reference's.

    Sizes are compared bone by bone, the reference's with the median over the driving's frames; of these ratios the
    weighted median is taken, which a limb that points at the camera or a seated person's thighs do not change. The
    place is that of the hips (neck, nose), the median over the frames; those whose ankles are seen stand on the same
    ground.

    Args:
        driving: the poses of the video.
        reference: the pose of the picture, in the same plane.

    Returns:
        The alignment, and how far it moves the person, px (the place, not the size). None where too little is seen of
        one of the two to compare them.
    """
    scale = _scale(driving.body, reference.body[None])
    for points in _ANCHORS:
        start, end = (_place(body, points, np.mean) for body in (driving.body, reference.body[None]))
        if scale is not None and start is not None and end is not None:
            break
    else:
        return None
    ground = [_place(body, _ANKLES, np.max) for body in (driving.body, reference.body[None])]
    if ground[0] is not None and ground[1] is not None:
        start[1], end[1] = ground[0][1], ground[1][1]
    shift_x_px, shift_y_px = (end - scale * start).tolist()
    return Alignment(scale, shift_x_px, shift_y_px), float(np.hypot(*(end - start)))


def _scale(driving: np.ndarray, reference: np.ndarray) -> float | None:
    """Size of the reference by that of the driving, from bodies (f 18 3)."""
    ratios, weights = [], []
    for bones, weight in _BONES:
        ours, theirs = _length_px(reference, bones), _length_px(driving, bones)
        if ours and theirs:
            ratios.append(ours / theirs)
            weights.append(weight)
    if not ratios:
        return None
    order = np.argsort(ratios)
    middles = np.cumsum(np.array(weights)[order]) - np.array(weights)[order] / 2
    # between neighbours by their logarithms, so that twice and half as large are equally far from 1
    return float(np.exp(np.interp(sum(weights) / 2, middles, np.log(np.array(ratios)[order]))))


def _length_px(bodies: np.ndarray, bones: tuple[tuple[int, int], ...]) -> float | None:
    """Median length over the frames, of the longer where there are two; None where it is seldom seen."""
    lengths = []
    for start, end in bones:
        seen = bodies[(bodies[:, [start, end], 2] >= _SURE).all(axis=1)]
        if len(seen) and len(seen) >= _SEEN_IN * len(bodies):
            apart = seen[:, start, :2].astype(np.float64) - seen[:, end, :2]
            lengths.append(float(np.median(np.hypot(*apart.T))))
    return max(lengths, default=None)


def _place(bodies: np.ndarray, points: tuple[int, ...], join: Callable[..., np.ndarray]) -> np.ndarray | None:
    """Median x and y over the frames in which all these points are seen; several are joined by `join`."""
    seen = bodies[(bodies[:, points, 2] >= _SURE).all(axis=1)][:, points, :2].astype(np.float64)
    if not len(seen) or len(seen) < _SEEN_IN * len(bodies):
        return None
    return np.median(join(seen, axis=1), axis=0)
