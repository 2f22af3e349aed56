"""From posed vertices to a picture: a z-buffer over triangles, smooth shading, two-times supersampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from . import paint
from .body import CLOTH, HAIR, SKIRT

SUPERSAMPLING = 2
_NOTHING_M = 1e9  # depth of the background


@dataclass(frozen=True)
class Camera:
    """A pinhole in front of the figure, looking along +y.

    Attributes:
        x_m, y_m, z_m: where it stands; y_m is negative.
        focal_px: focal length in output pixels.
        size_px: side of the square picture.
    """

    x_m: float
    y_m: float
    z_m: float
    focal_px: float
    size_px: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (... 3) in metres to (... 3): x px, y px, depth in metres."""
        depth = points[..., 1] - self.y_m
        x = self.size_px / 2 + self.focal_px * (points[..., 0] - self.x_m) / depth
        y = self.size_px / 2 - self.focal_px * (points[..., 2] - self.z_m) / depth
        return np.stack([x, y, depth], -1).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """Where light comes from; colours are linear RGB (3,).

    Attributes:
        toward: unit vector to the key light.
        key, sky, ground: colour of the key light and of the light from above and from below.
    """

    toward: np.ndarray
    key: np.ndarray
    sky: np.ndarray
    ground: np.ndarray

    def as_array(self) -> np.ndarray:
        return np.concatenate([self.toward, self.key, self.sky, self.ground]).astype(np.float32)


@dataclass(frozen=True)
class Surface:
    """The triangles that a look shows, static within a clip.

    Attributes:
        triangles: int32 (t 3). parts: uint8 (t,). tested: bool (t,), edge triangles where each point is asked.
        canonical: float32 (vertices 3).
        look: float32 (LOOK_SIZE,).
        lips, brow, lid: float32 (n 2), lines of the face in canonical x, z.
    """

    triangles: np.ndarray
    parts: np.ndarray
    tested: np.ndarray
    canonical: np.ndarray
    look: np.ndarray
    lips: np.ndarray
    brow: np.ndarray
    lid: np.ndarray


def visible_surface(
    triangles: np.ndarray,
    parts: np.ndarray,
    canonical: np.ndarray,
    look: np.ndarray,
    face_lines: tuple[Any, Any, Any],
) -> Surface:
    """Leave out cloth, skirt and hair triangles that a look does not show."""
    drawn = paint.drawn_corners(triangles, parts, canonical, look)
    optional = np.isin(parts, (CLOTH, SKIRT, HAIR))
    keep = drawn > 0
    return Surface(
        np.ascontiguousarray(triangles[keep]),
        parts[keep],
        (optional & (drawn < 3))[keep],
        canonical,
        look,
        *face_lines,
    )


@njit(cache=True)
def vertex_normals(vertices: Any, triangles: Any) -> Any:
    """Unit normals (v 3) float32, weighted by the area of the triangles around a vertex."""
    out = np.zeros_like(vertices)
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = (
            vertices[j, 0] - vertices[i, 0],
            vertices[j, 1] - vertices[i, 1],
            vertices[j, 2] - vertices[i, 2],
        )
        bx, by, bz = (
            vertices[k, 0] - vertices[i, 0],
            vertices[k, 1] - vertices[i, 1],
            vertices[k, 2] - vertices[i, 2],
        )
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(len(out)):
        length = math.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if length > 0:
            out[v] /= length
    return out


