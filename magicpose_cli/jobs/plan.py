"""What a run of the main job is: what was asked for, and what is settled before a network is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import console
from ..device import (
    decodes_in_tiles,
    frames_at_once,
    memory_budget,
    pick_device,
    pick_dtype,
    total_memory,
)
from ..diffusion.controls import Controls
from ..diffusion.facts import ModelFacts, Swaps, check_model, check_steps, read_facts
from ..errors import OptionError
from ..imports import without_collecting
from ..media.pictures import Placement, load_picture
from ..media.sound import AudioSource
from ..media.video import as_rate, check_output, output_kind
from ..sampling import SamplingBlock, Solver
from ..weights import find_model
from .driving import Cut, Driving
from .fit import choose_size, edge_colour, place
from .hashes import Hashes
from .memory import settle_offload
from .outputs import Outputs

if TYPE_CHECKING:
    import torch

    from ..diffusion.offload import Offload
    from ..diffusion.pipeline import MagicPosePipeline


@dataclass(frozen=True)
class RetargetOptions:
    """What can be chosen for a run; None is the model's own default.

    Attributes:
        model: name or folder of the model; None for the best at hand.
        preset: one of the model's ways of sampling; the three that follow overrule it.
        steps: denoising steps.
        guidance: strength of Image-CFG; 1 switches it off.
        solver: takes the steps.
        seed: of the noise.
        size: ``WxH`` or ``auto``.
        fit: ``crop`` or ``pad``.
        clean: whether poses that are detected in a video are cleaned.
        align: whether the driving's poses are brought to the size and place of the reference's person.
        device, dtype: where and in which format to compute.
        fps: frame rate to take the driving at, as text: ``30``, ``29.97`` or ``30000/1001``; None is its own, and for a
            folder what a report in it says, or 25.
        start_s, duration_s: part of the driving to use.
        window, overlap: frames denoised together, and shared by neighbours.
        batch: independent frames in one pass; None for what memory allows.
        compile: through `torch.compile`, block by block.
        vram_gb: how much of a GPU's memory to use; None for what is free.
        windows: ``shifted``, or ``reference`` for the circular ones of the reference implementation.
        also: more pictures of the reference's person.
        appearance_scale, pose_scale, pose_start, pose_end: as in `Controls`.
        noise: ``shared`` or ``independent``; None is the model's own.
        noisy_reference: whether the reference is noised as the frames are; None is the model's own.
        reference_details: whether frames take the reference's details where they agree with it; None is the model's
            own.
        base_unet, motion_module: folders of networks in place of the model's.
        driving_kind: ``auto``, ``video``, ``pose-maps`` or ``openpose-json``.
        detector: ``auto``, ``mediapipe`` or ``openpose``.
        audio_from: file whose sound to use; None for the driving's own.
        keep_audio: False for a silent result.
        compare: also write reference, pose and result side by side.
        force: replace outputs that exist.
    """

    model: str | None = None
    preset: str | None = None
    steps: int | None = None
    guidance: float | None = None
    solver: Solver | None = None
    seed: int = 0
    size: str = "auto"
    fit: str = "crop"
    align: bool = True
    clean: bool = True
    device: str = "auto"
    dtype: str = "auto"
    fps: str | None = None
    start_s: float = 0.0
    duration_s: float | None = None
    window: int = 16
    overlap: int = 4
    batch: int | None = None
    compile: bool = False
    vram_gb: float | None = None
    windows: str = "shifted"
    also: tuple[Path, ...] = ()
    appearance_scale: float = 1.0
    pose_scale: float = 1.0
    pose_start: float = 0.0
    pose_end: float = 1.0
    noise: str | None = None
    noisy_reference: bool | None = None
    reference_details: bool | None = None
    base_unet: Path | None = None
    motion_module: Path | None = None
    driving_kind: str = "auto"
    detector: str = "auto"
    audio_from: Path | None = None
    keep_audio: bool = True
    compare: bool = False
    force: bool = False


@dataclass(frozen=True)
class Plan:
    """All that is settled before anything heavy starts.

    Attributes:
        reference_path, reference: the picture, uint8 ``(H W 3)``.
        also: more pictures of the same person, at the model's size, uint8 ``(H W 3)`` each.
        driving: looked at, not yet read.
        reference_place, driving_place: how each comes to the model's size.
        model_dir, swaps, facts: the model and what is taken in place of its networks, not yet loaded.
        device, dtype: where and in which format to compute.
        sampling: the model's own with the preset's and the user's values.
        batch: frames in one pass of the networks.
        offload: how networks share a GPU's memory.
        vae_tiles: whether the VAE sees pictures in tiles.
        controls: strength and time of appearance and pose.
        audio: the sound, or None.
        outputs: where to write.
        hashes: of the inputs, those that were asked for.
    """

    reference_path: Path
    reference: np.ndarray
    also: tuple[np.ndarray, ...]
    driving: Driving
    reference_place: Placement
    driving_place: Placement
    model_dir: Path
    swaps: Swaps
    facts: ModelFacts
    device: torch.device
    dtype: torch.dtype
    sampling: SamplingBlock
    batch: int
    offload: Offload
    vae_tiles: bool
    controls: Controls
    audio: AudioSource | None
    outputs: Outputs
    hashes: Hashes


def make_plan(reference_path: Path, driving_path: Path, out: str | Path, options: RetargetOptions) -> Plan:
    """Look at all that was given and settle what can be settled, without loading a network.

    Raises:
        InputError: anything wrong with what was given.
    """
    _check_numbers(options)
    others = (options.audio_from, *options.also, options.base_unet, options.motion_module)
    inputs = [reference_path, driving_path, *(path for path in others if path is not None)]
    outputs = Outputs.beside(out, inputs, compare=options.compare, force=options.force)
    reference = load_picture(reference_path)
    fps = None if options.fps is None else as_rate(options.fps)
    hashes = Hashes()
    cut = Cut(options.start_s, options.duration_s)
    driving = Driving(driving_path, options.driving_kind, cut, fps, hashes)
    audio = _choose_audio(driving, out, options)
    controls = Controls(options.appearance_scale, options.pose_scale, options.pose_start, options.pose_end)
    swaps = Swaps(options.base_unet, options.motion_module)
    model_dir = find_model(options.model)
    facts = read_facts(model_dir, swaps)
    check_model(model_dir, facts)
    if options.batch and facts.has_motion:
        raise OptionError(
            expected="--batch for a model without a motion module",
            found=f"{model_dir.name}, whose frames go through it a window at a time",
            remedy="Use --window.",
        )
    _say_what_it_knows(model_dir.name, options.model, facts)
    reference_px = (reference.shape[1], reference.shape[0])
    size_px = choose_size(options.size, reference_px, facts.sampling, facts.size_multiple_px)
    sampling = facts.sampling.chosen(options.preset, options.steps, options.guidance, options.solver)
    check_steps(model_dir, sampling)
    _check_pose_acts(controls, sampling.num_inference_steps)
    # last, since torch, which takes seconds, is imported here: an input that is wrong is told at once
    with without_collecting():
        device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    budget = memory_budget(device, options.vram_gb)
    memory = total_memory(device) if options.vram_gb is None else budget
    batch = options.batch or frames_at_once(memory, dtype, *size_px)
    if facts.has_motion:
        batch = options.window
    vae_tiles = decodes_in_tiles(memory, *size_px)
    if vae_tiles:
        console.warn(
            f"pictures of {size_px[0]}x{size_px[1]} go through the VAE in tiles, to spare memory; colours may differ."
        )
    offload = settle_offload(
        partial(_shapes, model_dir, swaps),
        device,
        dtype,
        size_px,
        batch,
        budget,
        compiles=options.compile,
        takes_less="a smaller --size, --batch or --window",
    )
    return Plan(
        reference_path=reference_path,
        reference=reference,
        also=tuple(_placed(path, size_px, options.fit) for path in options.also),
        driving=driving,
        reference_place=place(reference_px, size_px, options.fit),
        driving_place=place(driving.size_px, size_px, options.fit),
        model_dir=model_dir,
        swaps=swaps,
        facts=facts,
        device=device,
        dtype=dtype,
        sampling=sampling,
        batch=batch,
        offload=offload,
        vae_tiles=vae_tiles,
        controls=controls,
        audio=audio,
        outputs=outputs,
        hashes=hashes,
    )


def _shapes(model_dir: Path, swaps: Swaps) -> MagicPosePipeline:
    from ..diffusion.folder import load_shapes

    return load_shapes(model_dir, swaps)


def check_length(frames: int, facts: ModelFacts, options: RetargetOptions) -> None:
    if facts.has_motion and options.windows == "reference" and frames < max(options.overlap, 1):
        raise OptionError(
            expected=f"at least {options.overlap} frames for --windows reference",
            found=str(frames),
            remedy="Use --windows shifted.",
        )
    together = options.window if options.windows == "reference" else min(options.window, frames)
    if facts.motion_frames is not None and together > facts.motion_frames:
        raise OptionError(
            expected=f"a --window of at most {facts.motion_frames}, for this motion module",
            found=str(options.window),
            remedy=f"Use --window {facts.motion_frames}.",
        )


def _check_pose_acts(controls: Controls, steps: int) -> None:
    if controls.pose_scale and not any(controls.pose_scale_at(step, steps) for step in range(steps)):
        raise OptionError(
            expected=f"a part of the denoising that holds one of its {steps} steps",
            found=f"--pose-start {controls.pose_start} --pose-end {controls.pose_end}, which holds none",
            remedy="Let the pose act longer, or use --pose-scale 0.",
        )


def _placed(path: Path, size_px: tuple[int, int], fit: str) -> np.ndarray:
    picture = load_picture(path)
    return place((picture.shape[1], picture.shape[0]), size_px, fit).apply(picture, edge_colour(picture))


def _check_numbers(options: RetargetOptions) -> None:
    if not 0 <= options.overlap < options.window:
        raise OptionError(
            expected="an overlap smaller than the window",
            found=f"--window {options.window} --overlap {options.overlap}",
            remedy="Use --window 16 --overlap 4.",
        )


def _say_what_it_knows(name: str, asked_for: str | None, facts: ModelFacts) -> None:
    if facts.sampling.knows is not None:
        why = "" if asked_for else "No full model is installed. "
        console.say(
            f"{why}Model: {name}, which knows {facts.sampling.knows} only; a real person will not look real with it."
        )


def _choose_audio(driving: Driving, out: str | Path, options: RetargetOptions) -> AudioSource | None:
    """Which sound the result gets; said where a sound that was there gets lost."""
    carries_sound = output_kind(out) == "mp4"
    if not options.keep_audio:
        if options.audio_from is not None:
            raise OptionError(
                expected="either a sound or none", found="--audio and --no-audio", remedy="Leave one out."
            )
        return None
    if options.audio_from is not None:
        audio = AudioSource(options.audio_from)
        check_output(out, True, audio)
        if driving.is_of(options.audio_from):
            return AudioSource(options.audio_from, options.start_s, options.duration_s)
        if options.start_s:
            console.say(f"The sound begins where {options.audio_from.name} does, whatever --start says.")
        return audio
    if driving.kind in ("npz", "openpose-json") and carries_sound:
        console.say(f"{driving.path.name} holds no sound; --audio names a file to take it from.")
    if not driving.has_audio:
        return None
    if not carries_sound:
        console.say("The driving has sound; only an .mp4 can carry it.")
        return None
    return AudioSource(driving.path, options.start_s, options.duration_s)
