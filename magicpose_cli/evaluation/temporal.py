"""Change from frame to frame: whether what should stand still does, and whether all moves as in the truth."""

from __future__ import annotations

import numpy as np

from ..pose.opencv import load_cv2
from .clips import Numbered, resized_bicubic

MARGIN_PX = 8
"""Background is this far and farther from any pixel of the person: nearer, edges and shadows move by right."""

DTSSD_SIZE_PX = 256


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


def dtssd(generated: Numbered, truth: Numbered) -> list[float]:
    """How differently two videos change, as DisCo's dtSSD: one value a pair of neighbouring frames, lower is better.

    Mean squared difference of the two changes, at 256x256 and without a root, in squared levels of 0..255. A missing
    frame number makes no pair.

    Args:
        generated, truth: (frame number, frame uint8 ``(H W 3)``) of one video each, with the same numbers.

    Raises:
        ValueError: other numbers, or more frames on one side.
    """
    values: list[float] = []
    before: tuple[int, np.ndarray] | None = None
    for (number, ours), (their_number, theirs) in zip(generated, truth, strict=True):
        if number != their_number:
            raise ValueError(f"frame {number} stands beside frame {their_number}")
        apart = difference_256(ours, theirs)
        if before is not None and before[0] + 1 == number:
            values.append(dtssd_of(before[1], apart))
        before = number, apart
    return values


def difference_256(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The difference of two frames, uint8 ``(H W 3)``, at dtSSD's size: float32 ``(256 256 3)``."""
    return resized_bicubic(ours, DTSSD_SIZE_PX) - resized_bicubic(theirs, DTSSD_SIZE_PX)


def dtssd_of(before: np.ndarray, after: np.ndarray) -> float:
    """dtSSD of two neighbours, each as `difference_256`: the difference of changes is the change of the difference."""
    return float(np.mean((after - before) ** 2, dtype=np.float64))