def draw(
    surface: Surface,
    vertices: np.ndarray,
    normals: np.ndarray,
    camera: Camera,
    light: Light,
    background: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Render one frame.

    Args:
        surface: what to draw.
        vertices: float32 (v 3), metres.
        normals: float32 (v 3).
        camera: its `size_px` is the picture's side.
        light: light on the figure.
        background: float32 (H W 3), linear 0..1.

    Returns:
        The picture, uint8 (H W 3), and the depth of what is seen, float32 (2H 2W) in metres, 1e9 for background.
    """
    side = camera.size_px * SUPERSAMPLING
    screen = camera.project(vertices)
    screen[:, :2] *= SUPERSAMPLING
    depth = np.full((side, side), _NOTHING_M, np.float32)
    hit = np.full((side, side), -1, np.int32)
    weights = np.zeros((side, side, 2), np.float32)
    paint.fill(
        surface.triangles,
        surface.parts,
        surface.tested,
        screen,
        surface.canonical,
        surface.look,
        depth,
        hit,
        weights,
    )
    color = np.zeros((side, side, 3), np.float32)
    gloss = np.zeros((side, side), np.int8)
    place = np.zeros((side, side, 3), np.float32)
    paint.paint_samples(
        surface.triangles, surface.parts, surface.canonical, surface.look, surface.lips, surface.brow, surface.lid,
        hit, weights, color, gloss, place,
    )  # fmt: skip
    picture = np.empty((camera.size_px, camera.size_px, 3), np.uint8)
    eye = np.array([camera.x_m, camera.y_m, camera.z_m], np.float32)
    _shade(
        surface.triangles, vertices, normals, hit, weights, color, gloss, place, eye, light.as_array(),
        background.astype(np.float32), picture,
    )  # fmt: skip
    return picture, depth


def covered(depth: np.ndarray) -> np.ndarray:
    """Pixels that the figure covers, in part at least: bool (H W) from the depth of their samples."""
    side = len(depth) // SUPERSAMPLING
    samples = depth.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING)
    return (samples < _NOTHING_M).any((1, 3))


@njit(cache=True, fastmath=True)
def _shade(
    triangles: Any, vertices: Any, normals: Any, hit: Any, weights: Any, color: Any, gloss: Any, place: Any,
    eye: Any, light: Any, background: Any, picture: Any,
) -> None:  # fmt: skip
    """Light every sample and average the samples of a pixel; linear light in, sRGB out."""
    normal = np.zeros(3, np.float32)
    view = np.zeros(3, np.float32)
    total = np.zeros(3, np.float32)
    step = SUPERSAMPLING
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            total[:] = 0
            for sub in range(step * step):
                py, px = y * step + sub // step, x * step + sub % step
                t = hit[py, px]
                if t < 0:
                    for c in range(3):
                        total[c] += background[y, x, c]
                    continue
                i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                w0, w1 = weights[py, px, 0], weights[py, px, 1]
                w2 = 1 - w0 - w1
                for c in range(3):
                    normal[c] = w0 * normals[i, c] + w1 * normals[j, c] + w2 * normals[k, c]
                    view[c] = eye[c] - (w0 * vertices[i, c] + w1 * vertices[j, c] + w2 * vertices[k, c])
                _light(color[py, px], normal, view, light, gloss[py, px], place[py, px])
                for c in range(3):
                    total[c] += color[py, px, c]
            for c in range(3):
                value = min(1.0, max(0.0, total[c] / (step * step)))
                picture[y, x, c] = np.uint8(255 * math.sqrt(value) + 0.5)


@njit(cache=True, fastmath=True)
def _light(color: Any, normal: Any, view: Any, light: Any, gloss: int, place: Any) -> None:
    """Wrapped Lambert key light, a sky-to-ground ambient and a highlight; changes `color` in place."""
    n = 1 / math.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2 + 1e-12)
    v = 1 / math.sqrt(view[0] ** 2 + view[1] ** 2 + view[2] ** 2 + 1e-12)
    facing = (normal[0] * view[0] + normal[1] * view[1] + normal[2] * view[2]) * n * v
    if facing < 0:
        n, facing = -n, -facing
    if gloss == 0:  # soft folds in cloth
        fold = math.sin(31 * place[0] + 17 * place[2] + 3 * math.sin(23 * place[2] + 9 * place[0]))
        fold += math.sin(43 * place[2] - 27 * place[0] + 3 * math.sin(19 * place[0]))
        for c in range(3):
            color[c] *= 1 + 0.05 * fold
    lambert = (normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]) * n
    diffuse = max(0.0, (lambert + 0.3) / 1.3)
    up = 0.5 + 0.5 * normal[2] * n
    rim = 0.75 + 0.25 * facing
    # highlight about the half-way direction
    hx, hy, hz = light[0] + view[0] * v, light[1] + view[1] * v, light[2] + view[2] * v
    h = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    half = max(0.0, (normal[0] * hx + normal[1] * hy + normal[2] * hz) * n / h)
    shine = 0.0
    if gloss == 1:
        shine = 0.05 * half**16
    elif gloss == 2:
        shine = 0.10 * half**12
    elif gloss == 3:
        shine = 0.25 * half**40
    for c in range(3):
        ambient = light[9 + c] * (1 - up) + light[6 + c] * up
        color[c] = color[c] * (ambient * rim + light[3 + c] * diffuse) + shine * light[3 + c]
