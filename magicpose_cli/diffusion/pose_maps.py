"""Pose maps of a whole video, drawn or read when asked for, so that no run holds them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class PoseMaps(Protocol):
    """``maps[i]`` is uint8 ``(H W 3)``; a numpy array ``(f H W 3)`` is one, too."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class Stretch:
    """Consecutive maps of a longer video as `PoseMaps`."""

    def __init__(self, maps: PoseMaps, first: int, stop: int) -> None:
        self._maps, self._numbers = maps, range(first, stop)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._maps[self._numbers[index]]


def gather(pose_maps: Tensor | PoseMaps, numbers: Sequence[int]) -> Tensor:
    """Some frames' pose maps as the networks take them: float [0, 1] ``(f 3 H W)``."""
    if isinstance(pose_maps, Tensor):
        return pose_maps[list(numbers)]
    drawn = np.stack([pose_maps[number] for number in numbers])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255
