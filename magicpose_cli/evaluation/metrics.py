"""Which metrics there are: their names, units and directions, and what they need."""

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
        better: `lower` or `higher`; `neither` for the truth's own value, which stands beside the result's.
        of_frames: computes it for one pair of frames; None where it takes more than that.
        needs: `weights` of a network, a `detector` of people, both, or nothing.
    """

    key: str
    protocol: Literal["disco", "corrected"]
    unit: str
    better: Literal["lower", "higher", "neither"]
    of_frames: Callable[[np.ndarray, np.ndarray], float] | None = None
    needs: tuple[Literal["weights", "detector"], ...] = ()

    @property
    def described(self) -> str:
        """Unit and direction, for people."""
        return f"{self.unit}, " + ("of the truth" if self.better == "neither" else f"{self.better} is better")


METRICS = (
    Metric("l1_disco", "disco", "0..255 / (H W)", "lower", reconstruction.l1_disco),
    Metric("psnr_disco", "disco", "dB, wrapped", "higher", reconstruction.psnr_disco),
    Metric("ssim_disco", "disco", "-1..1", "higher", reconstruction.ssim_disco),
    Metric("lpips_disco", "disco", "0 and up", "lower", needs=("weights",)),
    Metric("fid", "disco", "0 and up", "lower", needs=("weights",)),
    Metric("fid_vid", "disco", "0 and up", "lower", needs=("weights",)),
    Metric("face_cos", "disco", "-1..1", "higher", needs=("weights", "detector")),
    Metric("dtssd", "disco", "0..255 squared", "lower"),
    Metric("l1", "corrected", "0..255", "lower", reconstruction.l1),
    Metric("psnr", "corrected", "dB", "higher", reconstruction.psnr),
    Metric("ssim", "corrected", "-1..1", "higher", reconstruction.ssim),
    Metric("lpips", "corrected", "0 and up", "lower", needs=("weights",)),
    Metric("fid_clean", "corrected", "0 and up", "lower", needs=("weights",)),
    Metric("fvd", "corrected", "0 and up", "lower", needs=("weights",)),
    Metric("face_cos_all", "corrected", "-1..1", "higher", needs=("weights", "detector")),
    Metric("fid_effnet_lite0", "corrected", "0 and up", "lower", needs=("weights",)),
    Metric("face_dist_dlib", "corrected", "0 and up", "lower", needs=("weights", "detector")),
    Metric("face_match_dlib", "corrected", "0..1", "higher", needs=("weights", "detector")),
    Metric("face_det", "corrected", "0..1", "higher", needs=("detector",)),
    Metric("pose_accuracy", "corrected", "0..1", "higher", needs=("detector",)),
    Metric("pose_accuracy_hands", "corrected", "0..1", "higher", needs=("detector",)),
    Metric("pose_accuracy_face", "corrected", "0..1", "higher", needs=("detector",)),
    Metric("expression", "corrected", "-1..1", "higher", needs=("detector",)),
    Metric("flicker", "corrected", "0..255", "lower", needs=("detector",)),
    Metric("flicker_of_truth", "corrected", "0..255", "neither", needs=("detector",)),
    Metric("warping_error", "corrected", "0..255", "lower"),
    Metric("warping_error_of_truth", "corrected", "0..255", "neither"),
)


FRAME_METRICS = {metric.key: metric.of_frames for metric in METRICS if metric.of_frames is not None}
"""Those that a pair of frames gives without a network, by key."""


FACE_KEYS = tuple(metric.key for metric in METRICS if metric.needs == ("weights", "detector"))
"""Those of two faces, by a network that tells people apart."""


def metrics_of(protocol: str) -> list[Metric]:
    """The metrics of a protocol, in the order of `METRICS`; OptionError for another name."""
    if protocol not in ("disco", "corrected", "all"):
        raise OptionError(
            expected="the protocol disco, corrected or all",
            found=str(protocol),
            remedy="Choose one of these.",
        )
    return [metric for metric in METRICS if protocol in ("all", metric.protocol)]
