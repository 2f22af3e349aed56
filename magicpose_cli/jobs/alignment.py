"""Whether the driving's poses are brought to the size and place of the reference's person, and what is said of it."""

from __future__ import annotations

from .. import console
from ..media.pictures import Placement
from ..pose.align import Alignment, find_alignment
from ..pose.sequence import FramePose, PoseSequence

_SAME_SIZE = 1.2
"""Up to this ratio sizes are the same. A frame of a real video against the whole of it: within 1.05 where the camera
stands still, 1.13 where it moves (nine of ten frames, eight videos)."""
_SAME_PLACE = 0.15
"""Up to this share of the picture's shorter side places are the same: people move about."""


def align(
    driving: PoseSequence, reference: FramePose, driving_place: Placement, reference_place: Placement
) -> tuple[PoseSequence, Alignment] | None:
    """Bring the driving's poses to the reference's person, where the two differ in size or place.

    Args:
        driving: the poses of the video, in its px.
        reference: the pose of the picture, in its px.
        driving_place: how the video's pictures come to the model's size.
        reference_place: how the picture does.

    Returns:
        The poses in px of the reference's picture, and how they differ from the driving's laid over it; None where
        they stay as they are, which is said if it is for want of something to compare.
    """
    if not reference.found("body"):
        return None  # said already
    laid_over = _over(driving_place, reference_place)
    size_px = reference_place.source_width_px, reference_place.source_height_px
    poses = laid_over.apply(driving, *size_px)
    found = find_alignment(poses, reference)
    if found is None:
        console.warn(
            "too little is seen of the driving's or the reference's person to compare their sizes; the poses stay "
            "as they are."
        )
        return None
    alignment, moved_px = found
    is_as_large = max(alignment.scale, 1 / alignment.scale) <= _SAME_SIZE
    if is_as_large and moved_px <= _SAME_PLACE * min(size_px):
        return None
    differs = "stands elsewhere than" if is_as_large else f"is {1 / alignment.scale:.2g} times as large as"
    console.say(
        f"The driving's person {differs} the reference's: its poses are brought to that size and place "
        "(--no-align leaves them)."
    )
    return alignment.apply(poses, *size_px), alignment


def _over(driving: Placement, reference: Placement) -> Alignment:
    """From px of the driving to those of the reference's picture that come to the same place in the model's."""
    (left, top), (right, _) = driving.maps_point(0, 0), driving.maps_point(driving.source_width_px, 0)
    (to_left, to_top), (to_right, _) = (
        reference.maps_point(0, 0),
        reference.maps_point(reference.source_width_px, 0),
    )
    ours, theirs = (
        (right - left) / driving.source_width_px,
        (to_right - to_left) / reference.source_width_px,
    )
    return Alignment(ours / theirs, (left - to_left) / theirs, (top - to_top) / theirs)
