"""What was evaluated, so that two evaluations are known to be on the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .datasets.clip import TestClip
from .datasets.pictures import sha256_of_list

SHORT = 12
"""Digits of a digest where a person reads it."""


def make_manifest(clips: Sequence[TestClip], dataset: str, split: str, stride: int) -> dict[str, Any]:
    """The true frames of an evaluation.

    Args:
        clips: those that are evaluated.
        dataset, split, stride: how they were chosen.

    Returns:
        `dataset`, `split` (None where there is only one), `stride`, `n_videos`, `n_frames` (targets), `clips` (by name:
        `n_frames`, and `sha256` of the contents of the reference and of all targets, in order), and `sha256` of all
        clips' digests, sorted: neither names nor the order of clips matter. Contents are the pictures' bytes as
        stored, or the video's and the numbers of the frames.
    """
    digests = {clip.name: clip.frames.sha256(clip.used) for clip in clips}
    return {
        "dataset": dataset,
        "split": split if dataset == "tiktok" else None,
        "stride": stride,
        "n_videos": len(clips),
        "n_frames": sum(len(clip.targets) for clip in clips),
        "sha256": sha256_of_list(sorted(digests.values())),
        "clips": {clip.name: {"n_frames": len(clip.targets), "sha256": digests[clip.name]} for clip in clips},
    }


def as_sentences(report: Mapping[str, Any]) -> str:
    """What was evaluated and how, in a paragraph for `report.md`."""
    settings, skipped = report["settings"], report["skipped"]
    split = f", split {settings['split']}" if settings["dataset"] == "tiktok" else ""
    step = settings["stride"]
    nth = {2: "second", 3: "third"}.get(step, f"{step}th")
    targets = "all later ones" if step == 1 else f"every {nth} of the later ones, from the first of them on"
    size = settings["size_px"]
    parts = [
        f"{len(report['clips'])} test clips{split}, {report['frames']} frames (data "
        f"`{report['manifest_sha256'][:SHORT]}`); the reference is each clip's first frame, the targets are {targets}."
    ]
    if settings["model"] is not None:
        preset = f"preset {settings['preset']}: " if settings["preset"] is not None else ""
        steps = "1 step" if settings["steps"] == 1 else f"{settings['steps']} steps"
        parts.append(
            f"{preset}{steps} of {settings['solver']}, guidance {settings['guidance']}, seed {settings['seed']}."
        )
        if settings.get("details") == "reference":
            parts.append("Frames take the reference's details where it agrees with what the model made.")
    parts.append(f"{size[0]}x{size[1]} px" if size else "Each clip at its own size")
    parts[-1] += f", magicpose {report['magicpose']}."
    if settings["gt"] == "vae":
        parts.append("The truth has gone through the model's VAE, so it is not the real frames.")
    if settings["poses"] is not None:
        parts.append(f"The dataset has no poses: they were detected ({settings['poses']}).")
    if skipped:
        parts.append(
            f"Left out: {len(skipped)} (" + "; ".join(f"{k}: {v}" for k, v in skipped.items()) + ")."
        )
    return " ".join(parts)
