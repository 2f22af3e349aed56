"""The renderer: what is nearer hides, colours follow the body, supersampling softens edges."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.synth import paint, render
from magicpose_cli.synth.body import SKIN

CAMERA = render.Camera(0.0, -2.0, 0.0, 64.0, 64)
LIGHT = render.Light(np.array([0.0, -1.0, 0.0]), np.full(3, 0.5), np.full(3, 0.5), np.full(3, 0.5))
LINE = np.array([[0, 9], [1, 9], [1, 8]], np.float32)  # lips, brows and lids far away


def square(y_m: float, half_m: float) -> np.ndarray:
    return np.array(
        [[-half_m, y_m, -half_m], [half_m, y_m, -half_m], [half_m, y_m, half_m], [-half_m, y_m, half_m]]
    )


def surface(vertices: np.ndarray, canonical_z: np.ndarray) -> render.Surface:
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    triangles = np.concatenate([faces + 4 * i for i in range(len(vertices) // 4)]).astype(np.int32)
    look = paint.empty_look()
    look[paint.TOP_HEM], look[paint.TOP_SLEEVE], look[paint.BOTTOM_CUFF] = 0.1, 9, 9
    look[paint.SHOE_TOP], look[paint.SKIRT_HEM] = -0.8, 9
    look[paint.TOP_PATTERN + 1 : paint.TOP_PATTERN + 4] = 0, 0, 1  # a blue shirt
    look[paint.SKIN_RGB : paint.SKIN_RGB + 3] = 1, 0, 0
    canonical = np.zeros((len(vertices), 3), np.float32)
    canonical[:, 2] = canonical_z
    parts = np.full(len(triangles), SKIN, np.uint8)
    return render.visible_surface(triangles, parts, canonical, look, (LINE, LINE, LINE))


def drawn(vertices: np.ndarray, canonical_z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vertices = vertices.astype(np.float32)
    normals = np.tile(np.array([0, -1, 0], np.float32), (len(vertices), 1))
    background = np.full((64, 64, 3), 0.25, np.float32)
    return render.draw(surface(vertices, canonical_z), vertices, normals, CAMERA, LIGHT, background)


def test_projection_matches_the_pinhole() -> None:
    x, y, depth = CAMERA.project(np.array([0.5, 0.0, 0.25]))
    assert (x, y, depth) == (32 + 64 * 0.25, 32 - 64 * 0.125, 2.0)


@pytest.mark.parametrize("near_first", [True, False])
def test_nearer_hides_farther_in_any_order(near_first: bool) -> None:
    skin, shirt = (square(0, 0.4), -0.3), (square(1, 0.9), 0.3)  # the shirt stands behind
    order = [skin, shirt] if near_first else [shirt, skin]
    vertices = np.concatenate([v for v, _ in order])
    picture, depth = drawn(vertices, np.repeat([z for _, z in order], 4))
    red, _, blue = picture[32, 32]
    assert red > 150 and blue < 60
    assert picture[32, 32 + 16][2] > 150  # the shirt looks out beside the skin
    assert depth[64, 64] == pytest.approx(2.0) and depth[64, 64 + 32] == pytest.approx(3.0)
    assert (picture[0, 0] == 128).all() and depth[0, 0] > 1e8


def test_edges_are_mixed_of_both_sides() -> None:
    picture, _ = drawn(square(0, 12.5 / 32), np.full(4, 0.3))  # the edge halves a pixel: 32 px are one metre
    inside, edge, outside = picture[32, 42, 2], picture[32, 44, 2], picture[32, 46, 2]
    assert outside == 128
    assert min(inside, outside) < edge < max(inside, outside)


def test_look_paints_by_rest_position(body: object) -> None:
    look = paint.empty_look()
    look[paint.TOP_HEM], look[paint.TOP_SLEEVE], look[paint.NECK_RADIUS] = 0.0, 0.25, 0.06
    look[paint.BOTTOM_WAIST], look[paint.BOTTOM_CUFF] = 0.05, -0.8
    look[paint.SHOE_TOP], look[paint.SKIRT_HEM] = -0.83, 9
    at = {name: body.canonical_joints[body.bone(name)] for name in body.bones}
    expected = {
        "spine02": paint.TOP,
        "lowerleg01.L": paint.BOTTOM,
        "toe1-1.R": paint.SHOE,
        "wrist.L": 0,
        "head": 0,
    }
    assert {name: paint.garment_at(*at[name], look) for name in expected} == expected
    look[paint.TOP_SLEEVE] = 0.445  # long sleeves end before the hands
    assert paint.garment_at(*at["lowerarm01.R"], look) == paint.TOP
    assert paint.garment_at(*at["finger2-2.R"], look) == 0
    assert paint.garment_at(*at["finger1-3.L"], look) == 0
