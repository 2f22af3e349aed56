"""What stands or hangs at a room's wall: a door, a window, pictures, curtains, a shelf of books.

Everything takes the wall's picture float32 (H W 3), the places `u`, `v` of its pixels (H W, 0..1 from the top
left) and where wall and floor meet, `corner`, in the same unit.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

Furnisher = Callable[[np.random.Generator, np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


def some_color(rng: np.random.Generator, saturation: float = 0.35, low: float = 0.35) -> np.ndarray:
    """A colour up to this saturation and at least this bright: linear float32 (3,)."""
    rgb = colorsys.hsv_to_rgb(rng.random(), saturation * rng.random(), rng.uniform(low, 0.97))
    return np.array(rgb, np.float32) ** 2


def blend(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`a` where `share` (H W) is 0, `b` where it is 1; both (H W 3) or one colour."""
    return a * (1 - share[..., None]) + b * share[..., None]


def box(u: np.ndarray, v: np.ndarray, edges: tuple[float, float, float, float]) -> np.ndarray:
    """1 inside (left, top, right, bottom), else 0: float32 (H W)."""
    left, top, right, bottom = edges
    return ((u > left) & (u < right) & (v > top) & (v < bottom)).astype(np.float32)


def furnish(
    rng: np.random.Generator, picture: np.ndarray, u: np.ndarray, v: np.ndarray, corner: float
) -> np.ndarray:
    """Put one kind of thing, or nothing, at the wall."""
    kinds = ["none", "door", "window", "frames", "curtain", "shelf"]
    kind = str(rng.choice(kinds, p=[0.2, 0.16, 0.18, 0.2, 0.16, 0.1]))
    furnisher = _FURNISHERS.get(kind)
    left = rng.choice([rng.uniform(-0.1, 0.12), rng.uniform(0.6, 0.8)])
    return picture if furnisher is None else furnisher(rng, picture, u - left, v, corner)


def _door(
    rng: np.random.Generator, picture: np.ndarray, u: np.ndarray, v: np.ndarray, corner: float
) -> np.ndarray:
    wide, top = rng.uniform(0.22, 0.32), rng.uniform(0.02, 0.25)
    paint = some_color(rng, 0.5, 0.25)
    picture = blend(picture, paint * 0.6, box(u, v, (-0.012, top - 0.012, wide + 0.012, corner)))
    picture = blend(picture, paint, box(u, v, (0, top, wide, corner)))
    high = corner - top
    for upper, lower in ((0.06, 0.42), (0.5, 0.92)):
        panel = (0.15 * wide, top + upper * high, 0.85 * wide, top + lower * high)
        picture = blend(picture, paint * 0.82, box(u, v, panel))
    knob = np.hypot(u - 0.9 * wide, v - top - 0.5 * high) < 0.012
    return blend(picture, np.array([0.6, 0.5, 0.2], np.float32), knob.astype(np.float32))


def _window(
    rng: np.random.Generator, picture: np.ndarray, u: np.ndarray, v: np.ndarray, corner: float
) -> np.ndarray:
    wide, top, high = rng.uniform(0.22, 0.4), rng.uniform(0.02, 0.2), rng.uniform(0.3, 0.5)
    sky = np.array([0.55, 0.75, 0.95], np.float32) * rng.uniform(0.6, 1.0)
    frame = np.full(3, rng.choice([0.85, 0.85, 0.1]), np.float32)
    picture = blend(picture, frame, box(u, v, (-0.02, top - 0.02, wide + 0.02, top + high + 0.02)))
    hills = (v > top + high * (0.7 + 0.06 * np.sin(25 * u))).astype(np.float32)
    green = np.array([0.2, 0.35, 0.12], np.float32) * rng.uniform(0.5, 1.2)
    glass = blend(np.broadcast_to(sky, picture.shape), green, hills)
    gap, pane_wide, pane_high = 0.008, wide / 2, high / 2
    for column in range(2):
        for row in range(2):
            x, y = column * pane_wide, top + row * pane_high
            pane = (x + gap, y + gap, x + pane_wide - gap, y + pane_high - gap)
            picture = blend(picture, glass, box(u, v, pane))
    return picture


def _frames(
    rng: np.random.Generator, picture: np.ndarray, u: np.ndarray, v: np.ndarray, corner: float
) -> np.ndarray:
    u = u - u.min()  # pictures hang anywhere on the wall
    for _ in range(rng.integers(1, 5)):
        x, y, w, h = rng.uniform((0, 0.03, 0.08, 0.08), (0.85, 0.45, 0.25, 0.25))
        rim = (x - 0.012, y - 0.012, x + w + 0.012, y + h + 0.012)
        picture = blend(picture, some_color(rng, 0.6, 0.05), box(u, v, rim))
        picture = blend(picture, some_color(rng, 0.9, 0.3), box(u, v, (x, y, x + w, y + h)))
        lower = some_color(rng, 0.9, 0.3)
        picture = blend(picture, lower, box(u, v, (x, y + h * rng.uniform(0.3, 0.7), x + w, y + h)))
    return picture


def _curtain(
    rng: np.random.Generator, picture: np.ndarray, u: np.ndarray, v: np.ndarray, corner: float
) -> np.ndarray:
    u = u - u.min()  # curtains hang at the picture's sides
    paint, wide = some_color(rng, 0.7, 0.3), rng.uniform(0.2, 0.45)
    folds = 0.8 + 0.2 * np.sin(u * rng.uniform(60, 120) + 2 * np.sin(9 * u))
    right = box(u, v, (1 - wide, -1, 2, corner - 0.03)) * rng.integers(0, 2)
    share = np.maximum(box(u, v, (-1, -1, wide, corner - 0.03)), right)
    return blend(picture, paint * folds[..., None], share)


def _shelf(
    rng: np.random.Generator, picture: np.ndarray, u: np.ndarray, v: np.ndarray, corner: float
) -> np.ndarray:
    wide, top = rng.uniform(0.25, 0.4), rng.uniform(0.05, 0.3)
    wood = np.array([0.25, 0.15, 0.07], np.float32) * rng.uniform(0.5, 1.6)
    for row in range(3):
        y, x = top + 0.17 * row, 0.0
        while x < wide - 0.03:
            w, h = rng.uniform(0.015, 0.04), rng.uniform(0.07, 0.13)
            picture = blend(picture, some_color(rng, 0.9, 0.2), box(u, v, (x, y - h, x + w * 0.92, y)))
            x += w
        picture = blend(picture, wood, box(u, v, (-0.02, y, wide, y + 0.018)))
    return picture


_FURNISHERS: dict[str, Furnisher] = {
    "door": _door,
    "window": _window,
    "frames": _frames,
    "curtain": _curtain,
    "shelf": _shelf,
}
