"""Optical flow: OpenCV's DIS (Kroeger et al., ECCV 2016), which needs no weights."""

from __future__ import annotations

import numpy as np

from ..pose.opencv import load_cv2

_SMALLEST_SIDE_PX = 16
"""DIS crashes on less: smaller pictures are continued beyond their edges."""


def optical_flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far each pixel of a picture moves to the next, x and y in px.

    Args:
        before, after: uint8 ``(H W 3)``, of any size.

    Returns:
        float32 ``(H W 2)``; the same for any number of threads.
    """
    cv2 = load_cv2()
    height, width = before.shape[:2]
    below, beside = max(_SMALLEST_SIDE_PX - height, 0), max(_SMALLEST_SIDE_PX - width, 0)
    grey = [
        cv2.copyMakeBorder(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 0, below, 0, beside, cv2.BORDER_REPLICATE)
        for frame in (before, after)
    ]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return dis.calc(*grey, None)[:height, :width]
