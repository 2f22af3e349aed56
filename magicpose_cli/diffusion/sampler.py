"""The denoising loop (paper appendix C): per step, predict each window, average where they overlap, step once.

The average is the paper's plain one, or lets a window fade into the next.
"""

from __future__ import annotations

import copy
import errno
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import IO, Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler
from torch import Tensor

from .. import console
from ..errors import MagicPoseError
from ..sampling import Solver
from .windows import fading

Predict = Callable[[Tensor, int, Sequence[int]], Tensor]
"""(latents of a window ``(f c h w)``, timestep, frame numbers) -> guided prediction ``(f c h w)``."""

Windows = Callable[[int], list[list[int]]]
"""Number of the step (0 first) -> windows of frame numbers."""

LARGE_BYTES = 256 * 2**20
"""Latents beyond this lie in a temporary file: 10,000 frames of 512x512 px are 0.7 GB, and their sums as much again."""
STEPPED_TOGETHER = 64
"""Frames that the solver steps at once: it makes several copies of what it is given."""


SOLVERS: dict[Solver, Any] = {
    "ddim": DDIMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
}


def make_solver(scheduler: DDIMScheduler, solver: Solver) -> Any:
    """A solver over the noise schedule that a model was trained with."""
    return SOLVERS[solver].from_config(scheduler.config)


def frame_noise(
    frames: int, shape: tuple[int, int, int], seed: int, *, shared: bool, first: int = 0
) -> Tensor:
    """Start noise ``(f c h w)``, drawn frame by frame on the CPU.

    A frame's noise depends on the seed and its number alone, not on window, batch or device.

    Args:
        frames: how many.
        shape: ``(c, h, w)``.
        seed: any integer.
        shared: one noise for all frames, as the reference implementation starts; else one for each.
        first: number of the first frame.
    """
    drawn = latents_room((1 if shared else frames, *shape))
    for row in range(len(drawn)):
        number = 0 if shared else first + row
        generator = torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
        drawn[row] = torch.randn(shape, generator=generator)
    return drawn.expand(frames, *shape)


def latents_room(shape: tuple[int, ...]) -> Tensor:
    """Zeros in fp32: in memory, or in a temporary file where they are large, which is said."""
    size = 4 * int(np.prod(shape))
    if size <= LARGE_BYTES:
        return torch.zeros(shape)
    console.say(f"latents of {shape[0]} frames: {size / 2**30:.1f} GB in a file in {tempfile.gettempdir()}.")
    with tempfile.TemporaryFile() as file:  # gone when the last view of it is
        _reserve(file, size)
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape))


def _reserve(file: IO[bytes], size: int) -> None:
    """Take the room now: a place that is found full while a map is written to ends a program without a word."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return  # a file system that cannot reserve
        raise MagicPoseError(
            expected=f"{size / 2**30:.1f} GB free in {tempfile.gettempdir()} for latents",
            found=str(error),
            remedy="Make room, name another folder in $TMPDIR, or render the video in parts (--start, --duration).",
        ) from None


@torch.no_grad()
def denoise(
    latents: Tensor,
    predict: Predict,
    scheduler: Any,
    num_inference_steps: int,
    windows: Windows,
    on_step: Callable[[int], None] | None = None,
    *,
    fade: int = 0,
) -> Tensor:
    """Denoise a video's latents.

    Args:
        latents: start noise ``(f c h w)`` of unit variance.
        predict: the networks, or any function in their place.
        scheduler: a diffusers scheduler; its state is reset by setting the timesteps.
        num_inference_steps: steps from noise to picture.
        windows: which frames go together at each step; each frame must be in at least one.
        on_step: called after each window with the number of frames that this step had not seen before.
        fade: frames at both ends of a window that count less where windows overlap (`windows.fading`).

    Returns:
        Clean latents ``(f c h w)``, in fp32 on the CPU.
    """
    scheduler.set_timesteps(num_inference_steps)
    parts = [slice(i, i + STEPPED_TOGETHER) for i in range(0, len(latents), STEPPED_TOGETHER)]
    solvers = [copy.deepcopy(scheduler) for _ in parts]  # one of higher order remembers its frames' past
    current, total = latents_room(latents.shape), latents_room(latents.shape)
    for part in parts:
        current[part] = latents[part] * scheduler.init_noise_sigma
    for step, timestep in enumerate(scheduler.timesteps.tolist()):
        weight = torch.zeros(len(latents), 1, 1, 1)
        total.zero_()
        for frames in windows(step):
            scaled = scheduler.scale_model_input(current[frames], timestep)
            own = torch.tensor(fading(frames, len(latents), fade))[:, None, None, None]
            total[frames] += own * predict(scaled, timestep, frames).to(total)
            if on_step is not None:
                on_step(int((weight[frames] == 0).sum()))
            weight[frames] += own
        for part, solver in zip(parts, solvers, strict=True):
            mean = total[part] / weight[part]
            current[part] = solver.step(mean, timestep, current[part], return_dict=False)[0]
    return current
