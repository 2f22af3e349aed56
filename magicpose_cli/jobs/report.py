"""The report beside a result: all that is needed to run it again, and how it went."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..pose.sequence import POINT_COUNTS, FramePose
from .alignment import Aligned
from .versions import installed

if TYPE_CHECKING:
    from .plan import Plan, RetargetOptions

_NAMED = ("reference", "driving", "model", "audio")  # inputs that have an entry of their own in a report
_PACKAGES = ("torch", "diffusers", "mediapipe", "controlnet-aux", "av", "numpy")


@dataclass(frozen=True)
class Found:
    """What was seen before the frames were made.

    Attributes:
        reference_pose: the person in the reference.
        detector: who looked.
        aligned: whether and how the driving's poses were brought to that person.
        cut: driving frames in which their own crop cuts the person; aligned ones have none.
    """

    reference_pose: FramePose
    detector: str
    aligned: Aligned
    cut: int


def hash_inputs(plan: Plan, options: RetargetOptions) -> dict[str, str]:
    """SHA-256 of each input by its role: reference, driving, model, and of what else was given."""
    paths = {"reference": plan.reference_path, "driving": plan.driving.path, "model": plan.model_dir}
    paths |= {f"also {number}": path for number, path in enumerate(options.also, 1)}
    swaps = {"base_unet": plan.swaps.base_unet, "motion_module": plan.swaps.motion_module}
    paths |= {role: path for role, path in swaps.items() if path is not None}
    if plan.audio is not None:
        paths["audio"] = Path(plan.audio.path)
    return {role: plan.hashes.of(path) for role, path in paths.items()}


def describe(
    plan: Plan,
    options: RetargetOptions,
    hashes: dict[str, str],
    frames: int,
    found: Found,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Put a run's report together.

    Args:
        plan: what was settled before.
        options: what was asked for.
        hashes: of the inputs, by `hash_inputs`.
        frames: how many were written.
        found: what was seen before.
        seconds: time by stage.

    Returns:
        A document for JSON; ``fps`` is a fraction as text, which `encode` reads from a folder's report.
    """
    driving = plan.driving
    report: dict[str, Any] = {
        "magicpose": __version__,
        "reference": {"path": str(plan.reference_path), "sha256": hashes["reference"]},
        "driving": {"path": str(driving.path), "sha256": hashes["driving"], "kind": driving.kind},
        "output": str(plan.outputs.frames),
        "model": {
            "folder": plan.model_dir.name,
            "sha256": hashes["model"],
            "motion": plan.facts.has_motion,
        },
        "options": {
            **{name: _plain(value) for name, value in asdict(options).items()},
            "steps": plan.sampling.num_inference_steps,
            "guidance": plan.sampling.guidance_scale,
            "solver": plan.sampling.solver,
            "guided": list(plan.sampling.guided),
            "batch": plan.batch,
            "offload": plan.offload,
            "vae_tiles": plan.vae_tiles,
            "size": f"{plan.reference_place.width_px}x{plan.reference_place.height_px}",
            "noise": options.noise or plan.facts.sampling.noise,
            "noisy_reference": _either(options.noisy_reference, plan.facts.sampling.reference == "noised"),
            "reference_details": plan.facts.sampling.takes_details(options.reference_details),
            "device": str(plan.device),
            "dtype": str(plan.dtype).removeprefix("torch."),
        },
        "also_given": {role: digest for role, digest in hashes.items() if role not in _NAMED},
        "frames": frames,
        "fps": str(driving.fps),
        "audio": None,
        "detector": found.detector,
        "empty_frames": driving.empty_frames,
        "filled_frames": driving.filled_frames,
        "detection": _detection(plan, found),
        "alignment": found.aligned.as_dict(),
        "seconds": seconds,
        "versions": {"python": platform.python_version(), **installed(_PACKAGES)},
    }
    if plan.audio is not None:
        report["audio"] = {"path": str(plan.audio.path), "sha256": hashes["audio"]}
    return report


def _plain(value: Any) -> Any:
    """A path as text, alone or among others."""
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _either(asked: bool | None, own: bool) -> bool:
    return own if asked is None else asked


def _detection(plan: Plan, seen: Found) -> dict[str, Any]:
    """What was found: in the reference, how often in the driving, and frame by frame ("1101...")."""
    found: dict[str, Any] = {"reference": {part: seen.reference_pose.found(part) for part in POINT_COUNTS}}
    sequence = plan.driving.sequence
    if sequence is not None:
        found["driving"] = {**sequence.counts(), "cut_by_crop": seen.cut}
        found["per_frame"] = {
            part: "".join("1" if frame.found(part) else "0" for frame in sequence) for part in POINT_COUNTS
        }
    return found
