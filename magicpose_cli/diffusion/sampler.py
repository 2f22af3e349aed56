"""The denoising loop (paper appendix C): per step, predict each window, average where they overlap, step once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Predict = Callable[[Tensor, int, Sequence[int]], Tensor]
"""(latents of a window ``(f c h w)``, timestep, frame numbers) -> guided prediction ``(f c h w)``."""

Windows = Callable[[int], list[list[int]]]
"""Number of the step (0 first) -> windows of frame numbers."""


def frame_noise(frames: int, shape: tuple[int, int, int], seed: int, *, shared: bool) -> Tensor:
    """Start noise ``(f c h w)``, drawn frame by frame on the CPU.

    A frame's noise depends on the seed and its number alone, not on window, batch or device.

    Args:
        frames: how many.
        shape: ``(c, h, w)``.
        seed: any integer.
        shared: one noise for all frames, as the reference implementation starts; else one for each.
    """
    drawn = []
    for frame in range(1 if shared else frames):
        generator = torch.Generator().manual_seed((seed * 1_000_003 + frame) % 2**63)
        drawn.append(torch.randn(shape, generator=generator))
    return torch.stack(drawn).expand(frames, *shape).contiguous() if shared else torch.stack(drawn)


@torch.no_grad()
def denoise(
    latents: Tensor,
    predict: Predict,
    scheduler: Any,
    num_inference_steps: int,
    windows: Windows,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """Denoise a video's latents.

    Args:
        latents: start noise ``(f c h w)`` of unit variance.
        predict: the networks, or any function in their place.
        scheduler: a diffusers scheduler; its state is reset by setting the timesteps.
        num_inference_steps: steps from noise to picture.
        windows: which frames go together at each step; each frame must be in at least one.
        on_step: called after each window with the number of frames that this step had not seen before.

    Returns:
        Clean latents ``(f c h w)``.
    """
    scheduler.set_timesteps(num_inference_steps)
    latents = latents * scheduler.init_noise_sigma
    for step, timestep in enumerate(scheduler.timesteps.tolist()):
        scaled = scheduler.scale_model_input(latents, timestep)
        total = torch.zeros_like(latents)
        count = torch.zeros(latents.shape[0], 1, 1, 1, dtype=latents.dtype, device=latents.device)
        for frames in windows(step):
            prediction = predict(scaled[frames], timestep, frames)
            total[frames] += prediction.to(total)
            if on_step is not None:
                on_step(int((count[frames] == 0).sum()))
            count[frames] += 1
        latents = scheduler.step(total / count, timestep, latents, return_dict=False)[0]
    return latents
