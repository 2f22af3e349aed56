"""What stands behind the dancer: plain and graded studios, rooms, and simple outdoors, still within a clip."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from .render import Camera, Light

_OVERSAMPLING = 2


@dataclass(frozen=True)
class Backdrop:
    """A background.

    Attributes:
        picture: float32 (H W 3), linear 0..1.
        has_floor: whether the dancer stands on something that takes a shadow.
    """

    picture: np.ndarray
    has_floor: bool

    def shadowed(self, camera: Camera, feet: np.ndarray) -> np.ndarray:
        """The background with soft shadows on the floor under points (n 3) in metres: float32 (H W 3)."""
        if not self.has_floor:
            return self.picture
        on_floor = feet.copy()
        on_floor[:, 2] = 0
        places = camera.project(on_floor)
        radius_px = 0.22 * camera.focal_px / places[:, 2].mean()
        first = int(max(0, places[:, 1].min() - radius_px))
        if first >= camera.size_px:
            return self.picture
        y, x = np.mgrid[first : camera.size_px, 0 : camera.size_px].astype(np.float32) + 0.5
        darkness = np.zeros_like(x)
        for (px, py, _), lift in zip(places, feet[:, 2], strict=True):
            away = ((x - px) / radius_px) ** 2 + ((y - py) / (0.3 * radius_px)) ** 2
            darkness = np.maximum(darkness, np.exp(-2 * away) * 0.55 * np.exp(-4 * max(0.0, lift - 0.08)))
        out = self.picture.copy()
        out[first:] *= (1 - darkness)[..., None]
        return out


def draw_light(rng: np.random.Generator) -> Light:
    """Draw a light at random: from the front half, warm to cool, soft to hard."""
    toward = np.array([rng.uniform(-0.9, 0.9), -rng.uniform(0.45, 1.0), rng.uniform(0.1, 0.9)])
    warmth = rng.normal(0, 0.05)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    strength, ambient = rng.uniform(0.45, 0.85), rng.uniform(0.38, 0.6)
    return Light(
        toward / np.linalg.norm(toward),
        strength * tint,
        ambient * (1 + rng.normal(0, 0.03, 3)),
        ambient * rng.uniform(0.45, 0.75) * tint,
    )


def draw_backdrop(rng: np.random.Generator, camera: Camera) -> Backdrop:
    """Draw a background at random for a camera."""
    side = camera.size_px * _OVERSAMPLING
    v, u = (np.mgrid[0:side, 0:side].astype(np.float32) + 0.5) / side
    kind = rng.choice(
        ["plain", "gradient", "glow", "room", "outdoor", "blobs"], p=[0.15, 0.15, 0.08, 0.42, 0.12, 0.08]
    )
    wall_m = rng.uniform(0.5, 2.2)  # behind the dancer
    corner = camera.project(np.array([0.0, wall_m, 0.0]))[1] / camera.size_px
    if kind == "room":
        picture = _room(rng, u, v, float(corner))
    elif kind == "outdoor":
        picture = _outdoor(rng, u, v, float(camera.project(np.array([0.0, 30.0, 0.0]))[1] / camera.size_px))
    else:
        picture = _studio(rng, kind, u, v)
    picture = picture.reshape(camera.size_px, _OVERSAMPLING, camera.size_px, _OVERSAMPLING, 3).mean((1, 3))
    return Backdrop(np.clip(picture, 0, 1).astype(np.float32), kind in ("room", "outdoor", "plain"))


def _color(rng: np.random.Generator, saturation: float = 0.35, low: float = 0.35) -> np.ndarray:
    rgb = colorsys.hsv_to_rgb(rng.random(), saturation * rng.random(), rng.uniform(low, 0.97))
    return np.array(rgb, np.float32) ** 2


def _blend(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    return a * (1 - share[..., None]) + b * share[..., None]


def _studio(rng: np.random.Generator, kind: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    bright = rng.random() < 0.25
    a, b = _color(rng, 0.95 if bright else 0.4, 0.15), _color(rng, 0.95 if bright else 0.4, 0.3)
    if kind == "plain":
        return np.broadcast_to(a, (*u.shape, 3)).copy()
    if kind == "gradient":
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
        return _blend(a, b, np.clip(0.5 + (u - 0.5) * np.sin(angle) + (v - 0.5) * np.cos(angle), 0, 1))
    if kind == "glow":
        away = np.hypot(u - rng.uniform(0.3, 0.7), v - rng.uniform(0.2, 0.7))
        return _blend(
            np.maximum(a, b), 0.5 * np.minimum(a, b), np.clip(away / rng.uniform(0.6, 1.0), 0, 1) ** 1.5
        )
    picture = np.broadcast_to(a, (*u.shape, 3)).copy()
    for _ in range(rng.integers(6, 16)):
        away = np.hypot(u - rng.uniform(0, 1), v - rng.uniform(0, 1)) / rng.uniform(0.05, 0.25)
        picture = _blend(picture, _color(rng, 0.8, 0.2), 0.8 * np.exp(-(away**2)))
    return picture


def _box(u: np.ndarray, v: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """1 inside (left, top, right, bottom), else 0."""
    left, top, right, bottom = box
    return ((u > left) & (u < right) & (v > top) & (v < bottom)).astype(np.float32)


def _room(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, corner: float) -> np.ndarray:
    wall = _color(rng, 0.4, 0.5)
    picture = np.broadcast_to(wall, (*u.shape, 3)).copy()
    paper = rng.random()
    if paper < 0.15:
        picture = _blend(
            picture, wall * rng.uniform(0.7, 0.92), (np.sin(u * rng.uniform(30, 90)) > 0).astype(np.float32)
        )
    elif paper < 0.3:
        picture = _bricks(rng, picture, u, v, wall)
    things = rng.choice(
        ["none", "door", "window", "frames", "curtain", "shelf"], p=[0.2, 0.16, 0.18, 0.2, 0.16, 0.1]
    )
    picture = _furnish(rng, picture, str(things), u, v, wall, corner)
    floor = _color(rng, 0.5, 0.2)
    if corner < 1.0:
        on_floor = (v > corner).astype(np.float32)
        down = np.maximum(v - corner, 1e-3)
        ground = np.broadcast_to(floor, (*u.shape, 3))
        if rng.random() < 0.5:  # boards or tiles, in perspective
            depth = 0.25 / (down + 0.12)
            across = (u - 0.5) * depth * rng.uniform(5, 12)
            lines = (across - np.floor(across) < 0.06).astype(np.float32)
            if rng.random() < 0.5:
                along = depth * rng.uniform(3, 8)
                lines = np.maximum(lines, (along - np.floor(along) < 0.08).astype(np.float32))
            ground = _blend(ground, floor * 0.7, lines)
        picture = _blend(picture, ground, on_floor)
        if rng.random() < 0.7:
            skirting = ((v > corner - rng.uniform(0.012, 0.03)) & (v <= corner)).astype(np.float32)
            picture = _blend(
                picture, np.full(3, 0.75, np.float32) if rng.random() < 0.6 else 0.5 * wall, skirting
            )
    light_u = rng.uniform(0, 1)
    return picture * (1.05 - 0.3 * np.abs(u - light_u) - 0.12 * v)[..., None]


def _bricks(
    rng: np.random.Generator, picture: np.ndarray, u: np.ndarray, v: np.ndarray, wall: np.ndarray
) -> np.ndarray:
    size = rng.uniform(0.06, 0.14)
    row = np.floor(v / size)
    column = u / (2 * size) + 0.5 * (row % 2)
    joint = ((v / size - row) < 0.07) | ((column - np.floor(column)) < 0.035)
    return _blend(picture, wall * rng.uniform(0.6, 1.25), joint.astype(np.float32))


def _furnish(
    rng: np.random.Generator,
    picture: np.ndarray,
    things: str,
    u: np.ndarray,
    v: np.ndarray,
    wall: np.ndarray,
    corner: float,
) -> np.ndarray:
    left = rng.choice([rng.uniform(-0.1, 0.12), rng.uniform(0.6, 0.8)])
    if things == "door":
        wide, top = rng.uniform(0.22, 0.32), rng.uniform(0.02, 0.25)
        paint = _color(rng, 0.5, 0.25)
        picture = _blend(
            picture, paint * 0.6, _box(u, v, (left - 0.012, top - 0.012, left + wide + 0.012, corner))
        )
        picture = _blend(picture, paint, _box(u, v, (left, top, left + wide, corner)))
        for low, high in ((0.06, 0.42), (0.5, 0.92)):
            panel = (
                left + 0.15 * wide,
                top + low * (corner - top),
                left + 0.85 * wide,
                top + high * (corner - top),
            )
            picture = _blend(picture, paint * 0.82, _box(u, v, panel))
        knob = np.hypot(u - left - 0.9 * wide, v - top - 0.5 * (corner - top)) < 0.012
        return _blend(picture, np.array([0.6, 0.5, 0.2], np.float32), knob.astype(np.float32))
    if things == "window":
        wide, top, high = rng.uniform(0.22, 0.4), rng.uniform(0.02, 0.2), rng.uniform(0.3, 0.5)
        sky = np.array([0.55, 0.75, 0.95], np.float32) * rng.uniform(0.6, 1.0)
        frame = np.full(3, rng.choice([0.85, 0.85, 0.1]), np.float32)
        picture = _blend(
            picture, frame, _box(u, v, (left - 0.02, top - 0.02, left + wide + 0.02, top + high + 0.02))
        )
        hills = (v > top + high * (0.7 + 0.06 * np.sin(25 * u))).astype(np.float32)
        green = np.array([0.2, 0.35, 0.12], np.float32) * rng.uniform(0.5, 1.2)
        glass = _blend(np.broadcast_to(sky, picture.shape), green, hills)
        for column in range(2):
            for row in range(2):
                pane = (left + column * wide / 2 + 0.008, top + row * high / 2 + 0.008,
                        left + (column + 1) * wide / 2 - 0.008, top + (row + 1) * high / 2 - 0.008)  # fmt: skip
                share = _box(u, v, pane)[..., None]
                picture = picture * (1 - share) + glass * share
        return picture
    if things == "frames":
        for _ in range(rng.integers(1, 5)):
            x, y, w, h = (
                rng.uniform(0, 0.85),
                rng.uniform(0.03, 0.45),
                rng.uniform(0.08, 0.25),
                rng.uniform(0.08, 0.25),
            )
            picture = _blend(
                picture,
                _color(rng, 0.6, 0.05),
                _box(u, v, (x - 0.012, y - 0.012, x + w + 0.012, y + h + 0.012)),
            )
            picture = _blend(picture, _color(rng, 0.9, 0.3), _box(u, v, (x, y, x + w, y + h)))
            picture = _blend(
                picture, _color(rng, 0.9, 0.3), _box(u, v, (x, y + h * rng.uniform(0.3, 0.7), x + w, y + h))
            )
        return picture
    if things == "curtain":
        paint, wide = _color(rng, 0.7, 0.3), rng.uniform(0.2, 0.45)
        folds = 0.8 + 0.2 * np.sin(u * rng.uniform(60, 120) + 2 * np.sin(9 * u))
        cloth = paint * folds[..., None]
        share = np.maximum(
            _box(u, v, (-1, -1, wide, corner - 0.03)),
            _box(u, v, (1 - wide, -1, 2, corner - 0.03)) * rng.integers(0, 2),
        )
        return picture * (1 - share[..., None]) + cloth * share[..., None]
    if things == "shelf":
        wide, top = rng.uniform(0.25, 0.4), rng.uniform(0.05, 0.3)
        wood = np.array([0.25, 0.15, 0.07], np.float32) * rng.uniform(0.5, 1.6)
        for row in range(3):
            y = top + 0.17 * row
            x = left
            while x < left + wide - 0.03:
                w, h = rng.uniform(0.015, 0.04), rng.uniform(0.07, 0.13)
                picture = _blend(picture, _color(rng, 0.9, 0.2), _box(u, v, (x, y - h, x + w * 0.92, y)))
                x += w
            picture = _blend(picture, wood, _box(u, v, (left - 0.02, y, left + wide, y + 0.018)))
    return picture


def _outdoor(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, horizon: float) -> np.ndarray:
    sky_top, sky_low = np.array([0.12, 0.35, 0.75], np.float32), np.array([0.65, 0.8, 0.92], np.float32)
    if rng.random() < 0.25:
        sky_top, sky_low = np.array([0.3, 0.2, 0.4], np.float32), np.array([0.95, 0.55, 0.3], np.float32)
    picture = _blend(sky_top, sky_low, np.clip(v / max(horizon, 0.3), 0, 1))
    clouds = np.sin(7 * u + 3 * np.sin(5 * v + rng.uniform(0, 6))) + np.sin(
        19 * v + 2 * np.sin(6 * u + rng.uniform(0, 6))
    )
    picture = _blend(picture, np.full(3, 0.9, np.float32), np.clip(0.3 * clouds, 0, 0.5))
    hills = horizon - 0.05 - 0.06 * (1 + np.sin(u * rng.uniform(3, 8) + rng.uniform(0, 6)))
    picture = _blend(
        picture, np.array([0.1, 0.25, 0.12], np.float32) * rng.uniform(0.6, 2), (v > hills).astype(np.float32)
    )
    for _ in range(rng.integers(0, 6)):
        x, high, wide = rng.uniform(0, 1), rng.uniform(0.15, 0.45), rng.uniform(0.06, 0.16)
        trunk = _box(u, v, (x - 0.012, horizon - high, x + 0.012, horizon + 0.02))
        picture = _blend(picture, np.array([0.12, 0.07, 0.03], np.float32), trunk)
        wobble = 1 + 0.15 * np.sin(9 * np.arctan2(v - horizon + high, u - x) + rng.uniform(0, 6))
        crown = np.hypot((u - x) / wide, (v - horizon + high) / (1.2 * wide)) < wobble
        picture = _blend(
            picture,
            np.array([0.07, 0.22, 0.05], np.float32) * rng.uniform(0.5, 1.8),
            crown.astype(np.float32),
        )
    ground = np.array([0.16, 0.3, 0.08], np.float32) if rng.random() < 0.6 else _color(rng, 0.25, 0.4)
    near = np.clip((v - horizon) / max(1 - horizon, 0.05), 0, 1)
    shade = (0.75 + 0.35 * near)[..., None] * ground
    share = (v > horizon).astype(np.float32)[..., None]
    return picture * (1 - share) + shade * share
