"""The main job: detect, draw, sample, decode, write, report.

reference ─> placed picture ─────────────────────┐
driving ──> PoseSequence ──> pose maps ──────────┴─> latents ─> frames, one at a time ─> out.mp4, out.json
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, console
from ..errors import OptionError
from ..media.atomic import refuse_existing, write_json
from ..media.compare import side_by_side
from ..media.files import sha256_of
from ..media.pictures import load_picture
from ..media.sound import AudioSource
from ..media.video import check_output, open_writer
from ..pose.detect import open_detector
from ..pose.sequence import FramePose
from ..weights import EMBEDDED_MODEL, find_model, installed_models
from .driving import Cut, Driving
from .fit import choose_size, edge_colour, place, say_what_is_cut

if TYPE_CHECKING:
    from ..diffusion.pipeline import MagicPosePipeline
    from ..media.pictures import Placement
    from ..recipe import SamplingBlock


@dataclass(frozen=True)
class RetargetOptions:
    """What can be chosen for a run; None is the model's own default.

    Attributes:
        model: name or folder of the model; None for the best at hand.
        steps: denoising steps.
        guidance: strength of Image-CFG; 1 switches it off.
        seed: of the noise.
        size: ``WxH`` or ``auto``.
        fit: ``crop`` or ``pad``.
        device, dtype: where and in which format to compute.
        start_s, duration_s: part of the driving to use.
        window, overlap: frames denoised together, and shared by neighbours.
        driving_kind: ``auto``, ``video``, ``pose-maps`` or ``openpose-json``.
        detector: ``auto``, ``mediapipe`` or ``openpose``.
        audio_from: file whose sound to use; None for the driving's own.
        keep_audio: False for a silent result.
        compare: also write reference, pose and result side by side.
        force: replace outputs that exist.
    """

    model: str | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    size: str = "auto"
    fit: str = "crop"
    device: str = "auto"
    dtype: str = "auto"
    start_s: float = 0.0
    duration_s: float | None = None
    window: int = 16
    overlap: int = 4
    driving_kind: str = "auto"
    detector: str = "auto"
    audio_from: Path | None = None
    keep_audio: bool = True
    compare: bool = False
    force: bool = False


@dataclass(frozen=True)
class Outputs:
    """Where a run writes.

    Attributes:
        frames: the result: `.mp4`, `.gif` or a folder.
        report: what the run was.
        compare: side by side, or None.
    """

    frames: Path
    report: Path
    compare: Path | None

    @classmethod
    def beside(cls, out: str | Path, *, compare: bool, force: bool) -> Outputs:
        """Name the outputs and see, before any work, that they can be written.

        Raises:
            OutputExistsError: one is there and ``force`` is False.
            OptionError: a name that no writer knows.
        """
        frames = Path(out)
        is_folder = check_output(out, force) == "folder"
        report = frames / "report.json" if is_folder else frames.with_suffix(".json")
        shown = frames.with_name(f"{frames.stem}.compare.mp4") if compare else None
        if not is_folder:
            refuse_existing(report, force)
        if shown is not None:
            check_output(shown, force)
        return cls(frames, report, shown)


class _Clock:
    """Seconds by stage of the job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start_s = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - start_s, 3)


