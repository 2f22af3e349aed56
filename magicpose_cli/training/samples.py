"""Pictures to watch a model learn by: held-out clips beside what it makes of their poses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..diffusion.pipeline import MagicPosePipeline
from .data import Clips

_STEPS = 10
_CLIPS = 6
_STRIPS, _STRIP_FRAMES = 2, 8  # enough to see things move, in the time of 16 single frames


def grid(pipeline: MagicPosePipeline, clips: Clips, shown: dict[str, Any]) -> np.ndarray:
    """Clips in rows: reference, pose map, result, truth; uint8 ``(H W 3)``.

    Args:
        pipeline: what makes the results.
        clips: of each the last frame is made from the first.
        shown: of the pipeline's call; ten steps unless it says otherwise.
    """
    rows = []
    for clip in range(min(len(clips), _CLIPS)):
        first, last = clips.starts[clip], clips.starts[clip + 1] - 1
        maps = clips.pose_maps(np.array([last]))
        reference, truth = clips.pictures(np.array([first, last]))
        made = next(iter(_make(pipeline, reference, maps, clip, shown)))
        rows.append(np.concatenate([reference, maps[0], made, truth], axis=1))
    half = (len(rows) + 1) // 2
    columns = [np.concatenate(rows[:half])]
    if len(rows) == 2 * half:
        columns.append(np.concatenate(rows[half:]))
    return np.concatenate(columns, axis=1)


def strips(pipeline: MagicPosePipeline, clips: Clips, shown: dict[str, Any]) -> np.ndarray:
    """The longest clips, three rows each, the reference before them: pose maps, result, truth; else as `grid`."""
    rows = []
    for clip in np.argsort(-np.diff(clips.starts), kind="stable")[:_STRIPS]:
        first, after = clips.starts[clip : clip + 2]
        numbers = np.arange(first, min(first + _STRIP_FRAMES, after))
        truth, maps = clips.pictures(numbers), clips.pose_maps(numbers)
        made = list(_make(pipeline, truth[0], maps, int(clip), shown))
        rows += [np.concatenate([truth[0], *row], axis=1) for row in (maps, made, truth)]
    width_px = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 0), (0, width_px - row.shape[1]), (0, 0))) for row in rows])


def _make(
    pipeline: MagicPosePipeline, reference: np.ndarray, maps: np.ndarray, seed: int, shown: dict[str, Any]
) -> Any:
    settings = {"num_inference_steps": _STEPS, "reference_details": False, **shown}
    return pipeline(reference, maps, seed=seed, **settings)
