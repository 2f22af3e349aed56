"""How strongly each condition acts on a sample: the knobs beside guidance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import OptionError


@dataclass(frozen=True)
class Controls:
    """Strength and time of the conditions; the defaults are the paper's network.

    Attributes:
        appearance_scale: factor on the attention that each token pays to the bank's, before the softmax normalises
            it; 0 is the UNet without a reference.
        pose_scale: factor on the pose ControlNet's residuals; 0 is without a pose.
        pose_start, pose_end: part of the denoising in which the pose acts, 0 the first step and 1 the last, as
            ``control_guidance_start`` and ``control_guidance_end`` of diffusers.

    Raises:
        OptionError: a scale below 0 or infinite, or no time between start and end.
    """

    appearance_scale: float = 1.0
    pose_scale: float = 1.0
    pose_start: float = 0.0
    pose_end: float = 1.0

    def __post_init__(self) -> None:
        scales = (self.appearance_scale, self.pose_scale)
        if not all(math.isfinite(scale) and scale >= 0 for scale in scales):
            raise OptionError(
                expected="scales of 0 or more",
                found=f"appearance {self.appearance_scale}, pose {self.pose_scale}",
                remedy="1 is the paper's network, 0 leaves a condition out.",
            )
        if not 0 <= self.pose_start < self.pose_end <= 1:
            raise OptionError(
                expected="a start of the pose before its end, both between 0 and 1",
                found=f"{self.pose_start} to {self.pose_end}",
                remedy="0 to 1 is the whole denoising.",
            )

    def pose_scale_at(self, step: int, steps: int) -> float:
        """Factor on the residuals in one step (0 first) of several; 0 where the pose does not act."""
        acts = self.pose_start <= step / steps and (step + 1) / steps <= self.pose_end
        return self.pose_scale if acts else 0.0
