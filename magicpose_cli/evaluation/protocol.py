"""The walk over two videos that computes all metrics.

Frame i of the one is compared with frame i of the other, and each value is the plain mean over all frames, as
published; or the features of all frames or clips on one side with those on the other (FID, FID-VID, FVD).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import console
from ..errors import InputError, OptionError
from . import reconstruction
from .distributions import frechet_distance
from .metrics import Protocol, metrics_of
from .networks import load_networks, too_few
from .sides import Frames, open_side, pairs, uneven


@dataclass
class Comparison:
    """What comparing two videos gave.

    Attributes:
        values: mean over all frames, or distance of both sides, by key, in the order of `METRICS`.
        per_frame: one value a frame by key.
        frames: how many pairs of frames were compared.
        width_px, height_px: the size of the true frames, at which they were compared.
        resized_from: (width, height) in px of the generated frames if they had another size.
        samples: frames or clips of (generated, truth) by key of a distance.
        weights: path and sha256 of each weight file that was read, by its name.
        not_computed: reason by key.
    """

    values: dict[str, float] = field(default_factory=dict)
    per_frame: dict[str, list[float]] = field(default_factory=dict)
    frames: int = 0
    width_px: int = 0
    height_px: int = 0
    resized_from: tuple[int, int] | None = None
    samples: dict[str, tuple[int, int]] = field(default_factory=dict)
    weights: dict[str, dict[str, str]] = field(default_factory=dict)
    not_computed: dict[str, str] = field(default_factory=dict)


def score(
    generated: Frames,
    truth: Frames,
    protocol: Protocol = "all",
    weights_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Compare a generated video with the true one.

    Args:
        generated, truth: a path (video, GIF, folder of pictures, picture) or uint8 (f H W 3), RGB. If the
            sizes differ, the generated frames are resized to the true ones (said). A folder may hold several
            videos, told apart by their names (`clips.frames_by_video`).
        protocol: `disco` (as published), `corrected` (as it should be) or `all`.
        weights_dir: where the weights of networks are looked for, by the names in `metric_weights.py`; then where
            torch keeps its own. Without them their metrics are not computed.

    Returns:
        A flat dict. As published: `l1_disco` (mean absolute difference over 0..255, divided by H W;
        lower is better), `psnr_disco` (dB, computed in wrapping uint8; higher), `ssim_disco` (grey,
        7x7 window, -1..1; higher), `lpips_disco` (0 and up; lower), `fid` and `fid_vid` (0 and up; lower; of few
        frames or clips they are large). As they should be: `l1` (0..255, lower), `psnr` (dB, higher),
        `ssim` (RGB, Gaussian window, -1..1, higher), `lpips` (0 and up, lower), `fvd` (0 and up, lower). Further
        `frames`, how many were compared, and `not_computed`, reasons by key for each metric that has none.

    Raises:
        VideoError: a path cannot be read, or the numbers of frames differ.
        OptionError: another protocol, an array of another shape, or frames below 11 px (16 with LPIPS).
        ModelError: a weight file that is not what its name says.
        MissingDependencyError: the `eval` extra is not installed.
    """
    compared = compare(generated, truth, protocol, weights_dir)
    return {**compared.values, "frames": compared.frames, "not_computed": compared.not_computed}


def compare(
    generated: Frames,
    truth: Frames,
    protocol: Protocol = "all",
    weights_dir: str | os.PathLike[str] | None = None,
) -> Comparison:
    """As `score`, with the values of each frame; arguments and errors as there."""
    metrics = metrics_of(protocol)
    reconstruction.check_dependencies()
    ours, theirs = open_side(generated), open_side(truth)
    if ours.count is not None and theirs.count is not None and ours.count != theirs.count:
        raise uneven(ours.count, theirs.count)
    if ours.fps is not None and theirs.fps is not None and abs(ours.fps / theirs.fps - 1) > 0.001:
        console.warn(
            f"{ours.name} has {float(ours.fps):.3f} frames a second, {theirs.name} {float(theirs.fps):.3f}: "
            "they are compared frame by frame."
        )
    folder = Path(weights_dir) if weights_dir is not None else None
    networks = load_networks((m.key for m in metrics if not (m.of_frames or m.missing)), folder)
    reasons = {m.key: m.missing or networks.missing.get(m.key, "") for m in metrics}
    of_frames = {m.key: m.of_frames or networks.of_frames.get(m.key) for m in metrics}
    computed = {key: metric for key, metric in of_frames.items() if metric is not None}
    result = Comparison(per_frame={key: [] for key in computed}, weights=networks.weights)
    with console.progress("compare", ours.count or theirs.count) as stage:
        for our_frame, their_frame in pairs(ours.frames, theirs.frames):
            _prepare(result, our_frame, their_frame, ours.name)
            our_frame = reconstruction.resized_like(our_frame, their_frame)
            for key, metric in computed.items():
                result.per_frame[key].append(metric(our_frame, their_frame))
            result.frames += 1
            stage.advance()
    found = {key: float(np.mean(values)) for key, values in result.per_frame.items()}
    for key, features_of in networks.of_videos.items():
        try:
            # FID is of frames, whatever video they belong to
            sides = [[enumerate(s.frames)] if key == "fid" else s.videos() for s in (ours, theirs)]
        except InputError as error:
            reasons[key] = str(error)
            continue
        with console.progress(key, 2, unit="sides") as stage:
            features = []
            for side in sides:
                features.append(features_of(side))
                stage.advance()
        result.samples[key] = len(features[0]), len(features[1])
        reasons[key] = too_few(result.samples[key], key)
        if not reasons[key]:
            found[key] = frechet_distance(*features)
    result.values = {m.key: found[m.key] for m in metrics if m.key in found}
    result.not_computed = {key: reason for key, reason in reasons.items() if reason}
    return result


def _prepare(result: Comparison, our_frame: np.ndarray, their_frame: np.ndarray, name: str) -> None:
    """Note the sizes at the first frame, and say what follows from them."""
    if result.frames:
        return
    result.height_px, result.width_px = their_frame.shape[:2]
    if min(result.height_px, result.width_px) < reconstruction.SMALLEST_SIDE_PX:
        raise OptionError(
            expected=f"frames of at least {reconstruction.SMALLEST_SIDE_PX} px on each side, for SSIM",
            found=f"{result.width_px}x{result.height_px}",
            remedy="Compare larger pictures.",
        )
    if our_frame.shape != their_frame.shape:
        result.resized_from = (our_frame.shape[1], our_frame.shape[0])
        console.say(
            f"{name} has frames of {our_frame.shape[1]}x{our_frame.shape[0]}: they are resized to "
            f"{result.width_px}x{result.height_px}, the size of the true ones."
        )
