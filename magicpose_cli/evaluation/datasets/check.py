"""What can be wrong with a clip: a frame that is missing, of another size, or no picture; each names the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ...errors import InputError
from ..reconstruction import SMALLEST_SIDE_PX
from .clip import Size, TestClip
from .pictures import Pictures


def check_numbers(names: Sequence[str], where: Path | str) -> None:
    """See that no frame number is left out between names such as ``dance_0001.png``.

    The last number in a name is the frame's. Names without one, or of several videos, have no order to check.

    Args:
        names: of one clip's pictures, in order.
        where: their folder, for the message.

    Raises:
        InputError: a number is missing (the step is the smallest between neighbours; 1 of two frames), or comes twice.
    """
    found = [re.fullmatch(r"(.*?)(\d+)\D*", Path(name).stem) for name in names]
    parts = [(match[1], match[2]) for match in found if match]
    if len(parts) != len(names) or len({prefix for prefix, _ in parts}) > 1 or len(names) < 2:
        return
    numbers = [int(digits) for _, digits in parts]
    steps = [after - before for before, after in pairwise(numbers)]
    for i, step in enumerate(steps):
        if step <= 0:
            raise InputError(
                expected=f"rising frame numbers in {where}",
                found=f"{names[i + 1]} after {names[i]}",
                remedy="Take one out.",
            )
    usual = min(steps) if len(steps) > 1 else 1  # a dataset may hold every second frame
    for i, step in enumerate(steps):
        if step != usual:
            missing = f"{numbers[i] + usual:0{len(parts[i][1])}d}"
            raise InputError(
                expected=f"frame {missing} after {names[i]} in {where}",
                found=f"{names[i + 1]} next",
                remedy="Put the missing frame there.",
            )


def check_pictures(pictures: Pictures, numbers: Sequence[int]) -> Size:
    """Read pictures once, to see that they are whole and of one size, which is given back.

    Raises:
        InputError: one that cannot be read, or of another size than the first; names it.
    """
    size: Size | None = None
    for number, picture in zip(numbers, pictures.read(numbers), strict=True):
        own = picture.shape[1], picture.shape[0]
        if size is not None and own != size:
            raise InputError(
                expected=f"one size, {size[0]}x{size[1]}, as {pictures.name_of(numbers[0])}",
                found=f"{own[0]}x{own[1]} in {pictures.name_of(number)}",
                remedy="Resize it.",
            )
        size = own
    assert size is not None, "a clip has frames"
    return size


def check_clip(clip: TestClip) -> Size:
    """Read all of a clip that will be used; gives the frames' size. Errors as in `check_pictures`, or too small."""
    size = check_pictures(clip.frames, clip.used)
    if min(size) < SMALLEST_SIDE_PX:
        raise InputError(
            expected=f"frames of at least {SMALLEST_SIDE_PX} px on each side, for SSIM",
            found=f"{size[0]}x{size[1]} in {clip.frames.name_of(0)}",
            remedy="Give larger ones.",
        )
    for pictures in (clip.maps, clip.masks):
        if pictures is not None:
            check_pictures(pictures, clip.targets)
    return size
