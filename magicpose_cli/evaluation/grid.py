"""A comparison video, as project pages show them, cut into its columns and scored: `truth | pose | method | method`.

The first column is the truth. Columns that show pose maps are passed over. What parts the columns is found by itself:
columns of pixels that are dark in every frame.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from .. import console
from ..errors import VideoError
from ..media.video import FrameReader
from ..pose.maps import looks_like_pose_maps
from . import reconstruction
from .metrics import FRAME_METRICS
from .records import MEANS
from .tables import in_columns

_DARK = 40  # of 255: black after lossy compression
_LEAST_SHARE = 0.5
"""A column narrower than this share of the widest one is no picture, but a darker strip within the black."""
_LOOKED_AT = 8  # frames, to tell a pose map


@dataclass(frozen=True)
class Column:
    """One column: where it lies, px from the left, and what it shows (``truth``, ``pose`` or ``method``)."""

    left: int
    right: int
    shows: str

    @property
    def width_px(self) -> int:
        """Its width."""
        return self.right - self.left


def find_columns(path: str | os.PathLike[str], count: int) -> list[Column]:
    """Find the columns of a comparison video.

    Args:
        path: the video.
        count: how many columns there are.

    Raises:
        VideoError: another number of columns is found, or no method beside the truth.
    """
    brightest: np.ndarray | None = None
    shown: list[np.ndarray] = []
    for frame in FrameReader(path):
        own = frame.max((0, 2))
        brightest = own if brightest is None else np.maximum(brightest, own)
        if len(shown) < _LOOKED_AT:
            shown.append(frame)
    bright = np.zeros(1, bool) if brightest is None else brightest > _DARK
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bright, [False]]).astype(np.int8)))
    spans = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    widest = max((right - left for left, right in spans), default=0)
    spans = [(left, right) for left, right in spans if right - left > _LEAST_SHARE * widest]
    if len(spans) != count:
        raise VideoError(
            expected=f"{count} columns with black between them in {os.fspath(path)}",
            found=str(len(spans)),
            remedy="Give --grid the number of columns that the video shows.",
        )
    columns = []
    for number, (left, right) in enumerate(spans):
        is_pose = looks_like_pose_maps([frame[:, left:right] for frame in shown])
        columns.append(Column(left, right, "truth" if number == 0 else "pose" if is_pose else "method"))
    if not any(column.shows == "method" for column in columns):
        raise VideoError(
            expected="a method's result beside the truth", found="none", remedy="Give another video."
        )
    return columns


def score_grid(
    path: str | os.PathLike[str], count: int, names: list[str] | None = None, stride: int = 1
) -> dict[str, dict[str, float]]:
    """Score each method of a comparison video against its first column.

    Args:
        path: the video.
        count: how many columns it has.
        names: the methods', left to right, without truth and pose; None names them by their column.
        stride: take every so manyth frame.

    Returns:
        Values by method and key (those of `score` that need no network), means over frames.

    Raises:
        VideoError: other columns, or another number of methods than of names.
    """
    reconstruction.check_dependencies()
    columns = find_columns(path, count)
    methods = [(number, column) for number, column in enumerate(columns, 1) if column.shows == "method"]
    titles = [f"column {number}" for number, _ in methods] if names is None else names
    titles = [title.strip() for title in titles]
    if len(titles) != len(methods) or len(set(titles)) != len(titles) or not all(titles):
        raise VideoError(
            expected=f"names for the {len(methods)} methods (columns {', '.join(str(n) for n, _ in methods)})",
            found=", ".join(titles),
            remedy="Name each method once, left to right, without truth and pose.",
        )
    values: dict[str, dict[str, list[float]]] = {t: {key: [] for key in FRAME_METRICS} for t in titles}
    width_px = min(column.width_px for column in columns)
    with console.progress("compare", FrameReader(path).expected_frames) as stage:
        for number, frame in enumerate(FrameReader(path)):
            if number % stride == 0:
                truth = _cut(frame, columns[0], width_px)
                for title, (_, column) in zip(titles, methods, strict=True):
                    result = _cut(frame, column, width_px)
                    for key, of_frames in FRAME_METRICS.items():
                        values[title][key].append(of_frames(result, truth))
            stage.advance()
    return {t: {key: float(np.mean(v)) for key, v in of_method.items()} for t, of_method in values.items()}


def _cut(frame: np.ndarray, column: Column, width_px: int) -> np.ndarray:
    """A column, at the width of the narrowest: compression blurs an edge by a pixel."""
    left = column.left + (column.width_px - width_px) // 2
    return np.ascontiguousarray(frame[:, left : left + width_px])


def as_table(values: dict[str, dict[str, float]]) -> str:
    """One line a metric, one column a method."""
    rows = {key: [f"{of_method[key]:.6g}" for of_method in values.values()] for key in FRAME_METRICS}
    return in_columns(list(values), rows, {key: MEANS[key][0] for key in FRAME_METRICS})
