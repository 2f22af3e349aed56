"""Telling pose maps from pictures of the world: what `--driving-kind auto` goes by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

_PLAIN_TOLERANCE = 24
"""Levels that a compressed background strays."""
_PLAIN_SHARE = 0.9
"""Of the pictures at hand, pose maps have 0.95 to 0.98 background of one colour, photos at most 0.81."""
_DRAWN_SHARE = 1e-4
"""With less than this of other colours a picture is plain."""
_GREY_TOLERANCE = 24
_SATURATED = 50
_SATURATED_SHARE = 0.1  # of a head alone, most is the white face
_HUE_BINS = 12
_BIN_SHARE = 0.02
_MINIMUM_HUES = 5
_SIDE_PX = 512


def looks_like_pose_maps(pictures: np.ndarray | Iterable[np.ndarray]) -> bool:
    """Whether a driving is made of drawn OpenPose skeletons, not of pictures of a person.

    A pose map is a background of one grey (black as a rule) and little else: thin strokes of many strong hues.

    Args:
        pictures: one picture, uint8 (H W 3), or some frames of a driving. Plain frames (a map of nobody, a
            black lead-in) tell nothing and do not count.

    Returns:
        True if most frames that are not plain look so; False if all are plain.
    """
    frames = [pictures] if isinstance(pictures, np.ndarray) and pictures.ndim == 3 else pictures
    votes = [vote for vote in map(_vote, frames) if vote is not None]
    return sum(votes) * 2 > len(votes)


def is_plain(picture: np.ndarray) -> bool:
    """Whether a picture, uint8 (H W 3), is of one colour: as a pose map, one of nobody."""
    _, drawn, count = _background(picture)
    return len(drawn) < _DRAWN_SHARE * count


def _background(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Its colour (3,), the pixels of other colours int16 (n 3), and how many pixels were looked at."""
    step = max(1, min(picture.shape[:2]) // _SIDE_PX)
    pixels = picture[::step, ::step].reshape(-1, 3).astype(np.int16)
    background = np.median(pixels, axis=0)
    drawn = pixels[np.abs(pixels - background).max(axis=1) > _PLAIN_TOLERANCE]
    return background, drawn, len(pixels)


def _vote(picture: np.ndarray) -> bool | None:
    """Whether one picture looks like a pose map; None for a plain one."""
    background, drawn, count = _background(picture)
    if len(drawn) < _DRAWN_SHARE * count:
        return None
    if len(drawn) > (1 - _PLAIN_SHARE) * count or np.ptp(background) > _GREY_TOLERANCE:
        return False
    saturated = drawn[np.ptp(drawn, axis=1) >= _SATURATED]
    if len(saturated) < _SATURATED_SHARE * len(drawn):
        return False
    return _count_hues(saturated.astype(np.uint8)) >= _MINIMUM_HUES


def _count_hues(colors: np.ndarray) -> int:
    """In how many of twelve equal parts of the colour circle the colours (n 3) lie, rare ones left out."""
    hues = np.asarray(Image.fromarray(colors[None]).convert("HSV"))[0, :, 0]
    shares = np.bincount(hues.astype(int) * _HUE_BINS // 256, minlength=_HUE_BINS) / len(hues)
    return int((shares >= _BIN_SHARE).sum())
