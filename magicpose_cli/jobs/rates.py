"""What this machine computes at best: the rates that floors and forecasts are reckoned with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..device import memory_format, wait_for
from ..diffusion.cost import Flops
from ..diffusion.details import ReferenceDetails


@dataclass(frozen=True)
class Rates:
    """Operations a second in a large convolution and a large product of matrices."""

    convolutions: float
    matrices: float

    def seconds(self, flops: Flops) -> float:
        """The least time for so many operations."""
        return flops.convolutions / self.convolutions + flops.matrices / self.matrices


@torch.no_grad()
def measure_rates(device: torch.device, dtype: torch.dtype) -> Rates:
    """The best of several runs of either, in a second or two."""
    side, channels, pixels = (4096, 640, 64) if device.type == "cuda" else (1536, 320, 32)
    layout = memory_format(device, dtype)
    square = torch.randn(side, side, device=device, dtype=dtype)
    picture = torch.randn(4, channels, pixels, pixels, device=device, dtype=dtype).to(memory_format=layout)
    kernel = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype).to(memory_format=layout)
    of_matrices = _fastest_s(lambda: square @ square, device)
    of_convolutions = _fastest_s(lambda: functional.conv2d(picture, kernel, padding=1), device)
    return Rates(2 * 4 * (channels * 3 * pixels) ** 2 / of_convolutions, 2 * side**3 / of_matrices)


def measure_details(width_px: int, height_px: int) -> float:
    """Seconds a frame that the reference's details take on the CPU, whatever the model computes on."""
    frame, reference = np.random.default_rng(0).integers(0, 256, (2, height_px, width_px, 3), np.uint8)
    finish = ReferenceDetails(reference)
    # twice, since a large one takes most of a second
    return _fastest_s(lambda: finish(frame), torch.device("cpu"), rounds=2)


def _fastest_s(call: Callable[[], Any], device: torch.device, rounds: int = 8) -> float:
    call()
    times = []
    for _ in range(rounds):
        wait_for(device)
        start_s = time.perf_counter()
        call()
        wait_for(device)
        times.append(time.perf_counter() - start_s)
    return min(times)
