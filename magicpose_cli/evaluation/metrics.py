"""Which metrics there are: their names, units and directions, and what computes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import OptionError
from . import reconstruction

Protocol = Literal["disco", "corrected", "all"]


@dataclass(frozen=True)
class Metric:
    """One key of a score.

    Attributes:
        key: its name in `score`.
        protocol: `disco` (as published) or `corrected` (as it should be).
        unit: the unit and range of its values.
        better: `lower` or `higher`.
        of_frames: computes it for one pair of frames; None where it needs a network, or is not computed.
        missing: why it is not computed; empty where it needs a network: `networks.py` says.
    """

    key: str
    protocol: Literal["disco", "corrected"]
    unit: str
    better: Literal["lower", "higher"]
    of_frames: Callable[[np.ndarray, np.ndarray], float] | None = None
    missing: str = ""


_LATER = "not in this version"
_OF_TEST_SETS = f"{_LATER} for two videos: eval --dataset computes it"

METRICS = (
    Metric("l1_disco", "disco", "0..255 / (H W)", "lower", reconstruction.l1_disco),
    Metric("psnr_disco", "disco", "dB, wrapped", "higher", reconstruction.psnr_disco),
    Metric("ssim_disco", "disco", "-1..1", "higher", reconstruction.ssim_disco),
    Metric("lpips_disco", "disco", "0 and up", "lower"),
    Metric("fid", "disco", "0 and up", "lower"),
    Metric("fid_vid", "disco", "0 and up", "lower"),
    Metric("face_cos", "disco", "-1..1", "higher", missing=f"{_LATER}: it needs a detector of faces"),
    Metric("l1", "corrected", "0..255", "lower", reconstruction.l1),
    Metric("psnr", "corrected", "dB", "higher", reconstruction.psnr),
    Metric("ssim", "corrected", "-1..1", "higher", reconstruction.ssim),
    Metric("lpips", "corrected", "0 and up", "lower"),
    Metric(
        "fid_clean", "corrected", "0 and up", "lower", missing=f"{_LATER}: it needs clean-fid's Inception"
    ),
    Metric("fvd", "corrected", "0 and up", "lower"),
    Metric("face_det", "corrected", "0..1", "higher", missing=_LATER),
    Metric("pose_accuracy", "corrected", "0..1", "higher", missing=_OF_TEST_SETS),
    Metric("expression", "corrected", "0..1", "higher", missing=_OF_TEST_SETS),
    Metric("flicker", "corrected", "0 and up", "lower", missing=_OF_TEST_SETS),
)


FRAME_METRICS = {metric.key: metric.of_frames for metric in METRICS if metric.of_frames is not None}
"""Those that a pair of frames gives without a network, by key."""


def metrics_of(protocol: str) -> list[Metric]:
    """The metrics of a protocol, in the order of `METRICS`; OptionError for another name."""
    if protocol not in ("disco", "corrected", "all"):
        raise OptionError(
            expected="the protocol disco, corrected or all",
            found=str(protocol),
            remedy="Choose one of these.",
        )
    return [metric for metric in METRICS if protocol in ("all", metric.protocol)]
