"""Which metrics there are, and the walk over two videos that computes them.

Frame i of the one is compared with frame i of the other; each value is the plain mean over all
frames, as published.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from .. import console
from ..errors import OptionError, VideoError
from ..media.video import FrameReader
from . import reconstruction

Protocol = Literal["disco", "corrected", "all"]
Frames = str | os.PathLike[str] | np.ndarray


@dataclass(frozen=True)
class Metric:
    """One key of a score.

    Attributes:
        key: its name in `score`.
        protocol: `disco` (as published) or `corrected` (as it should be).
        unit: the unit and range of its values.
        better: `lower` or `higher`.
        of_frames: computes it for one pair of frames; None where it is not computed.
        missing: why it is not computed.
    """

    key: str
    protocol: Literal["disco", "corrected"]
    unit: str
    better: Literal["lower", "higher"]
    of_frames: Callable[[np.ndarray, np.ndarray], float] | None = None
    missing: str = ""


def _needs(weights: str) -> str:
    return f"not in this version: it needs the weights of {weights}"


_LATER = "not in this version"

METRICS = (
    Metric("l1_disco", "disco", "0..255 / (H W)", "lower", reconstruction.l1_disco),
    Metric("psnr_disco", "disco", "dB, wrapped", "higher", reconstruction.psnr_disco),
    Metric("ssim_disco", "disco", "-1..1", "higher", reconstruction.ssim_disco),
    Metric("lpips_disco", "disco", "0..1", "lower", missing=_needs("VGG16")),
    Metric("fid", "disco", "0 and up", "lower", missing=_needs("pytorch-fid's Inception")),
    Metric("fid_vid", "disco", "0 and up", "lower", missing=_needs("a Kinetics ResNet3D-50")),
    Metric("face_cos", "disco", "-1..1", "higher", missing=_needs("AdaFace IR-50")),
    Metric("l1", "corrected", "0..255", "lower", reconstruction.l1),
    Metric("psnr", "corrected", "dB", "higher", reconstruction.psnr),
    Metric("ssim", "corrected", "-1..1", "higher", reconstruction.ssim),
    Metric("lpips", "corrected", "0..1", "lower", missing=_needs("VGG16")),
    Metric("fid_clean", "corrected", "0 and up", "lower", missing=_needs("clean-fid's Inception")),
    Metric("fvd", "corrected", "0 and up", "lower", missing=_needs("a Kinetics I3D")),
    Metric("face_det", "corrected", "0..1", "higher", missing=_LATER),
    Metric("pose_accuracy", "corrected", "0..1", "higher", missing=_LATER),
    Metric("expression", "corrected", "0..1", "higher", missing=_LATER),
    Metric("flicker", "corrected", "0 and up", "lower", missing=_LATER),
)


@dataclass
class Comparison:
    """What comparing two videos gave.

    Attributes:
        values: mean over all frames by key, in the order of `METRICS`.
        per_frame: one value a frame by key.
        frames: how many pairs of frames were compared.
        width_px, height_px: the size of the true frames, at which they were compared.
        resized_from: (width, height) in px of the generated frames if they had another size.
        not_computed: reason by key.
    """

    values: dict[str, float] = field(default_factory=dict)
    per_frame: dict[str, list[float]] = field(default_factory=dict)
    frames: int = 0
    width_px: int = 0
    height_px: int = 0
    resized_from: tuple[int, int] | None = None
    not_computed: dict[str, str] = field(default_factory=dict)


def score(generated: Frames, truth: Frames, protocol: Protocol = "all") -> dict[str, Any]:
    """Compare a generated video with the true one.

    Args:
        generated, truth: a path (video, GIF, folder of pictures, picture) or uint8 (f H W 3), RGB. If the
            sizes differ, the generated frames are resized to the true ones (said).
        protocol: `disco` (as published), `corrected` (as it should be) or `all`.

    Returns:
        A flat dict. As published: `l1_disco` (mean absolute difference over 0..255, divided by H W;
        lower is better), `psnr_disco` (dB, computed in wrapping uint8; higher), `ssim_disco` (grey,
        7x7 window, -1..1; higher). As they should be: `l1` (0..255, lower), `psnr` (dB, higher),
        `ssim` (RGB, Gaussian window, -1..1, higher). Further `frames`, how many were compared, and
        `not_computed`, reasons by key for each metric that has none.

    Raises:
        VideoError: a path cannot be read, or the numbers of frames differ.
        OptionError: another protocol, an array of another shape, or frames below 11 px.
        MissingDependencyError: the `eval` extra is not installed.
    """
    compared = compare(generated, truth, protocol)
    return {**compared.values, "frames": compared.frames, "not_computed": compared.not_computed}


def compare(generated: Frames, truth: Frames, protocol: Protocol = "all") -> Comparison:
    """As `score`, with the values of each frame; arguments and errors as there."""
    metrics = _metrics_of(protocol)
    reconstruction.check_dependencies()
    ours, theirs = _open(generated), _open(truth)
    if ours.count is not None and theirs.count is not None and ours.count != theirs.count:
        raise _uneven(ours.count, theirs.count)
    if ours.fps is not None and theirs.fps is not None and abs(ours.fps / theirs.fps - 1) > 0.001:
        console.warn(
            f"{ours.name} has {float(ours.fps):.3f} frames a second, {theirs.name} {float(theirs.fps):.3f}: "
            "they are compared frame by frame."
        )
    result = Comparison(not_computed={metric.key: metric.missing for metric in metrics if metric.missing})
    computed = {metric.key: metric.of_frames for metric in metrics if metric.of_frames is not None}
    result.per_frame = {key: [] for key in computed}
    with console.progress("compare", ours.count or theirs.count) as stage:
        for our_frame, their_frame in _pairs(ours.frames, theirs.frames):
            _prepare(result, our_frame, their_frame, ours.name)
            our_frame = reconstruction.resized_like(our_frame, their_frame)
            for key, of_frames in computed.items():
                result.per_frame[key].append(of_frames(our_frame, their_frame))
            result.frames += 1
            stage.advance()
    result.values = {key: float(np.mean(values)) for key, values in result.per_frame.items()}
    return result


@dataclass(frozen=True)
class _Source:
    name: str
    frames: Iterable[np.ndarray]
    count: int | None
    fps: Fraction | None


def _open(frames: Frames) -> _Source:
    if isinstance(frames, np.ndarray):
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
            raise OptionError(
                expected="frames as uint8 (f H W 3)",
                found=f"{frames.dtype} {frames.shape}",
                remedy="Convert the array.",
            )
        return _Source("the array", frames, len(frames), None)
    reader = FrameReader(frames)
    # pictures have no rate of their own
    fps = reader.fps if reader.info.kind in ("video", "gif") else None
    return _Source(reader.info.path.name, reader, reader.expected_frames, fps)


def _pairs(ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray]) -> Iterator[tuple[Any, Any]]:
    """As `zip`, but a difference in length is an error: the protocol would cut in silence."""
    our_frames, their_frames, count = iter(ours), iter(theirs), 0
    while True:
        our_frame, their_frame = next(our_frames, None), next(their_frames, None)
        if our_frame is None and their_frame is None:
            return
        if our_frame is None or their_frame is None:
            more = 1 + sum(1 for _ in (our_frames if their_frame is None else their_frames))
            raise _uneven(count + more * (their_frame is None), count + more * (our_frame is None))
        count += 1
        yield our_frame, their_frame


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


def _metrics_of(protocol: str) -> list[Metric]:
    if protocol not in ("disco", "corrected", "all"):
        raise OptionError(
            expected="the protocol disco, corrected or all",
            found=str(protocol),
            remedy="Choose one of these.",
        )
    return [metric for metric in METRICS if protocol in ("all", metric.protocol)]


def _uneven(ours: int, theirs: int) -> VideoError:
    return VideoError(
        expected="as many generated frames as true ones",
        found=f"{ours} generated and {theirs} true",
        remedy="Cut the longer one, or generate all frames.",
    )
