"""What a run will take, told before a weight is loaded: operations, time, memory, size of the result."""

from __future__ import annotations

from typing import Any

from .plan import Plan, RetargetOptions
from .rates import measure_details, measure_rates

OVERHEAD = 2.0
"""Time over the floor of the networks' operations: mini's on two cores by `bench` (1.9); a large model has less."""
_BITS_A_PIXEL = 0.1  # of x264 at the writer's quality, for rendered and filmed dancers


def forecast(plan: Plan, options: RetargetOptions) -> dict[str, Any]:
    """Foretell a run.

    Args:
        plan: what was settled.
        options: what was asked for.

    Returns:
        ``frames``, ``steps``, ``gflop``, ``seconds`` (sampling, decoding and the reference's details; detection and
        loading come on top), ``weights_mb`` (on the device at a time), ``latents_mb`` and ``output_mb``; None where the
        driving does not tell its length.
    """
    from ..diffusion.cost import count_costs
    from ..diffusion.folder import load_shapes
    from ..diffusion.offload import weights_of

    shapes = load_shapes(plan.model_dir, plan.swaps)
    sampling = plan.sampling
    width_px, height_px = plan.reference_place.width_px, plan.reference_place.height_px
    frames = plan.driving.expected_frames
    found: dict[str, Any] = {
        "frames": frames,
        "steps": sampling.num_inference_steps,
        "size_px": [width_px, height_px],
        "device": str(plan.device),
        "dtype": str(plan.dtype).removeprefix("torch."),
        "offload": plan.offload,
        "weights_mb": round(getattr(weights_of(shapes, plan.dtype, plan.device), plan.offload) / 2**20),
        "gflop": None,
        "seconds": None,
        "latents_mb": None,
        "output_mb": None,
    }
    if frames is None:
        return found
    costs = count_costs(shapes, width_px, height_px)
    overlap = options.overlap / (options.window - options.overlap) if plan.facts.has_motion else 0.0
    parts = costs.of_video(
        frames,
        sampling,
        plan.controls,
        references=1 + len(plan.also),
        overlap_share=overlap if frames > options.window else 0.0,
    )
    rates = measure_rates(plan.device, plan.dtype)
    floor_s = sum(rates.seconds(flops) for flops in parts.values())
    details_s = 0.0
    if sampling.takes_details(options.reference_details):
        details_s = frames * measure_details(width_px, height_px)
    latents = frames * shapes.vae.config.latent_channels * width_px * height_px / shapes.latent_factor**2
    return {
        **found,
        "gflop": round(sum(flops.total for flops in parts.values()) / 1e9),
        "seconds": round(OVERHEAD * floor_s + details_s, 3),
        "latents_mb": round(4 * latents / 2**20, 1),
        "output_mb": round(frames * width_px * height_px * _BITS_A_PIXEL / 8 / 2**20, 2),
    }


def as_sentences(found: dict[str, Any]) -> str:
    """The forecast for people."""
    width_px, height_px = found["size_px"]
    if found["frames"] is None:
        return f"The driving does not tell how many frames it has. Weights: {found['weights_mb']} MB."
    minutes, seconds = divmod(round(found["seconds"]), 60)
    return (
        f"{found['frames']} frames of {width_px}x{height_px} px, {found['steps']} steps: {found['gflop']:,} GFLOP, "
        f"about {minutes} min {seconds} s on {found['device']} in {found['dtype']}, and detection.\n"
        f"Memory: {found['weights_mb']} MB of weights, {found['latents_mb']} MB of latents. "
        f"Result: about {found['output_mb']} MB."
    )
