"""Details that a model blurs, taken from the reference wherever that agrees with what the model made.

    candidates:         the reference as it is, and moved along the optical flow from the frame to it
    for each pixel:     the one that is nearer the frame, once fine details are smoothed out of both
    where that is near: its pixel in place of the frame's

A background that stays gets its own pixels back, cloth and faces those of where they were. What the model made
otherwise than the reference, an open mouth or an arm before the wall, differs from it and is left; what is finer than
the smoothing is the reference's wherever the rest agrees.

Not in the paper.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pose.opencv import load_cv2
from .flow import optical_flow

_SIDE_PX = 256
"""Picture side for which the distances below are meant; others scale with it."""
_SMOOTHED_PX, _AROUND_PX, _EDGE_PX = 1.5, 2.0, 1.0
"""Deviations of the Gaussians: over details, over a pixel's surroundings by which candidates are chosen, over edges."""
_NEAR, _FAR = 8.0, 12.0
"""Grey levels apart up to which a pixel is taken whole, and from which on not at all."""
_MOVED = 0.4
"""Grey levels by which what has moved must be nearer than what has stayed."""


class ReferenceDetails:
    """Puts a reference's details into frames.

    Args:
        reference: uint8 ``(H W 3)``, as the model sees it; of several the first, in whose place the frames are.
    """

    def __init__(self, reference: np.ndarray) -> None:
        self._cv2: Any = load_cv2()
        self._reference = np.ascontiguousarray(reference)
        self._height, self._width = reference.shape[:2]
        self._scale = min(self._height, self._width) / _SIDE_PX
        self._smooth_reference = self._smooth(self._reference, _SMOOTHED_PX)
        y, x = np.mgrid[: self._height, : self._width].astype(np.float32)
        self._places = np.stack([x, y], axis=-1)

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """A frame, uint8 ``(H W 3)``, with the reference's details."""
        frame = np.ascontiguousarray(frame)
        smooth = self._smooth(frame, _SMOOTHED_PX)
        distance, cost = self._distances(self._smooth_reference, smooth)
        moved, is_outside = self._moved(frame)
        moved_distance, moved_cost = self._distances(self._smooth(moved, _SMOOTHED_PX), smooth)
        is_nearer = (moved_cost + _MOVED < cost) & ~is_outside
        distance = np.where(is_nearer, moved_distance, distance)
        source = np.where(is_nearer[..., None], moved, self._reference)
        taken = np.clip((_FAR - distance) / (_FAR - _NEAR), 0, 1)
        taken = self._smooth(taken, _EDGE_PX)[..., None]
        return (frame + (source.astype(np.float32) - frame) * taken).round().astype(np.uint8)

    def _moved(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The reference as the flow brings it to a frame, and where it would come from outside of the picture."""
        places = self._places + optical_flow(frame, self._reference)
        moved = self._cv2.remap(
            self._reference, places, None, self._cv2.INTER_CUBIC, borderMode=self._cv2.BORDER_REPLICATE
        )
        x, y = places[..., 0], places[..., 1]
        return moved, (x < 0) | (x > self._width - 1) | (y < 0) | (y > self._height - 1)

    def _distances(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far apart smoothed pictures are at each pixel or around it, whichever is more; and around it."""
        red, green, blue = self._cv2.split(self._cv2.absdiff(one, other))
        apart = np.maximum(np.maximum(red, green), blue).astype(np.float32)
        around = self._smooth(apart, _AROUND_PX)
        return np.maximum(apart, around), around

    def _smooth(self, picture: np.ndarray, deviation_px: float) -> np.ndarray:
        return self._cv2.GaussianBlur(picture, (0, 0), deviation_px * self._scale)
