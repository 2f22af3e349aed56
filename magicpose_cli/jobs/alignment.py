"""Whether the driving's poses are brought to the size and place of the reference's person, and what is said of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from .. import console
from ..media.pictures import Placement
from ..pose.align import Alignment, find_alignment
from ..pose.sequence import MOST_ASPECT, MOST_SIDE_PX, FramePose, PoseSequence
from .fit import joints_kept

_SAME_SIZE = 1.2
"""Up to this ratio sizes are the same. A frame of a real video against the whole of it: within 1.09 where the camera
stands still, 1.13 where it moves (nine of ten frames, eight videos)."""
_SAME_PLACE = 0.15
"""Up to this share of the picture's shorter side places are the same: people move about."""
_MOST_SCALE = 50
"""A face that fills the driving's picture is 22 times that of somebody seen whole; beyond this, poses are broken."""


@dataclass(frozen=True)
class Aligned:
    """What came of bringing the driving's poses to the reference's person.

    Attributes:
        outcome: ``aligned``, or why the poses stay as they are.
        alignment: how the person of the reference differs from the driving's, laid over its picture as both come to the
            model; px of the reference's picture. None where they could not be compared.
        poses: the poses in px of the reference's picture; None where they stay as they are.
        outside: frames in which nothing of the driving's person is in the reference's picture then.
    """

    outcome: str
    alignment: Alignment | None = None
    poses: PoseSequence | None = None
    outside: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For a report."""
        measured = dict.fromkeys(field.name for field in fields(Alignment))
        if self.alignment is not None:
            measured |= asdict(self.alignment)
        return {"outcome": self.outcome, **measured, "outside_frames": self.outside}


def align(
    driving: PoseSequence, reference: FramePose, driving_place: Placement, reference_place: Placement
) -> Aligned:
    """Bring the driving's poses to the reference's person, where the two differ in size or place; says what it did.

    Args:
        driving: the poses of the video, in its px.
        reference: the pose of the picture, in its px.
        driving_place: how the video's pictures come to the model's size.
        reference_place: how the picture does.
    """
    if not reference.found("body"):
        return Aligned("nobody was found in the reference")  # said already
    size_px = reference_place.source_width_px, reference_place.source_height_px
    if max(size_px) > min(MOST_SIDE_PX, MOST_ASPECT * min(size_px)):
        return _left_alone(f"a reference of {size_px[0]}x{size_px[1]} px is too large to bring poses to")
    poses = _over(driving_place, reference_place).apply(driving, *size_px)
    found = find_alignment(poses, reference)
    if found is None:
        return _left_alone(
            "too little is seen of the driving's or the reference's person to compare their sizes"
        )
    alignment, moved_px = found
    ratio = max(alignment.scale, 1 / alignment.scale)
    if ratio > _MOST_SCALE:
        return _left_alone(f"the two persons' sizes differ by more than {_MOST_SCALE} times")
    if ratio <= _SAME_SIZE and moved_px <= _SAME_PLACE * min(size_px):
        return Aligned("alike", alignment)
    differs = (
        "stands elsewhere than" if ratio <= _SAME_SIZE else f"is {1 / alignment.scale:.2g} times as large as"
    )
    console.say(
        f"The driving's person {differs} the reference's: its poses are brought to that size and place "
        "(--no-align leaves them)."
    )
    aligned = alignment.apply(poses, *size_px)
    return Aligned("aligned", alignment, aligned, _say_who_leaves(aligned, reference_place))


def _left_alone(why: str) -> Aligned:
    console.warn(f"{why}; the poses stay as they are.")
    return Aligned(why)


def _say_who_leaves(poses: PoseSequence, place: Placement) -> int:
    """Warn where the person leaves the reference's picture altogether; gives the number of such frames."""
    outside = sum(pose.found("body") and not joints_kept(pose, place).any() for pose in poses)
    if outside:
        console.warn(
            f"brought to the reference's size and place, the driving's person is outside of its picture in {outside} "
            f"of {len(poses)} frames; --no-align leaves the poses as they are."
        )
    return outside


def _over(driving: Placement, reference: Placement) -> Alignment:
    """From px of the driving to those of the reference's picture that come to the same place in the model's."""
    (left, top), (right, _) = driving.maps_point(0, 0), driving.maps_point(driving.source_width_px, 0)
    to_left, to_top = reference.maps_point(0, 0)
    to_right, _ = reference.maps_point(reference.source_width_px, 0)
    ours = (right - left) / driving.source_width_px
    theirs = (to_right - to_left) / reference.source_width_px
    return Alignment(ours / theirs, (left - to_left) / theirs, (top - to_top) / theirs)
