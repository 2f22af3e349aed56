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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from .. import __version__
from ..device import memory_format, pick_device, pick_dtype, wait_for
from ..diffusion.cost import Flops, count_costs
from ..errors import OptionError
from ..weights import find_model

if TYPE_CHECKING:
    from ..diffusion.pipeline import MagicPosePipeline

SD15 = "sd15"
"""In place of a model: one of Stable Diffusion 1.5's size with random weights."""
_ROUNDS = 3


@dataclass(frozen=True)
class BenchOptions:
    """What to time.

    Attributes:
        model: name or folder; `SD15` for random weights of that size; None for the best at hand.
        frames: of the video.
        steps: timed; their median counts.
        size_px: width and height; None is the model's own.
        guidance: None is the model's own.
        device, dtype: where and in which format.
        compare: time the paper's plain order beside it: each network for each frame, nothing kept.
        against_cpu: compare a prediction with the CPU's in fp32: for who has a GPU, which our tests have not.
    """

    model: str | None = None
    frames: int = 16
    steps: int = 3
    size_px: tuple[int, int] | None = None
    guidance: float | None = None
    device: str = "auto"
    dtype: str = "auto"
    compare: bool = False
    against_cpu: bool = False


def bench(options: BenchOptions) -> dict[str, Any]:
    """Time a model.

    Returns:
        A document: ``rates_gflops``, ``parts`` (GFLOP, floor and seconds of each), ``seconds``, ``floor_s`` and their
        ``ratio``, ``elsewhere_s``, ``frames_per_second``, ``peak_memory_mb``, what was timed, and ``plain_order`` and
        ``against_cpu`` where they were asked for.

    Raises:
        InputError: no such model, or it follows no pose.
    """
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    shapes, pipeline, name = _open(options, device, dtype)
    sampling = pipeline.sampling
    width_px, height_px = options.size_px or (sampling.width_px, sampling.height_px)
    guidance = sampling.guidance_scale if options.guidance is None else options.guidance
    _check_size(shapes, width_px, height_px)
    rates = measure_rates(device, dtype)
    costs = count_costs(shapes, width_px, height_px)
    video = costs.of_video(
        options.frames, options.steps, guided_steps=options.steps * (guidance not in (0, 1))
    )
    given = _inputs(options.frames, width_px, height_px)
    rounds = [_time_a_video(pipeline, given, options.steps, guidance, device) for _ in range(_ROUNDS)]
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
    report = {
        "magicpose": __version__,
        "model": name,
        "size_px": [width_px, height_px],
        "frames": options.frames,
        "steps": options.steps,
        "guidance": guidance,
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "rates_gflops": {
            "convolutions": round(rates.convolutions / 1e9),
            "matrices": round(rates.matrices / 1e9),
        },
        "parts": parts,
        "elsewhere_s": round(total_s - sum(part["seconds"] for part in parts.values()), 4),
        "seconds": round(total_s, 3),
        "floor_s": round(floor_s, 3),
        "ratio": round(total_s / floor_s, 2),
        "frames_per_second": {
            f"{steps} steps": round(1 / (total_s / options.frames * steps / options.steps), 4)
            for steps in (sampling.num_inference_steps,)
        },
        "peak_memory_mb": round(_peak_mb(device)),
        "machine": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "processor": platform.processor(),
        },
    }
    if options.compare:
        report["plain_order"] = _compare(pipeline, given, guidance, device)
    if options.against_cpu:
        exact = _open(options, torch.device("cpu"), torch.float32)[1]
        predictions = [_predict(model, given, guidance).cpu() for model in (exact, pipeline)]
        report["against_cpu"] = {"relative_rms": _relative_rms(*predictions)}
    return report


# what the machine can


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


def _fastest_s(call: Callable[[], Any], device: torch.device) -> float:
    call()
    times = []
    for _ in range(8):
        wait_for(device)
        start_s = time.perf_counter()
        call()
        wait_for(device)
        times.append(time.perf_counter() - start_s)
    return min(times)


# what the model takes

Given = tuple[np.ndarray, np.ndarray]
"""Reference ``(H W 3)`` and pose maps ``(f H W 3)``, uint8."""


