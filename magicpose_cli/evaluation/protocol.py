"""The walk over two videos that computes all metrics.

Frame i of the one is compared with frame i of the other, and each value is the plain mean over all frames, as
published; or what all pairs come to (joints, expression, change); or the features of all frames or clips on one side
with those on the other (FID, FID-VID, FVD).
"""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import console
from ..errors import InputError, MissingDependencyError, OptionError
from ..pose.detect import open_detector
from . import reconstruction
from .distributions import frechet_distance
from .faces import DETECTOR
from .feature_cache import FeatureCache, features_dir, videos_sha256
from .metrics import Metric, Protocol, metrics_of
from .networks import OF_FRAMES_ALONE, Networks, OfFrames, load_networks, too_few
from .pair_measures import ChangeMeasure, DtssdMeasure, PairMeasure, PeopleMeasure, PerFrame
from .person_mask import SEGMENTER, PersonMasks
from .sides import Align, Frames, Pairs, open_sides
from .stopwatch import Stopwatch


@dataclass
class Comparison:
    """What comparing two videos gave.

    Attributes:
        values: mean over all frames, or distance of both sides, by key, in the order of `METRICS`.
        per_frame: one value a frame by key; None where a frame has none (no face, or no frame before it).
        frames: how many pairs of frames were compared.
        width_px, height_px: the size of the true frames, at which they were compared.
        resized_from: (width, height) in px of the generated frames if they had another size.
        align: how frames were paired: `strict`, `cut` or `time`.
        left_out: frames of (generated, truth) beyond the end of the shorter one.
        resampled_from_fps: the generated video's rate where it was read at the truth's; else None.
        detector: what found people and faces; empty where nothing did.
        segmenter: what found the background of the truth; empty where nothing did.
        samples: frames or clips of (generated, truth) by key of a distance; faces by `face_det`, `face_cos` and dlib's.
        weights: path and sha256 of each weight file that was read, by its name.
        seconds: `networks`, time in networks with weights; `detectors`, in MediaPipe; `all`, the whole.
        not_computed: reason by key.
    """

    values: dict[str, float] = field(default_factory=dict)
    per_frame: dict[str, PerFrame] = field(default_factory=dict)
    frames: int = 0
    width_px: int = 0
    height_px: int = 0
    resized_from: tuple[int, int] | None = None
    align: Align = "strict"
    left_out: tuple[int, int] = (0, 0)
    resampled_from_fps: float | None = None
    detector: str = ""
    segmenter: str = ""
    samples: dict[str, tuple[int, int]] = field(default_factory=dict)
    weights: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    not_computed: dict[str, str] = field(default_factory=dict)