def retarget(
    reference_path: Path, driving_path: Path, out: str | Path, options: RetargetOptions
) -> dict[str, Any]:
    """Make the reference's person move as the driving does.

    Args:
        reference_path: a picture of one person.
        driving_path: a video, a saved pose sequence, pose maps or OpenPose JSON files.
        out: `.mp4`, `.gif`, or a folder (ends in / or has no suffix).
        options: how.

    Returns:
        The report, as it was written.

    Raises:
        InputError: anything wrong with what was given, before a model is loaded.
    """
    from ..device import pick_device, pick_dtype
    from ..diffusion.folder import load_model, read_facts

    clock = _Clock()
    _check_numbers(options)
    outputs = Outputs.beside(out, compare=options.compare, force=options.force)
    reference = load_picture(reference_path)
    driving = Driving(driving_path, options.driving_kind, Cut(options.start_s, options.duration_s))
    audio = _choose_audio(driving, outputs.frames, options)
    model_dir = find_model(options.model)
    facts = read_facts(model_dir)
    _say_what_it_knows(model_dir, options.model, facts.sampling)
    reference_px = (reference.shape[1], reference.shape[0])
    size_px = choose_size(options.size, reference_px, facts.sampling, facts.size_multiple_px)
    reference_place = place(reference_px, size_px, options.fit)
    driving_place = place(driving.size_px, size_px, options.fit)
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    steps = options.steps or facts.sampling.num_inference_steps
    guidance = facts.sampling.guidance_scale if options.guidance is None else options.guidance

    with clock.stage("detect"), closing(open_detector(options.detector)) as detector:
        reference_pose = detector.detect_still(reference)
        if not reference_pose.found("body"):
            console.warn(
                f"nobody was found in {reference_path.name}; if it is a drawing of a person this may still work."
            )
        driving.find_poses(detector)
    cut = _say_crops(reference_pose, reference_place, driving, driving_place)
    placed = reference_place.apply(reference, edge_colour(reference))
    maps = driving.maps(driving_place)
    if not facts.has_motion and len(maps) > 1:
        console.warn("this model has no motion module: its frames are independent of each other.")
    with clock.stage("load"):
        pipeline = load_model(model_dir, device, dtype)
    with ExitStack() as stack:
        writer = stack.enter_context(open_writer(out, driving.fps, options.force, audio))
        shown = None
        if outputs.compare is not None:
            shown = stack.enter_context(open_writer(outputs.compare, driving.fps, options.force, audio))
        frames = _sampled(pipeline, placed, maps, steps, guidance, options, clock)
        count = 0
        with clock.stage("decode and write"), console.progress("Writing frames", total=len(maps)) as bar:
            for number, frame in enumerate(frames):
                frame = reference_place.unpad(frame)
                writer.write(frame)
                if shown is not None:
                    panels = (reference_place.unpad(placed), reference_place.unpad(maps[number]), frame)
                    shown.write(side_by_side(panels))
                count += 1
                bar.advance()
    report = {
        "magicpose": __version__,
        "reference": {"path": str(reference_path), "sha256": sha256_of(reference_path)},
        "driving": {"path": str(driving_path), "sha256": sha256_of(driving_path), "kind": driving.kind},
        "output": str(outputs.frames),
        "model": {
            "folder": model_dir.name,
            "sha256": sha256_of(model_dir),
            "motion": facts.has_motion,
        },
        "options": {
            **asdict(options),
            "steps": steps,
            "guidance": guidance,
            "size": f"{size_px[0]}x{size_px[1]}",
            "noise": facts.sampling.noise,
            "device": str(device),
            "dtype": str(dtype).removeprefix("torch."),
        },
        "frames": count,
        "fps": str(driving.fps),
        "sound": None if audio is None else Path(audio.path).name,
        "detector": detector.name,
        "detection": _detection(driving, reference_pose, cut),
        "seconds": clock.seconds,
        "versions": _versions(),
    }
    write_json(outputs.report, report)
    return report


def _check_numbers(options: RetargetOptions) -> None:
    if not 0 <= options.overlap < options.window:
        raise OptionError(
            expected="an overlap smaller than the window",
            found=f"--window {options.window} --overlap {options.overlap}",
            remedy="Use --window 16 --overlap 4.",
        )


def _say_what_it_knows(folder: Path, asked_for: str | None, sampling: SamplingBlock) -> None:
    if folder == installed_models()[EMBEDDED_MODEL]:
        why = "" if asked_for else "No full model is installed. "
        console.say(
            f"{why}Model: mini, which knows {sampling.knows} only; a real person will not look real with it."
        )


def _choose_audio(driving: Driving, out: Path, options: RetargetOptions) -> AudioSource | None:
    """Which sound the result gets; said where a sound that was there gets lost."""
    if not options.keep_audio:
        if options.audio_from is not None:
            raise OptionError(
                expected="either a sound or none", found="--audio and --no-audio", remedy="Leave one out."
            )
        return None
    if options.audio_from is not None:
        audio = AudioSource(options.audio_from)
        check_output(out, True, audio)
        return audio
    if not driving.has_audio:
        return None
    if out.suffix.lower() != ".mp4":
        console.say("The driving has sound; only an .mp4 can carry it.")
        return None
    return AudioSource(driving.path, options.start_s, options.duration_s)


def _say_crops(
    reference_pose: FramePose, reference_place: Placement, driving: Driving, driving_place: Placement
) -> int:
    say_what_is_cut([reference_pose], reference_place, "reference")
    if driving.sequence is None:
        return 0
    return say_what_is_cut(list(driving.sequence), driving_place, "driving")


def _sampled(
    pipeline: MagicPosePipeline,
    reference: np.ndarray,
    maps: Any,
    steps: int,
    guidance: float,
    options: RetargetOptions,
    clock: _Clock,
) -> Iterator[np.ndarray]:
    """Sample with a bar of its own, counted in frames times steps; then hand over the decoder."""
    with (
        clock.stage("sample"),
        console.progress("Denoising", total=steps * len(maps), unit="frame-steps") as bar,
    ):
        latents = pipeline.sample(
            reference,
            maps,
            num_inference_steps=steps,
            guidance_scale=guidance,
            seed=options.seed,
            window=options.window,
            overlap=options.overlap,
            on_step=bar.advance,
        )
    return (pipeline.decode(latent[None])[0] for latent in latents)


def _detection(driving: Driving, reference_pose: FramePose, cut: int) -> dict[str, Any]:
    parts = ("body", "left_hand", "right_hand", "face")
    found: dict[str, Any] = {"reference": {part: reference_pose.found(part) for part in parts}}
    if driving.sequence is not None:
        counts = driving.sequence.counts()
        found["driving"] = {**counts, "cut_by_crop": cut}
        found["per_frame"] = {
            part: "".join("1" if frame.found(part) else "0" for frame in driving.sequence) for part in parts
        }
    return found


def _versions() -> dict[str, str]:
    packages = ("torch", "diffusers", "mediapipe", "controlnet-aux", "av", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
