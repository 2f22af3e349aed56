"""Alignment: the driving's poses brought to the size and the place of the reference's person.

The networks draw the reference's person where the pose is, and as large. A driving seen from nearer, from farther, or
beside the middle asks for a person of another size in another place than the picture shows, and in no pair that the
networks learnt from did these differ. One scale and one shift for the whole video leave its motion as it is; limbs keep
the driving's proportions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sequence import MOST_PX, POINT_COUNTS, FramePose, PoseSequence

_CHIN, _NOSE_BRIDGE = 18 + 8, 18 + 27
"""Points of the face, counted on after the body's 18."""
_BONES: tuple[tuple[tuple[tuple[int, int], ...], float], ...] = (
    (((1, 8), (1, 11)), 3.0),  # neck to hips
    (((8, 9), (11, 12)), 2.0),  # thighs
    (((9, 10), (12, 13)), 2.0),  # shins
    (((_CHIN, _NOSE_BRIDGE),), 2.0),
    (((2, 5),), 1.5),  # shoulders
    (((0, 1),), 1.0),  # nose to neck
    (((2, 3), (5, 6)), 1.0),  # upper arms
    (((3, 4), (6, 7)), 1.0),  # forearms
    (((8, 11),), 0.5),  # hips
    (((14, 15),), 0.25),  # eyes
    (((16, 17),), 0.25),  # ears
)
"""Points that a bone joins, left and right ones together, and its weight: what goes across a body has less than what
goes along it, since who turns is narrower, and seldom shorter."""
_LEAST_WEIGHT = 1.0
"""Eyes and ears alone tell no size."""
_ANCHORS = (8, 11), (1,), (0,)
"""What tells where a person is: the hips, the neck or the nose."""
_NECK, _HIPS, _ANKLES = (1,), (8, 11), (10, 13)
_SURE = 0.3
"""Confidence from which a point is measured by."""
_SEEN_IN = 0.1
"""What is there in a smaller share of the frames does not count."""


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
    median is taken, weighted by how much a bone tells and in how many frames it is seen. A limb that points at the
    camera or a seated person's thighs do not change it. The place is that of the hips, neck or nose, whichever is seen
    most, the median over the frames; where both people are upright and their ankles are seen, they stand on the same
    ground.

    Args:
        driving: the poses of the video.
        reference: the pose of the picture, in the same plane.

    Returns:
        The alignment, and how far it moves the person, px (the place, not the size). None where too little is seen of
        one of the two to compare them.
    """
    theirs = np.concatenate([driving.body, driving.face], axis=1).astype(np.float64)
    ours = np.concatenate([reference.body, reference.face])[None].astype(np.float64)
    scale = _scale(theirs, ours)
    anchors = [points for points in _ANCHORS if _place(ours, points) is not None]
    anchor = max(anchors, key=lambda points: _share_seen(theirs, points), default=_NECK)
    start, end = _place(theirs, anchor), _place(ours, anchor)
    if scale is None or start is None or end is None:
        return None
    grounds = _ground(theirs), _ground(ours)
    if grounds[0] is not None and grounds[1] is not None:
        start[1], end[1] = grounds
    shift_x_px, shift_y_px = (end - scale * start).tolist()
    return Alignment(scale, shift_x_px, shift_y_px), float(np.hypot(*(end - start)))


def _scale(driving: np.ndarray, reference: np.ndarray) -> float | None:
    """Size of the reference by that of the driving, from points (f 88 3)."""
    ratios, weights, told = [], [], 0.0
    for bones, weight in _BONES:
        ours, theirs = _length_px(reference, bones), _length_px(driving, bones)
        if ours and theirs:
            ratios.append(ours / theirs)
            weights.append(weight * max(_share_seen(driving, bone) for bone in bones))
            told += weight
    if told < _LEAST_WEIGHT:
        return None
    order = np.argsort(ratios)
    middles = np.cumsum(np.array(weights)[order]) - np.array(weights)[order] / 2
    # between neighbours by their logarithms, so that twice and half as large are equally far from 1
    return float(np.exp(np.interp(sum(weights) / 2, middles, np.log(np.array(ratios)[order]))))


def _length_px(points: np.ndarray, bones: tuple[tuple[int, int], ...]) -> float | None:
    """Median length over the frames, of the longer where there are two; None where it is seldom seen."""
    lengths = []
    for bone in bones:
        if _share_seen(points, bone) >= _SEEN_IN:
            start, end = _seen(points, bone).swapaxes(0, 1)
            lengths.append(float(np.median(np.hypot(*(start - end).T))))
    return max(lengths, default=None)


def _place(points: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray | None:
    """Median x and y over the frames, of the mean where several are chosen; None where they are seldom seen."""
    if _share_seen(points, chosen) < _SEEN_IN:
        return None
    return np.median(_seen(points, chosen).mean(axis=1), axis=0)


def _ground(points: np.ndarray) -> float | None:
    """Median y of the lower ankle, of somebody upright; None of others, and where it is seldom seen."""
    neck, hips, ankles = (_place(points, chosen) for chosen in (_NECK, _HIPS, _ANKLES))
    if neck is None or hips is None or ankles is None:
        return None
    if not 0 < hips[1] - neck[1] < 2 * (ankles[1] - hips[1]):
        return None
    return float(np.median(_seen(points, _ANKLES)[..., 1].max(axis=1)))


def _seen(points: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    """x and y of the chosen points in the frames in which all of them are seen, (frames chosen 2)."""
    return points[_shows(points, chosen)][:, chosen, :2]


def _share_seen(points: np.ndarray, chosen: tuple[int, ...]) -> float:
    return float(_shows(points, chosen).mean()) if len(points) else 0.0


def _shows(points: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    """In which frames all of these points are seen."""
    return (points[:, chosen, 2] >= _SURE).all(axis=1)
