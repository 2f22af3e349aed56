"""Whether what moves keeps its look: frame t + 1 brought back to t by the flow of the truth.

    warped(p) = frame[t+1](p + flow(p))          flow: of the truth, from t to t + 1
    error     = mean |warped - frame[t]| over the pixels whose flow is believed

After Lai et al., ECCV 2018 (section 4.2), who take FlowNet2 and squared differences; here the flow is OpenCV's DIS
(Kroeger et al., ECCV 2016), which needs no weights, and the difference is absolute, in levels of 0..255.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..diffusion.flow import optical_flow
from ..pose.opencv import load_cv2

# where forward and backward flow contradict each other something is hidden or comes into sight
# (Sundaram et al., ECCV 2010, Eq. 5: their constants)
_SHARE, _SLACK_PX2 = 0.01, 0.5


@dataclass(frozen=True)
class Flow:
    """How a frame's pixels move to the next frame.

    Attributes:
        source_x, source_y: where each pixel lies in the next frame, px, float32 ``(H W)``.
        believed: where that can be trusted, bool ``(H W)``.
    """

    source_x: np.ndarray
    source_y: np.ndarray
    believed: np.ndarray


def flow_between(before: np.ndarray, after: np.ndarray) -> Flow:
    """The optical flow between two frames of the truth, uint8 ``(H W 3)``."""
    cv2 = load_cv2()
    height, width = before.shape[:2]
    forward, backward = optical_flow(before, after), optical_flow(after, before)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    source_x, source_y = x + forward[..., 0], y + forward[..., 1]
    back = cv2.remap(backward, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = ((forward + back) ** 2).sum(-1)
    agree = apart <= _SHARE * ((forward**2).sum(-1) + (back**2).sum(-1)) + _SLACK_PX2
    inside = (source_x >= 0) & (source_x <= width - 1) & (source_y >= 0) & (source_y <= height - 1)
    return Flow(source_x, source_y, agree & inside)


def warping_error(before: np.ndarray, after: np.ndarray, flow: Flow) -> float | None:
    """Mean absolute difference of a frame and the next one, warped back; 0..255, lower is better.

    Args:
        before, after: of the result (or of the truth, for its own value), uint8 ``(H W 3)``.
        flow: of the truth between the same frames.

    Returns:
        None where no pixel's flow is believed, as at a cut.
    """
    if not flow.believed.any():
        return None
    cv2 = load_cv2()
    warped = cv2.remap(
        after.astype(np.float32),
        flow.source_x,
        flow.source_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return float(np.abs(warped - before)[flow.believed].mean(dtype=np.float64))
