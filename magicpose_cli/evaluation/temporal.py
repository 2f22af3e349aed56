"""Whether what should stand still does: change from frame to frame in the background."""

from __future__ import annotations

import numpy as np

from ..pose.opencv import load_cv2

MARGIN_PX = 8
"""Background is this far and farther from any pixel of the person: nearer, edges and shadows move by right."""


def background(person: np.ndarray) -> np.ndarray:
    """Where a frame's background is: bool ``(H W)``, from where its person is, bool ``(H W)``."""
    if not person.any():
        return np.ones(person.shape, bool)
    distance_px = load_cv2().distanceTransform((~person).astype(np.uint8), 2, 5)  # Euclidean, 5x5
    return distance_px >= MARGIN_PX


def flicker(before: np.ndarray, after: np.ndarray, still: np.ndarray) -> float | None:
    """Mean absolute change between two frames, uint8 ``(H W 3)``, where `still` is true; 0..255, lower is better.

    None where nothing is.
    """
    if not still.any():
        return None
    return float(np.abs(after[still].astype(np.int16) - before[still]).mean(dtype=np.float64))
