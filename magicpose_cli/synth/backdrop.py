"""What stands behind the dancer: plain and graded studios, rooms, and simple outdoors, still within a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .furniture import blend, box, furnish, some_color
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


def _studio(rng: np.random.Generator, kind: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    bright = rng.random() < 0.25
    a, b = some_color(rng, 0.95 if bright else 0.4, 0.15), some_color(rng, 0.95 if bright else 0.4, 0.3)
    if kind == "plain":
        return np.broadcast_to(a, (*u.shape, 3)).copy()
    if kind == "gradient":
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
        return blend(a, b, np.clip(0.5 + (u - 0.5) * np.sin(angle) + (v - 0.5) * np.cos(angle), 0, 1))
    if kind == "glow":
        away = np.hypot(u - rng.uniform(0.3, 0.7), v - rng.uniform(0.2, 0.7))
        return blend(
            np.maximum(a, b), 0.5 * np.minimum(a, b), np.clip(away / rng.uniform(0.6, 1.0), 0, 1) ** 1.5
        )
    picture = np.broadcast_to(a, (*u.shape, 3)).copy()
    for _ in range(rng.integers(6, 16)):
        away = np.hypot(u - rng.uniform(0, 1), v - rng.uniform(0, 1)) / rng.uniform(0.05, 0.25)
        picture = blend(picture, some_color(rng, 0.8, 0.2), 0.8 * np.exp(-(away**2)))
    return picture


def _room(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, corner: float) -> np.ndarray:
    wall = some_color(rng, 0.4, 0.5)
    picture = np.broadcast_to(wall, (*u.shape, 3)).copy()
    paper = rng.random()
    if paper < 0.15:
        picture = blend(
            picture, wall * rng.uniform(0.7, 0.92), (np.sin(u * rng.uniform(30, 90)) > 0).astype(np.float32)
        )
    elif paper < 0.3:
        picture = _bricks(rng, picture, u, v, wall)
    picture = furnish(rng, picture, u, v, corner)
    floor = some_color(rng, 0.5, 0.2)
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
            ground = blend(ground, floor * 0.7, lines)
        picture = blend(picture, ground, on_floor)
        if rng.random() < 0.7:
            skirting = ((v > corner - rng.uniform(0.012, 0.03)) & (v <= corner)).astype(np.float32)
            picture = blend(
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
    return blend(picture, wall * rng.uniform(0.6, 1.25), joint.astype(np.float32))


def _outdoor(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, horizon: float) -> np.ndarray:
    sky_top, sky_low = np.array([0.12, 0.35, 0.75], np.float32), np.array([0.65, 0.8, 0.92], np.float32)
    if rng.random() < 0.25:
        sky_top, sky_low = np.array([0.3, 0.2, 0.4], np.float32), np.array([0.95, 0.55, 0.3], np.float32)
    picture = blend(sky_top, sky_low, np.clip(v / max(horizon, 0.3), 0, 1))
    clouds = np.sin(7 * u + 3 * np.sin(5 * v + rng.uniform(0, 6))) + np.sin(
        19 * v + 2 * np.sin(6 * u + rng.uniform(0, 6))
    )
    picture = blend(picture, np.full(3, 0.9, np.float32), np.clip(0.3 * clouds, 0, 0.5))
    hills = horizon - 0.05 - 0.06 * (1 + np.sin(u * rng.uniform(3, 8) + rng.uniform(0, 6)))
    picture = blend(
        picture, np.array([0.1, 0.25, 0.12], np.float32) * rng.uniform(0.6, 2), (v > hills).astype(np.float32)
    )
    for _ in range(rng.integers(0, 6)):
        x, high, wide = rng.uniform(0, 1), rng.uniform(0.15, 0.45), rng.uniform(0.06, 0.16)
        trunk = box(u, v, (x - 0.012, horizon - high, x + 0.012, horizon + 0.02))
        picture = blend(picture, np.array([0.12, 0.07, 0.03], np.float32), trunk)
        wobble = 1 + 0.15 * np.sin(9 * np.arctan2(v - horizon + high, u - x) + rng.uniform(0, 6))
        crown = np.hypot((u - x) / wide, (v - horizon + high) / (1.2 * wide)) < wobble
        picture = blend(
            picture,
            np.array([0.07, 0.22, 0.05], np.float32) * rng.uniform(0.5, 1.8),
            crown.astype(np.float32),
        )
    ground = np.array([0.16, 0.3, 0.08], np.float32) if rng.random() < 0.6 else some_color(rng, 0.25, 0.4)
    near = np.clip((v - horizon) / max(1 - horizon, 0.05), 0, 1)
    shade = (0.75 + 0.35 * near)[..., None] * ground
    share = (v > horizon).astype(np.float32)[..., None]
    return picture * (1 - share) + shade * share
