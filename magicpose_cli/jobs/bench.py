"""How fast a model samples on this machine, and how far that is from the least it could take.

The floor is the networks' operations (`diffusion/cost.py`) at the rates that this machine reaches in a large
convolution and a large product of matrices, measured first. What lies above it is memory traffic, small operations and
the time between calls.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import __version__, console
from ..device import frames_at_once, memory_budget, pick_device, pick_dtype, total_memory, wait_for
from ..diffusion.cost import count_costs
from ..diffusion.facts import check_model, check_steps, read_facts
from ..errors import OptionError
from ..weights import SD15, find_model
from .agreement import Given, compare_with_cpu, compare_with_plain_order
from .memory import settle_offload
from .plan import RetargetOptions
from .rates import measure_details, measure_rates

if TYPE_CHECKING:
    from ..diffusion.offload import Offload
    from ..diffusion.pipeline import MagicPosePipeline


@dataclass(frozen=True)
class BenchOptions:
    """What to time.

    Attributes:
        model: name or folder; `SD15` for random weights of that size; None for the best at hand.
        frames: of the video.
        steps: denoising steps of it.
        rounds: times that all is run; medians count.
        size_px: width and height; None is the model's own.
        guidance: None is the model's own.
        device, dtype: where and in which format.
        compare: time the paper's plain order beside it: each network for each frame, nothing kept.
        compile: through `torch.compile`, block by block; the CPU's own prediction is not.
        vram_gb: of the GPU's memory to use, where networks then take turns on it; None is all that is free.
        against_cpu: compare a prediction with the CPU's in fp32.
    """

    model: str | None = None
    frames: int = 16
    steps: int = 3
    rounds: int = 3
    size_px: tuple[int, int] | None = None
    guidance: float | None = None
    device: str = "auto"
    dtype: str = "auto"
    compare: bool = False
    compile: bool = False
    vram_gb: float | None = None
    against_cpu: bool = False


def bench(options: BenchOptions) -> dict[str, Any]:
    """Time a model.

    Returns:
        A document: ``rates_gflops``, ``parts`` (GFLOP, floor and seconds of each network that runs), ``seconds``,
        ``floor_s`` and their ``ratio``, ``elsewhere_s``, ``details_s`` (of the reference's details, which come on top;
        0 for a model without), ``frames_per_second`` with them, ``peak_memory_mb``, what was timed, and
        ``plain_order`` and ``against_cpu`` where they were asked for.

    Raises:
        InputError: no such model, one that makes no frames of poses, or a size or steps that it cannot take.
    """
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    shapes, name = _shapes(options)
    own_steps = shapes.sampling.num_inference_steps
    sampling = shapes.sampling.chosen(None, options.steps, options.guidance, None)
    width_px, height_px = options.size_px or (sampling.width_px, sampling.height_px)
    guidance = sampling.guidance_scale
    _check_size(shapes, width_px, height_px)
    budget = memory_budget(device, options.vram_gb)
    memory = total_memory(device) if options.vram_gb is None else budget
    size_px = (width_px, height_px)
    batch = (
        RetargetOptions.window
        if shapes.motion_adapter is not None
        else frames_at_once(memory, dtype, *size_px)
    )
    offload = settle_offload(
        lambda: shapes, device, dtype, size_px, batch, budget,
        compiles=options.compile, takes_less="a smaller --size",
    )  # fmt: skip
    pipeline = _load(options, device, dtype, offload)
    rates = measure_rates(device, dtype)
    costs = count_costs(shapes, width_px, height_px)
    video = {part: flops for part, flops in costs.of_video(options.frames, sampling).items() if flops.total}
    given = _inputs(options.frames, width_px, height_px)
    if options.compile:
        from ..diffusion.compiled import compile_blocks

        compile_blocks(pipeline)
        console.say("Compiling: a first video, which does not count.")
        _time_a_video(pipeline, given, options.steps, guidance, batch, device)
    rounds = [
        _time_a_video(pipeline, given, options.steps, guidance, batch, device) for _ in range(options.rounds)
    ]
    seconds = {part: median(r[part] for r in rounds) for part in rounds[0]}
    floors = {part: rates.seconds(flops) for part, flops in video.items()}
    parts = {
        part: {
            "gflop": round(video[part].total / 1e9, 2),
            "floor_s": round(floors[part], 4),
            "seconds": round(seconds[part], 4),
            "ratio": round(seconds[part] / floors[part], 2),
        }
        for part in video
    }
    total_s, floor_s = seconds["all"], sum(floors.values())
    once_s = seconds["pose embedding"] + seconds["VAE"]  # whatever the steps
    peak_mb = _peak_mb(device)
    details_s = 0.0
    if sampling.takes_details():
        details_s = options.frames * measure_details(width_px, height_px)
    own_s = once_s + (total_s - once_s) * own_steps / options.steps + details_s
    report = {
        "magicpose": __version__,
        "model": name,
        "size_px": [width_px, height_px],
        "frames": options.frames,
        "steps": options.steps,
        "guidance": guidance,
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "compile": options.compile,
        "offload": offload,
        "batch": min(batch, options.frames),
        "threads": torch.get_num_threads(),
        "rates_gflops": {
            "convolutions": round(rates.convolutions / 1e9),
            "matrices": round(rates.matrices / 1e9),
        },
        "parts": parts,
        "elsewhere_s": round(total_s - sum(part["seconds"] for part in parts.values()), 4),
        "details_s": round(details_s, 3),
        "seconds": round(total_s, 3),
        "floor_s": round(floor_s, 3),
        "ratio": round(total_s / floor_s, 2),
        "frames_per_second": {f"{own_steps} steps": round(options.frames / own_s, 4)},
        "peak_memory_mb": round(peak_mb),
        "machine": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "processor": platform.processor(),
        },
    }
    if options.compare:
        report["plain_order"] = compare_with_plain_order(
            pipeline, given, guidance, device, options.rounds, warm_up=options.compile
        )
    if options.against_cpu:
        exact = _load(options, torch.device("cpu"), torch.float32)
        report["against_cpu"] = compare_with_cpu(exact, pipeline, given, guidance)
    return report


def _shapes(options: BenchOptions) -> tuple[MagicPosePipeline, str]:
    """The model without weights, to count, and its name."""
    from ..diffusion.folder import load_shapes
    from ..diffusion.fresh import sd15_sized

    if options.model == SD15:
        return sd15_sized("meta", torch.float32), "SD1.5 size, random weights"
    folder = find_model(options.model)
    facts = read_facts(folder)
    check_model(folder, facts)
    check_steps(folder, facts.sampling.chosen(None, options.steps, None, None), are_seen=False)
    return load_shapes(folder), folder.name


def _load(
    options: BenchOptions, device: torch.device, dtype: torch.dtype, offload: Offload = "none"
) -> MagicPosePipeline:
    """The model with weights, to time."""
    from ..diffusion.folder import load_model
    from ..diffusion.fresh import sd15_sized

    if options.model != SD15:
        return load_model(find_model(options.model), device, dtype, offload=offload)
    if offload == "none":
        return sd15_sized(device, dtype)
    pipeline = sd15_sized("cpu", dtype)
    pipeline.offload(offload, device)
    return pipeline


def _check_size(pipeline: MagicPosePipeline, width_px: int, height_px: int) -> None:
    multiple = pipeline.size_multiple_px
    if width_px % multiple or height_px % multiple or not width_px * height_px:
        raise OptionError(
            expected=f"a size in multiples of {multiple} px",
            found=f"{width_px}x{height_px}",
            remedy="Change --size.",
        )


def _inputs(frames: int, width_px: int, height_px: int) -> Given:
    draw = np.random.default_rng(0)
    shape = (height_px, width_px, 3)
    return draw.integers(0, 256, shape, np.uint8), draw.integers(0, 256, (frames, *shape), np.uint8)


def _time_a_video(
    pipeline: MagicPosePipeline,
    given: Given,
    steps: int,
    guidance: float,
    batch: int,
    device: torch.device,
) -> dict[str, float]:
    """Seconds by part, and ``all``."""
    with _stopwatches(pipeline, device) as seconds:
        start_s = time.perf_counter()
        made = pipeline(
            *given, num_inference_steps=steps, guidance_scale=guidance, window=RetargetOptions.window, overlap=0,
            batch=batch, reference_details=False,
        )  # fmt: skip
        for _ in made:
            pass
        seconds["all"] = time.perf_counter() - start_s
    seconds["pose ControlNet"] -= seconds["pose embedding in the ControlNet"]
    return seconds


@contextmanager
def _stopwatches(pipeline: MagicPosePipeline, device: torch.device) -> Iterator[dict[str, float]]:
    """Time by part, through hooks that are gone afterwards."""
    embedding = pipeline.pose_controlnet.controlnet_cond_embedding
    modules = {
        "appearance net": [pipeline.appearance_unet],
        "pose embedding": [embedding],
        "pose ControlNet": [pipeline.pose_controlnet],
        "UNet": [pipeline.network.unet],
        "VAE": [pipeline.vae.encoder, pipeline.vae.decoder],
    }
    seconds = dict.fromkeys([*modules, "pose embedding in the ControlNet"], 0.0)
    inside: list[str] = []
    with ExitStack() as hooks:
        for part, watched in modules.items():
            for module in watched:
                started: list[float] = []

                def before(_: Any, __: Any, part: str = part, started: list[float] = started) -> None:
                    wait_for(device)
                    inside.append(part)
                    started.append(time.perf_counter())

                def after(
                    _: Any, __: Any, ___: Any, part: str = part, started: list[float] = started
                ) -> None:
                    wait_for(device)
                    took_s = time.perf_counter() - started.pop()
                    inside.pop()
                    # called once more there, on a pixel: see pose_embeddings.in_place_of_maps
                    nested = part == "pose embedding" and "pose ControlNet" in inside
                    seconds["pose embedding in the ControlNet" if nested else part] += took_s

                hooks.callback(module.register_forward_pre_hook(before).remove)
                hooks.callback(module.register_forward_hook(after).remove)
        yield seconds


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
