"""Clips of 16 frames, as FID-VID and FVD take them from a video, and the form in which their networks want them.

Each frame that has the next 15 starts a clip (stride 1, no frame left out in between); a missing frame number
breaks all clips over it. The clips of all videos of a side make one distribution. So DisCo has computed the
published numbers since September 2023.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError

CLIP_FRAMES = 16
RESNET_SIZE_PX, I3D_SIZE_PX = 112, 224
RESNET_MEAN = np.array([114.7748, 107.7354, 99.4750], np.float32)
"""RGB means of the videos that the ResNet was trained on (0..255); its inputs are not divided by a deviation."""

Numbered = Iterable[tuple[int, np.ndarray]]
"""(frame number, frame uint8 ``(H W 3)``) of one video, numbers rising."""


def frames_by_video(paths: Iterable[Path]) -> dict[str, list[tuple[int, Path]]]:
    """Sort pictures into videos by their names.

    The last number of a name is the frame's, all before it names the video: ``a/TiktokDance_00337_0010png.png``
    is frame 10 of ``a/TiktokDance_00337_``. DisCo's four kinds of names are such names.

    Returns:
        (frame number, path) by video, both in rising order.

    Raises:
        InputError: a name without a number, or two pictures of one number.
    """
    videos: dict[str, dict[int, Path]] = {}
    for path in paths:
        found = re.fullmatch(r"(.*?)(\d+)\D*", path.stem)
        if found is None:
            raise InputError(
                expected="pictures that are called after their video and frame, such as dance_0001.png",
                found=path.name,
                remedy="Rename it, or take it out.",
            )
        video, number = str(path.parent / found[1]), int(found[2])
        there = videos.setdefault(video, {}).setdefault(number, path)
        if there != path:
            raise InputError(
                expected=f"one picture of frame {number}",
                found=f"{there.name} and {path.name}",
                remedy="Take one out.",
            )
    return {video: sorted(videos[video].items()) for video in sorted(videos)}


def clips(frames: Numbered, prepare: Callable[[np.ndarray], np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a video into clips, with each frame prepared once and no more than 16 of them held.

    Args:
        frames: of one video.
        prepare: a frame to float32 ``(3 h w)``, such as `for_resnet`.

    Yields:
        The number of a clip's first frame, and the clip, float32 ``(3 16 h w)``.
    """
    held: deque[np.ndarray] = deque(maxlen=CLIP_FRAMES)
    before = None
    for number, frame in frames:
        if before is not None and number != before + 1:
            held.clear()
        held.append(prepare(frame))
        before = number
        if len(held) == CLIP_FRAMES:
            yield number - CLIP_FRAMES + 1, np.stack(held, axis=1)


def for_resnet(frame: np.ndarray) -> np.ndarray:
    """A frame as the 3D-ResNet of FID-VID wants it: 112x112, the mean taken off, float32 ``(3 112 112)``."""
    return _channels_first(resized_bicubic(frame, RESNET_SIZE_PX) - RESNET_MEAN)


def for_i3d(frame: np.ndarray) -> np.ndarray:
    """A frame as the I3D of FVD wants it: 224x224, about -1..1, float32 ``(3 224 224)``."""
    return _channels_first(resized_bicubic(frame, I3D_SIZE_PX) / np.float32(127.5) - np.float32(1))


def resized_bicubic(frame: np.ndarray, size_px: int) -> np.ndarray:
    """uint8 ``(H W 3)`` as a square, whatever its aspect: PIL's antialiased bicubic filter on floats.

    Returns:
        float32 ``(size size 3)``, 0..255 and a little beyond: neither rounded nor clipped.
    """
    channels = [
        Image.fromarray(frame[..., i].astype(np.float32)).resize((size_px, size_px), Image.Resampling.BICUBIC)
        for i in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _channels_first(frame: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(frame.transpose(2, 0, 1))


def batches(frames: Iterable[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
    """Frames ``(H W 3)`` by so many at a time, ``(b H W 3)``; only neighbours of one size are together."""
    batch: list[np.ndarray] = []
    for frame in frames:
        if batch and (len(batch) == batch_size or frame.shape != batch[0].shape):
            yield np.stack(batch)
            batch = []
        batch.append(frame)
    if batch:
        yield np.stack(batch)
