"""Whether the sampler's predictions are those of the paper's plain order, and of the CPU in fp32."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..device import wait_for

if TYPE_CHECKING:
    from ..diffusion.pipeline import MagicPosePipeline

Given = tuple[np.ndarray, np.ndarray]
"""Reference ``(H W 3)`` and pose maps ``(f H W 3)``, uint8."""


@torch.no_grad()
def compare_with_plain_order(
    pipeline: MagicPosePipeline,
    given: Given,
    guidance: float,
    device: torch.device,
    rounds: int,
    *,
    warm_up: bool = False,
) -> dict[str, Any]:
    """One step in the paper's plain order against ours: seconds, their ratio, and how far predictions lie apart.

    With `warm_up`, after a call of each that does not count: what is compiled is so for each size of batch anew.
    Guidance enlarges what either rounds away, so that predictions without it are compared too.
    """
    reference, maps = given
    latent = pipeline.encode(reference[None])
    pose_maps = torch.from_numpy(maps).permute(0, 3, 1, 2).to(device, latent.dtype) / 255
    noise = torch.randn(len(maps), *latent.shape[1:], generator=torch.Generator().manual_seed(0))
    start = noise.to(device, latent.dtype)
    text = _text(pipeline, reference)
    assert pipeline.pose_controlnet is not None and text is not None, "a model that makes frames of poses"
    controlnet, text = pipeline.pose_controlnet, text.to(device, latent.dtype)
    step = torch.tensor([500], device=device)

    together = len(maps) if pipeline.network.has_motion else 1

    def plain(scale: float) -> torch.Tensor:
        """The released code: a reading of the reference and two ControlNets for each frame, one of them for nothing."""
        frames = []
        for i in range(len(maps)):
            frame, pose = start[i : i + 1], pose_maps[i : i + 1]
            if i % together:
                pipeline.network.read_reference(latent, step, text)
            else:
                window = slice(i, i + together)
                given_latents, given_maps = start[window], pose_maps[window]
                frames.append(pipeline.predict_noise(given_latents, 500, latent, given_maps, text, scale))
            if scale not in (0, 1):
                beside = pipeline.network.with_positions(frame)
                controlnet(beside, 500, text, controlnet_cond=pose, return_dict=False)
        return torch.cat(frames)

    def ours(scale: float) -> torch.Tensor:
        return pipeline.predict_noise(start, 500, latent, pose_maps, text, scale)

    for call in (plain, ours) if warm_up else ():
        call(guidance)
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    results = {}
    for _ in range(rounds):
        for name, call in (("plain", plain), ("ours", ours)):
            wait_for(device)
            start_s = time.perf_counter()
            results[name] = call(guidance).float()
            wait_for(device)
            seconds[name].append(time.perf_counter() - start_s)
    plain_s, ours_s = (median(seconds[name]) for name in ("plain", "ours"))
    return {
        "plain_s": round(plain_s, 3),
        "ours_s": round(ours_s, 3),
        "times_as_fast": round(plain_s / ours_s, 3),
        "relative_rms": _relative_rms(results["plain"], results["ours"]),
        "relative_rms_unguided": _relative_rms(plain(1.0).float(), ours(1.0).float()),
    }


def compare_with_cpu(
    exact: MagicPosePipeline, pipeline: MagicPosePipeline, given: Given, guidance: float
) -> dict[str, Any]:
    """How far a prediction lies from that of `exact`, the same model on the CPU in fp32."""
    expected, found = (_predict(model, given, guidance).cpu() for model in (exact, pipeline))
    return {"relative_rms": _relative_rms(expected, found)}


def _predict(pipeline: MagicPosePipeline, given: Given, guidance: float) -> torch.Tensor:
    """One prediction in fp32, from inputs that are the same for each device."""
    reference, maps = given
    pose_maps = torch.from_numpy(maps).permute(0, 3, 1, 2) / 255
    channels = pipeline.vae.config.latent_channels
    rows, columns = (side // pipeline.latent_factor for side in reference.shape[:2])
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(len(maps), channels, rows, columns, generator=draw)
    own = torch.randn(1, channels, rows, columns, generator=draw)
    device = pipeline.computes_on
    text = _text(pipeline, reference)
    return pipeline.predict_noise(
        latents.to(device), 500, own.to(device), pose_maps.to(device), text, guidance
    ).float()


def _text(pipeline: MagicPosePipeline, reference: np.ndarray) -> torch.Tensor | None:
    """The reference's embedding where a model is conditioned on a picture, else the stored one."""
    seen = pipeline.embed_picture(reference[None])
    return pipeline.prompt_embeds if seen is None else seen


def _relative_rms(expected: torch.Tensor, found: torch.Tensor) -> float:
    return float((found - expected).square().mean().sqrt() / expected.square().mean().sqrt())