def score(
    generated: Frames,
    truth: Frames,
    protocol: Protocol = "all",
    weights_dir: str | os.PathLike[str] | None = None,
    align: Align = "strict",
    quick: bool = False,
) -> dict[str, Any]:
    """Compare a generated video with the true one.

    Args:
        generated, truth: a path (video, GIF, folder of pictures, picture) or uint8 (f H W 3), RGB. If the
            sizes differ, the generated frames are resized to the true ones (said). A folder may hold several
            videos, told apart by their names (`clips.frames_by_video`).
        protocol: `disco` (as published), `corrected` (as it should be) or `all`.
        weights_dir: where the weights of networks are looked for, by the names in `metric_weights.py`; then where
            torch keeps its own. Without them their metrics are not computed.
        align: what happens to other lengths and frame rates: `strict` (an error), `cut`, `time` or `auto`
            (`sides.open_sides`).
        quick: leave out all that needs a network or a detector.

    Returns:
        A flat dict. As published: `l1_disco` (mean absolute difference over 0..255, divided by H W;
        lower is better), `psnr_disco` (dB, computed in wrapping uint8; higher), `ssim_disco` (grey,
        7x7 window, -1..1; higher), `lpips_disco` (0 and up; lower), `fid` and `fid_vid` (0 and up; lower; of few
        frames or clips they are large), `face_cos` (cosine of AdaFace's features over frames with a face on both
        sides, -1..1; higher), `dtssd` (how differently the two change, 0..255 squared, lower). As they should be:
        `l1` (0..255, lower), `psnr` (dB, higher),
        `ssim` (RGB, Gaussian window, -1..1, higher), `lpips`, `fid_clean` and `fvd` (0 and up, lower), `face_cos_all`
        (as `face_cos`, 0 where the result has lost the face),
        `fid_effnet_lite0` (Frechet distance of EfficientNet-Lite0's features, 0 and up, lower), `face_dist_dlib`
        (distance of dlib's features of both faces, 0 and up, lower), `face_match_dlib` (share of the truth's
        faces of which it is below 0.6, 0..1, higher), `face_det`
        (share of the truth's faces that the result has, 0..1, higher), `pose_accuracy` (share of the truth's joints
        that the result has within 5 % of the person's height, 0..1, higher), `pose_accuracy_hands` and
        `pose_accuracy_face` (the same of the points of hands and face), `expression` (mean correlation of how
        open mouth and eyes and how high the brows are, -1..1, higher), `flicker` (change of the background from
        frame to frame, 0..255, lower) and `warping_error` (the same along the truth's motion, of all that is seen).
        The last two mean something beside `flicker_of_truth` and `warping_error_of_truth` only. People, faces
        and joints are MediaPipe's in both videos; the background is what its selfie segmentation leaves of the truth.
        Further `frames`, how many were compared, and `not_computed`, reasons by key for each metric that has none.

    Raises:
        VideoError: a path cannot be read, or the numbers of frames differ.
        OptionError: another protocol or alignment, an array of another shape, or frames below 11 px (16 with LPIPS).
        ModelError: a weight file that is not what its name says.
        MissingDependencyError: the `eval` extra is not installed.
    """
    compared = compare(generated, truth, protocol, weights_dir, align, quick)
    return {**compared.values, "frames": compared.frames, "not_computed": compared.not_computed}


def compare(
    generated: Frames,
    truth: Frames,
    protocol: Protocol = "all",
    weights_dir: str | os.PathLike[str] | None = None,
    align: Align = "strict",
    quick: bool = False,
) -> Comparison:
    """As `score`, with the values of each frame; arguments and errors as there."""
    whole, detecting, in_networks = Stopwatch(), Stopwatch(), Stopwatch()
    with whole.running(), ExitStack() as open_things:
        metrics = metrics_of(protocol)
        reconstruction.check_dependencies()
        pairs = open_sides(generated, truth, align)
        result = Comparison()
        if quick:
            result.not_computed = {
                m.key: f"left out (quick): it needs {_needs(m)}." for m in metrics if m.needs
            }
        wanted = [m for m in metrics if m.key not in result.not_computed]
        folder = Path(weights_dir) if weights_dir is not None else None
        networks = load_networks((m.key for m in wanted if "weights" in m.needs), folder, in_networks)
        result.weights, result.not_computed = networks.weights, result.not_computed | networks.missing
        measures = _open_measures(wanted, networks, result, detecting, open_things)
        of_frames = {m.key: m.of_frames or networks.of_frames.get(m.key) for m in wanted}
        values = _walk(pairs, {key: of for key, of in of_frames.items() if of is not None}, measures, result)
        values |= _distances(pairs, wanted, networks, result)
        result.values = {m.key: values[m.key] for m in metrics if m.key in values}
        asked = [m.key for m in metrics]
        result.not_computed = {key: result.not_computed[key] for key in asked if key in result.not_computed}
        result.per_frame = {key: result.per_frame[key] for key in asked if key in result.per_frame}
    result.seconds = {"networks": in_networks.seconds, "detectors": detecting.seconds, "all": whole.seconds}
    return result


