"""Pose maps of a whole video in little memory: a run asks for each once a step, and holds none of them as it is."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from ..media.pictures import Placement
from .draw import pose_map
from .sequence import PoseSequence


class CompressedMaps:
    """Pose maps of a video at the model's size, drawn when asked for and kept compressed.

    Args:
        count: how many.
        draw: makes map number i, uint8 ``(H W 3)``; compressed they take 12 KB at 256 px, 24 at 512.
        last: of those that were drawn, so many of the last are kept; None for all.
    """

    def __init__(self, count: int, draw: Callable[[int], np.ndarray], last: int | None = None) -> None:
        self._draw, self._kept, self._last = draw, [b""] * count, last
        self._order: deque[int] = deque()
        self._shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, poses: PoseSequence, placement: Placement, last: int | None = None) -> CompressedMaps:
        """The maps of a pose sequence, placed for the model; the last `last` drawn, or all, are kept."""
        return cls(len(poses), lambda i: pose_map(poses[i], poses.width_px, poses.height_px, placement), last)

    @classmethod
    def drawn(cls, maps: Iterable[np.ndarray]) -> CompressedMaps:
        """Maps that are there already, uint8 ``(H W 3)``: taken once, front to back."""
        taken = cls(0, lambda _: np.zeros(0, np.uint8))
        for picture in maps:
            taken._kept.append(taken._compressed(picture))
        return taken

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> np.ndarray:
        if not self._kept[index]:
            drawn = self._draw(index)
            self._kept[index] = self._compressed(drawn)
            self._order.append(index)
            if self._last is not None and len(self._order) > self._last:
                self._kept[self._order.popleft()] = b""
            return drawn
        return np.frombuffer(zlib.decompress(self._kept[index]), np.uint8).reshape(self._shape)

    def _compressed(self, picture: np.ndarray) -> bytes:
        self._shape = picture.shape
        return zlib.compress(picture.tobytes(), 1)
