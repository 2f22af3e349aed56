"""A few frames of the example video's rendered dancer, small enough to be quick and large enough to be found."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from magicpose_cli.media.pictures import resize_picture
from magicpose_cli.media.video import FrameReader

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
SIDE_PX = 192


@cache
def dancer(count: int) -> np.ndarray:
    """uint8 ``(f 192 192 3)``, read only: frames 0, 2, 4 ... of the example's middle square."""
    frames = []
    for number, frame in enumerate(FrameReader(EXAMPLES / "driving.mp4", max_frames=2 * count)):
        if number % 2 == 0:
            height_px, width_px = frame.shape[:2]
            side_px = min(height_px, width_px)
            top, left = (height_px - side_px) // 2, (width_px - side_px) // 2
            square = frame[top : top + side_px, left : left + side_px]
            frames.append(resize_picture(square, SIDE_PX, SIDE_PX))
    made = np.stack(frames)
    made.setflags(write=False)
    return made


def noisy(frames: np.ndarray, levels: float) -> np.ndarray:
    """With Gaussian noise of so many levels, another in each frame."""
    noise = np.random.default_rng(1).normal(0, levels, frames.shape)
    return np.clip(np.round(frames + noise), 0, 255).astype(np.uint8)