def _needs(metric: Metric) -> str:
    return " and ".join({"weights": "a network", "detector": "a detector"}[need] for need in metric.needs)


def _open_measures(
    wanted: list[Metric],
    networks: Networks,
    result: Comparison,
    watch: Stopwatch,
    open_things: ExitStack,
) -> list[PairMeasure]:
    """The measures that some wanted metric needs; MediaPipe is loaded where one of them needs it."""
    measures: list[PairMeasure] = []
    # what has its network, or needs none
    keys = {m.key for m in wanted if m.key not in networks.missing}
    seen = {m.key for m in wanted if "detector" in m.needs} & keys
    masks: PersonMasks | None = None
    try:
        if seen - {"flicker", "flicker_of_truth"}:
            detector = open_things.enter_context(closing(open_detector("mediapipe")))
            measures.append(PeopleMeasure(detector, networks.of_faces, watch))
        if "flicker" in seen:
            masks = open_things.enter_context(closing(PersonMasks()))
            result.segmenter = SEGMENTER
        result.detector = DETECTOR if seen else ""
    except MissingDependencyError as error:
        result.not_computed |= dict.fromkeys(seen, str(error))
    if "dtssd" in keys:
        measures.append(DtssdMeasure())
    if "warping_error" in keys:
        measures.append(ChangeMeasure(masks, watch))
    return measures


def _walk(
    pairs: Pairs, of_frames: dict[str, OfFrames], measures: list[PairMeasure], result: Comparison
) -> dict[str, float]:
    """Look at each pair of frames once; gives the values by key, and notes all else in the result."""
    per_frame: dict[str, list[float]] = {key: [] for key in of_frames}
    counts = [side.count for side in (pairs.ours, pairs.theirs) if side.count is not None]
    with console.progress("compare", min(counts, default=None)) as stage:
        for (ours, theirs), place in zip(pairs, pairs.theirs.places(), strict=False):
            _prepare(result, ours, theirs, pairs.ours.name)
            ours = reconstruction.resized_like(ours, theirs)
            for key, metric in of_frames.items():
                per_frame[key].append(metric(ours, theirs))
            for measure in measures:
                measure.see(ours, theirs, place)
            result.frames += 1
            stage.advance()
    result.align, result.left_out = pairs.align, pairs.left_out
    fps = pairs.resampled_from_fps
    result.resampled_from_fps = None if fps is None else float(fps)
    values = {key: float(np.mean(numbers)) for key, numbers in per_frame.items()}
    result.per_frame = {key: [*numbers] for key, numbers in per_frame.items()}
    for measure in measures:
        found = measure.found()
        values |= found.values
        result.per_frame |= found.per_frame
        result.not_computed |= found.missing
        result.samples |= found.samples
    return values


def _distances(
    pairs: Pairs, wanted: list[Metric], networks: Networks, result: Comparison
) -> dict[str, float]:
    """Frechet distances of both sides' features, by key; those of the truth are kept for the next time."""
    values, cache, known = {}, FeatureCache(features_dir()), dict[bool, str]()
    for key in [m.key for m in wanted if m.key in networks.of_videos]:
        together = key in OF_FRAMES_ALONE
        try:
            ours, theirs = (side.videos(result.frames, together) for side in (pairs.ours, pairs.theirs))
            if together not in known:
                known[together] = videos_sha256(pairs.theirs.videos(result.frames, together))
        except InputError as error:
            result.not_computed[key] = str(error)
            continue
        features_of = networks.of_videos[key]
        with console.progress(key, 2, unit="sides") as stage:
            generated = features_of(ours)
            stage.advance()
            truth = cache.get(key, networks.sha256_of(key), known[together], partial(features_of, theirs))
            stage.advance()
        result.samples[key] = len(generated), len(truth)
        reason = too_few(result.samples[key], key)
        if reason:
            result.not_computed[key] = reason
        else:
            values[key] = frechet_distance(generated, truth)
    return values


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
