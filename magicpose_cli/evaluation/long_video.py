"""What goes wrong only over a long video: seams where windows meet, and colours that drift away.

A video is made in windows that share a few frames. `seam` compares the change from frame to frame where a window begins
or ends with the change everywhere else; `drift` compares its first tenth with its last.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..diffusion.windows import shifted_windows
from ..pose.opencv import load_cv2
from ..pose.sequence import FramePose
from .identity import colours

LEAST_FRAMES = 64
"""Shorter videos have few windows, and tenths of too few frames."""
_ENDS = 0.1  # of the video, at its beginning and at its end


def window_borders(num_frames: int, window: int = 16, overlap: int = 4) -> list[int]:
    """Frames that stand right behind the beginning or the end of a window: where a seam would be seen.

    The windows are those of a sampler that does not move them (`diffusion.windows.shifted_windows` at offset 0). Ours
    moves them each step by default, and should show no seam at these places or at any other.
    """
    windows = shifted_windows(num_frames, window, overlap)
    borders = {frames[0] for frames in windows} | {frames[-1] + 1 for frames in windows}
    return sorted(borders - {0, num_frames})


def seam(changes: Sequence[float], borders: Sequence[int]) -> float | None:
    """Mean change across borders over mean change elsewhere: 1 without a seam, more with one.

    Args:
        changes: from each frame to the next, any unit; entry i is that from frame i to i + 1.
        borders: from `window_borders`.

    Returns:
        None where nothing changes elsewhere, or there is no border.
    """
    values = np.asarray(changes, np.float64)
    across = np.zeros(len(values), bool)
    across[[border - 1 for border in borders if 0 < border <= len(values)]] = True
    if not across.any() or across.all() or not values[~across].any():
        return None
    return float(values[across].mean() / values[~across].mean())


def background_drift(result: np.ndarray, truth: np.ndarray, still: np.ndarray) -> float | None:
    """How far the background's mean colour moves otherwise than the truth's, from the first tenth to the last.

    Args:
        result, truth: uint8 ``(f H W 3)``.
        still: where the background is, bool ``(f H W)``.

    Returns:
        A distance in CIE Lab, 0 and up, lower is better (2 is about what an eye tells apart); None without background.
    """
    first, last = _ends(len(truth))
    if not (still[first].any() and still[last].any()):
        return None
    moves = [
        _mean_lab(side[last], still[last]) - _mean_lab(side[first], still[first]) for side in (result, truth)
    ]
    return float(np.linalg.norm(moves[0] - moves[1]))


def person_drift(result: np.ndarray, truth: np.ndarray, truth_poses: Sequence[FramePose]) -> float | None:
    """As `background_drift`, mean over the parts of the person that `identity.colours` knows.

    None where no part is seen at both ends.
    """
    first, last = _ends(len(truth))
    moves = [
        colours(list(side[last]), truth_poses[last])[:, :3]
        - colours(list(side[first]), truth_poses[first])[:, :3]
        for side in (result, truth)
    ]
    apart = np.linalg.norm(moves[0] - moves[1], axis=1)
    return None if np.isnan(apart).all() else float(np.nanmean(apart))


def _ends(num_frames: int) -> tuple[slice, slice]:
    count = max(1, round(_ENDS * num_frames))
    return slice(0, count), slice(num_frames - count, num_frames)


def _mean_lab(frames: np.ndarray, where: np.ndarray) -> np.ndarray:
    cv2 = load_cv2()
    lab = np.stack([cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for frame in frames])
    return lab[where].mean(0, dtype=np.float64)
