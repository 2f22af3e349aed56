"""How reference and driving come to the model's size, and what is lost on the way."""

from __future__ import annotations

import math

import numpy as np

from .. import console
from ..errors import OptionError
from ..media.pictures import Placement
from ..pose.sequence import FramePose
from ..sampling import SamplingBlock

_LEGS = 9, 10, 12, 13  # knees and ankles
_SMALLEST_PX, _LARGEST_PX = 64, 2048


def read_size(text: str, expected: str = "a size like 512x768") -> tuple[int, int]:
    """Width and height in px from ``WxH``.

    Args:
        text: as it was given.
        expected: what may be given.

    Raises:
        OptionError: something else.
    """
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise OptionError(expected=expected, found=repr(text), remedy="Give width x height.")
    return int(parts[0]), int(parts[1])


def choose_size(
    wanted: str, reference_px: tuple[int, int], sampling: SamplingBlock, multiple_px: int
) -> tuple[int, int]:
    """Width and height to work at.

    Args:
        wanted: ``WxH``, or ``auto``: the model's area in the reference's aspect, or the model's square.
        reference_px: (width, height) of the reference.
        sampling: the model's defaults.
        multiple_px: what both sides must be multiples of.

    Raises:
        OptionError: not a size, or one that the model cannot make.
    """
    if wanted == "auto":
        if sampling.aspect == "square":
            return sampling.width_px, sampling.height_px
        area = sampling.width_px * sampling.height_px
        aspect = min(max(reference_px[0] / reference_px[1], 1 / 3), 3)
        width, height = math.sqrt(area * aspect), math.sqrt(area / aspect)
        return tuple(max(multiple_px, round(side / multiple_px) * multiple_px) for side in (width, height))  # type: ignore[return-value]
    width_px, height_px = read_size(wanted, "a size like 512x768, or auto")
    if (
        width_px % multiple_px
        or height_px % multiple_px
        or not (min(width_px, height_px) >= _SMALLEST_PX and max(width_px, height_px) <= _LARGEST_PX)
    ):
        near = [
            min(max(round(s / multiple_px) * multiple_px, _SMALLEST_PX), _LARGEST_PX)
            for s in (width_px, height_px)
        ]
        raise OptionError(
            expected=f"sides that are multiples of {multiple_px} px, {_SMALLEST_PX} to {_LARGEST_PX}",
            found=wanted,
            remedy=f"Use --size {near[0]}x{near[1]}.",
        )
    return width_px, height_px


def place(source_px: tuple[int, int], size_px: tuple[int, int], fit: str) -> Placement:
    """The placement of a picture of one size at the model's.

    Raises:
        OptionError: not a known fit.
    """
    if fit not in ("crop", "pad"):
        raise OptionError(expected="a fit of crop or pad", found=repr(fit), remedy="Use --fit crop or pad.")
    return Placement.crop(*source_px, *size_px) if fit == "crop" else Placement.pad(*source_px, *size_px)


def edge_colour(picture: np.ndarray) -> tuple[int, int, int]:
    """The median RGB of a picture's edge: pad bars in it look like more of the background."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    red, green, blue = np.median(edge, axis=0).astype(int).tolist()
    return red, green, blue


def joints_kept(pose: FramePose, placement: Placement) -> np.ndarray:
    """Which of the 18 body joints are found and lie in what a placement keeps of its picture."""
    left, top, right, bottom = placement.crop_box()
    x, y, confidence = pose.body.T
    return (confidence > 0) & (x >= left) & (x < right) & (y >= top) & (y < bottom)


def joints_cut(pose: FramePose, placement: Placement) -> int:
    """How many found body joints a crop leaves outside."""
    return int((pose.body[:, 2] > 0).sum() - joints_kept(pose, placement).sum())


def say_what_is_cut(poses: list[FramePose], placement: Placement, what: str) -> int:
    """Warn of a crop that cuts the person; gives the number of frames in which it does."""
    cut = sum(joints_cut(pose, placement) > 0 for pose in poses) if placement.fit == "crop" else 0
    if cut:
        where = "" if len(poses) == 1 else f" in {cut} of {len(poses)} frames"
        console.warn(
            f"the crop to the model's shape cuts the person in the {what}{where}; --fit pad cuts less."
        )
    return cut


def say_what_leaves(poses: list[FramePose], driving: Placement, reference: Placement) -> int:
    """Warn where the driving's person leaves the reference's shape, to which a padded result is cut; gives frames."""
    left, top, right, bottom = reference.inner_box()
    cut = 0
    for pose in poses:
        placed = [driving.maps_point(float(x), float(y)) for x, y, found in pose.body if found > 0]
        cut += any(not (left <= x < right and top <= y < bottom) for x, y in placed)
    if cut:
        console.warn(
            f"the driving's person leaves the shape of the reference, which the result has, in {cut} of {len(poses)} "
            "frames; a reference in the driving's aspect keeps all."
        )
    return cut


def say_what_is_missing(poses: list[FramePose], reference: FramePose, placement: Placement) -> None:
    """Warn where the reference shows legs, and no pose says what they do."""
    shown = joints_kept(reference, placement)[list(_LEGS)]
    if shown.any() and not any((pose.body[list(_LEGS), 2] > 0).any() for pose in poses):
        console.warn(
            "the driving never shows the legs that the reference has: what they do is the model's guess."
        )