def _open(
    options: BenchOptions, device: torch.device, dtype: torch.dtype
) -> tuple[MagicPosePipeline, MagicPosePipeline, str]:
    """The model without weights, to count, and with them, to time."""
    from ..diffusion.folder import load_model, load_shapes
    from ..diffusion.fresh import sd15_sized

    if options.model == SD15:
        return sd15_sized("meta", torch.float32), sd15_sized(device, dtype), "SD1.5 size, random weights"
    folder = find_model(options.model)
    shapes = load_shapes(folder)
    if shapes.pose_controlnet is None:
        raise OptionError(
            expected="a model that follows poses", found=folder.name, remedy="Choose another with --model."
        )
    return shapes, load_model(folder, device, dtype), folder.name


def _check_size(pipeline: MagicPosePipeline, width_px: int, height_px: int) -> None:
    multiple = pipeline.size_multiple_px
    if width_px % multiple or height_px % multiple:
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
    pipeline: MagicPosePipeline, given: Given, steps: int, guidance: float, device: torch.device
) -> dict[str, float]:
    """Seconds by part, and ``all``."""
    with _stopwatches(pipeline, device) as seconds:
        start_s = time.perf_counter()
        for _ in pipeline(*given, num_inference_steps=steps, guidance_scale=guidance, overlap=0):
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


@torch.no_grad()
def _compare(
    pipeline: MagicPosePipeline, given: Given, guidance: float, device: torch.device
) -> dict[str, Any]:
    """One step in the paper's plain order against ours: seconds, their ratio, and how far predictions lie apart."""
    reference, maps = given
    latent = pipeline.encode(reference[None])
    pose_maps = torch.from_numpy(maps).permute(0, 3, 1, 2).to(device, latent.dtype) / 255
    noise = torch.randn(len(maps), *latent.shape[1:], generator=torch.Generator().manual_seed(0))
    start = noise.to(device, latent.dtype)
    assert pipeline.pose_controlnet is not None and pipeline.prompt_embeds is not None
    controlnet, text = pipeline.pose_controlnet, pipeline.prompt_embeds.to(device, latent.dtype)
    step = torch.tensor([500], device=device)

    together = len(maps) if pipeline.network.has_motion else 1
    has_two_branches = guidance not in (0, 1)

    def plain() -> torch.Tensor:
        """The released code: a reading of the reference and two ControlNets for each frame, one of them for nothing."""
        frames = []
        for i in range(len(maps)):
            frame, pose = start[i : i + 1], pose_maps[i : i + 1]
            if i % together:
                pipeline.network.read_reference(latent, step, text)
            else:
                window = slice(i, i + together)
                given_latents, given_maps = start[window], pose_maps[window]
                frames.append(
                    pipeline.predict_noise(given_latents, 500, latent, given_maps, guidance_scale=guidance)
                )
            if has_two_branches:
                beside = pipeline.network.with_positions(frame)
                controlnet(beside, 500, text, controlnet_cond=pose, return_dict=False)
        return torch.cat(frames)

    def ours() -> torch.Tensor:
        return pipeline.predict_noise(start, 500, latent, pose_maps, guidance_scale=guidance)

    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    results = {}
    for _ in range(_ROUNDS):
        for name, call in (("plain", plain), ("ours", ours)):
            wait_for(device)
            start_s = time.perf_counter()
            results[name] = call().float()
            wait_for(device)
            seconds[name].append(time.perf_counter() - start_s)
    plain_s, ours_s = (median(seconds[name]) for name in ("plain", "ours"))
    return {
        "plain_s": round(plain_s, 3),
        "ours_s": round(ours_s, 3),
        "times_as_fast": round(plain_s / ours_s, 3),
        "relative_rms": _relative_rms(results["plain"], results["ours"]),
    }


def _predict(pipeline: MagicPosePipeline, given: Given, guidance: float) -> torch.Tensor:
    """One prediction in fp32, from inputs that are the same for each device."""
    reference, maps = given
    pose_maps = torch.from_numpy(maps).permute(0, 3, 1, 2) / 255
    channels = pipeline.vae.config.latent_channels
    rows, columns = (side // pipeline.latent_factor for side in reference.shape[:2])
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(len(maps), channels, rows, columns, generator=draw)
    own = torch.randn(1, channels, rows, columns, generator=draw)
    device = pipeline.unet.device
    return pipeline.predict_noise(
        latents.to(device), 500, own.to(device), pose_maps.to(device), guidance_scale=guidance
    ).float()


def _relative_rms(expected: torch.Tensor, found: torch.Tensor) -> float:
    return float((found - expected).square().mean().sqrt() / expected.square().mean().sqrt())


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
