"""Pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .pictures import resize_picture

_GAP_PX = 4
_GAP_GREY = 32


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures in one row, left to right.

    All come to the height of the tallest, each in its own aspect; a thin dark gap parts them.

    Args:
        pictures: one or more uint8 (H W 3), of any sizes.

    Returns:
        uint8 (H W 3); pictures of the same sizes always give the same size.
    """
    if not pictures:
        raise ValueError("expected at least one picture")
    height_px = max(picture.shape[0] for picture in pictures)
    gap = np.full((height_px, _GAP_PX, 3), _GAP_GREY, dtype=np.uint8)
    row: list[np.ndarray] = []
    for picture in pictures:
        width_px = max(1, round(picture.shape[1] * height_px / picture.shape[0]))
        row += [gap, resize_picture(picture, width_px, height_px)]
    return np.concatenate(row[1:], axis=1)
