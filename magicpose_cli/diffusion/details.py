"""Details that a model blurs, taken from the reference wherever that agrees with what the model made.

    for each reference: as it is, and moved along the optical flow from the frame to it
    for each pixel:     the one of these that is nearest the frame, once fine details are smoothed out of both
    where that is near: its pixel in place of the frame's

A background that stays gets its own pixels back, cloth and faces those of where they were. What the model made
otherwise than the reference, an open mouth or an arm before the wall, differs from it and is left.

Not in the paper. The flow is OpenCV's DIS (Kroeger et al., ECCV 2016), which needs no weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pose.opencv import load_cv2

_SIDE_PX = 256
"""Picture side for which the distances below are meant; others scale with it."""
_SMOOTHED_PX, _AROUND_PX, _EDGE_PX = 1.5, 2.0, 1.0
"""Deviations of the Gaussians: over details, over a pixel's surroundings by which candidates are chosen, over edges."""
_NEAR, _FAR = 8.0, 12.0
"""Grey levels apart up to which a pixel is taken whole, and from which on not at all."""
_MOVED = 0.4
"""Grey levels by which what has moved must be nearer than what has stayed."""
_SMALLEST_FLOW_PX = 16
"""OpenCV's flow crashes on less: smaller pictures are taken as they stand."""


class ReferenceDetails:
    """Puts the references' details into frames.

    Args:
        references: uint8 ``(r H W 3)``, as the model sees them.
    """

    def __init__(self, references: np.ndarray) -> None:
        self._cv2: Any = load_cv2()
        self._height, self._width = references.shape[1:3]
        self._scale = min(self._height, self._width) / _SIDE_PX
        self._stay = [(reference, self._smooth(reference, _SMOOTHED_PX)) for reference in references]
        self._grey = [self._cv2.cvtColor(reference, self._cv2.COLOR_RGB2GRAY) for reference in references]
        self._flow = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        y, x = np.mgrid[: self._height, : self._width].astype(np.float32)
        self._places = np.stack([x, y], axis=-1)

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """A frame, uint8 ``(H W 3)``, with the references' details."""
        smooth = self._smooth(frame, _SMOOTHED_PX)
        source, distance = frame, np.full(frame.shape[:2], np.inf, np.float32)
        cost = distance
        for candidate, smooth_candidate, extra in self._candidates(frame):
            apart = np.abs(smooth_candidate - smooth).max(-1)
            own_cost = self._smooth(apart, _AROUND_PX) + extra
            nearer = own_cost < cost
            cost = np.where(nearer, own_cost, cost)
            distance = np.where(nearer, np.maximum(apart, own_cost), distance)
            source = np.where(nearer[..., None], candidate, source)
        taken = np.clip((_FAR - distance) / (_FAR - _NEAR), 0, 1)
        taken = self._smooth(taken, _EDGE_PX)[..., None]
        return (frame + (source.astype(np.float32) - frame) * taken).round().clip(0, 255).astype(np.uint8)

    def _candidates(self, frame: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
        """Pictures of the references, the same smoothed, and by how much each must be nearer."""
        found = [(reference, smooth, 0.0) for reference, smooth in self._stay]
        if min(self._height, self._width) < _SMALLEST_FLOW_PX:
            return found
        grey = self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2GRAY)
        for (reference, _), other in zip(self._stay, self._grey, strict=True):
            places = self._places + self._flow.calc(grey, other, None)
            moved = self._cv2.remap(
                reference, places, None, self._cv2.INTER_CUBIC, borderMode=self._cv2.BORDER_REPLICATE
            )
            found.append((moved, self._smooth(moved, _SMOOTHED_PX), _MOVED))
        return found

    def _smooth(self, picture: np.ndarray, deviation_px: float) -> np.ndarray:
        return self._cv2.GaussianBlur(picture.astype(np.float32), (0, 0), deviation_px * self._scale)
