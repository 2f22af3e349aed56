"""Whether the person moves as the truth does: joints and expression, by what a detector finds in both.

truth frame  ──detector──> pose ─┐
                                 ├─> joints that agree, and how open mouth and eyes and how high the brows are
result frame ──detector──> pose ─┘
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..pose.sequence import FramePose

JOINT_TOLERANCE = 0.05
"""Of the person's height: as far as a point may be from the truth's."""
POSE_PARTS = {"body": ("body",), "hands": ("left_hand", "right_hand"), "face": ("face",)}
"""What `pose_accuracy` and its two companions are about: arrays of a `FramePose`."""
SMALLEST_FACE_PX = 40
"""Faces below this height tell nothing of an expression: a mouth has two or three pixels then."""

PARTS = ("mouth", "eyes", "brows")
"""What opens and closes, or rises and sinks, in a face."""

LEAST_FRAMES = 8
"""A correlation over fewer frames tells nothing."""
_NOTHING = 1e-9  # deviation of what stands still: rounding

_CHIN, _BRIDGE = 8, 27
_UPPER_LIP, _LOWER_LIP = 62, 66  # inner edges, in the middle
_EYES = (
    (36, 39, ((37, 41), (38, 40))),
    (42, 45, ((43, 47), (44, 46))),
)  # corners, and pairs of upper and lower lid
_BROWS = (range(17, 22), range(22, 27))
_MEASURED = [_CHIN, _BRIDGE, _UPPER_LIP, _LOWER_LIP, *range(36, 48), *range(17, 27)]


def person_height_px(poses: list[FramePose]) -> float | None:
    """A person's height: the median over frames of the vertical extent of the body joints that were found.

    None where no frame has two joints.
    """
    extents = []
    for pose in poses:
        found = pose.body[pose.body[:, 2] > 0]
        if len(found) > 1:
            extents.append(float(np.ptp(found[:, 1])))
    return float(np.median(extents)) if extents else None


def points_that_agree(
    result: FramePose, truth: FramePose, height_px: float, part: str = "body"
) -> tuple[int, int]:
    """How many of the truth's points the result has within `JOINT_TOLERANCE` of the height, and how many there are.

    Args:
        result, truth: what one detector found in either.
        height_px: the person's.
        part: of `POSE_PARTS`. A hand or a face that the result lacks has no point that agrees.
    """
    ours, theirs = (
        np.concatenate([getattr(pose, name) for name in POSE_PARTS[part]]) for pose in (result, truth)
    )
    found = theirs[:, 2] > 0
    distance_px = np.linalg.norm(ours[:, :2] - theirs[:, :2], axis=1)
    agree = found & (ours[:, 2] > 0) & (distance_px <= JOINT_TOLERANCE * height_px)
    return int(agree.sum()), int(found.sum())


def points_of_clip(result: list[FramePose], truth: list[FramePose]) -> dict[str, list[tuple[int, int]]]:
    """`points_that_agree` of each frame by part, by the person's height in the truth; none where that shows nobody."""
    height_px = person_height_px(truth)
    poses = [] if height_px is None else list(zip(result, truth, strict=True))
    return {
        part: [points_that_agree(ours, theirs, height_px or 0.0, part) for ours, theirs in poses]
        for part in POSE_PARTS
    }


def share_that_agrees(points_by_clip: Iterable[Sequence[tuple[int, int]]]) -> float | None:
    """Share of all points of the truth that agree, 0..1; None where it has none."""
    counts = [np.reshape(np.asarray(frames), (-1, 2)).sum(0) for frames in points_by_clip]
    agree, found = np.sum(counts, axis=0) if counts else (0, 0)
    return float(agree / found) if found else None


def face_height_px(pose: FramePose) -> float:
    """Vertical extent of the face points; 0 without a face."""
    return float(np.ptp(pose.face[:, 1])) if pose.found("face") else 0.0


def openings(pose: FramePose) -> dict[str, float] | None:
    """How open a face is: ``mouth``, ``eyes``, and ``brows`` (their height over the eyes), by the face's own measures.

    Mouth and brows are parts of the distance from the bridge of the nose to the chin, eyes of their width.
    None without a face, or where part of it lies outside the picture.
    """
    if not (pose.face[_MEASURED, 2] > 0).all():
        return None
    points = pose.face[:, :2].astype(np.float64)

    def apart(a: int, b: int) -> float:
        return float(np.linalg.norm(points[a] - points[b]))

    face = max(apart(_BRIDGE, _CHIN), 1e-6)
    eyes = [
        sum(apart(*pair) for pair in lids) / 2 / max(apart(left, right), 1e-6) for left, right, lids in _EYES
    ]
    brows = [
        np.linalg.norm(points[list(brow)].mean(0) - (points[left] + points[right]) / 2) / face
        for brow, (left, right, _) in zip(_BROWS, _EYES, strict=True)
    ]
    return {
        "mouth": apart(_UPPER_LIP, _LOWER_LIP) / face,
        "eyes": float(np.mean(eyes)),
        "brows": float(np.mean(brows)),
    }


Openings = dict[str, list[list[float] | None]]
"""[result, truth] of each part of `PARTS`, a frame; None where one has no face, or the true one is too small."""


def openings_of_clip(result: list[FramePose], truth: list[FramePose]) -> Openings:
    """How open the faces of a clip's frames are in both."""
    pairs: Openings = {part: [] for part in PARTS}
    for our_pose, their_pose in zip(result, truth, strict=True):
        ours, theirs = openings(our_pose), openings(their_pose)
        is_large = face_height_px(their_pose) >= SMALLEST_FACE_PX
        for part in PARTS:
            pairs[part].append([ours[part], theirs[part]] if ours and theirs and is_large else None)
    return pairs


def expression(openings_by_clip: Sequence[Openings]) -> float | None:
    """Mean of the three parts' `correlation_within`, -1..1, higher is better; None unless each has one.

    Args:
        openings_by_clip: from `openings_of_clip`, one a clip.
    """
    parts = [correlation_within([of[part] for of in openings_by_clip]) for part in PARTS]
    there = [part for part in parts if part is not None]
    return float(np.mean(there)) if len(there) == len(PARTS) else None


def correlation_within(pairs_by_clip: Sequence[Sequence[Sequence[float] | None]]) -> float | None:
    """Pearson's correlation of result and truth over the frames of all clips, each clip about its own means.

    So a face that is always a little open, as its reference is, earns nothing. None where nothing varies, and for
    fewer than `LEAST_FRAMES`.
    """
    ours, theirs = [], []
    for of_frames in pairs_by_clip:
        pairs = [pair for pair in of_frames if pair is not None]
        if pairs:
            values = np.array(pairs, np.float64)
            ours.append(values[:, 0] - values[:, 0].mean())
            theirs.append(values[:, 1] - values[:, 1].mean())
    if sum(map(len, ours)) < LEAST_FRAMES:
        return None
    a, b = np.concatenate(ours), np.concatenate(theirs)
    if min(a.std(), b.std()) < _NOTHING:
        return None
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
