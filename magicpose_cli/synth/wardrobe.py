"""Who the dancer is and what they wear: build, skin, hair, clothes, all drawn from a random generator."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from . import paint
from .body import CLOTH, HAIR, SKIN, SKIRT, BodyModel
from .paint import SKIN_RGB

_SKINS = ("f6d7c3", "efc6aa", "e5b491", "d9a27c", "c68a62", "a86f49", "8a5636", "6b4029", "4e2e1f")
_HAIRS = ("14100e", "1f1612", "2d1d14", "46301f", "6a4728", "94693a", "c39a5b", "d9b981", "7a3018", "8f8a86")
_DYED_HAIRS = ("a83a5b", "3d5a99", "6d4a91", "2f7f77")
_EYES = ("3a2415", "4f3420", "6d4d2d", "5b6b3d", "4b6f8a", "6c8794")


@dataclass(frozen=True)
class Person:
    """One identity.

    Attributes:
        shape: anny's phenotypes, each 0..1.
        look: the paint vector, float32 (LOOK_SIZE,).
        puff_m: how far each vertex is pushed out along its normal (clothes, hair, shoes), float32 (vertices,).
    """

    shape: dict[str, float]
    look: np.ndarray
    puff_m: np.ndarray


def draw_person(rng: np.random.Generator, body: BodyModel) -> Person:
    """Draw a person at random."""
    woman = rng.random() < 0.55
    look = paint.empty_look()
    shape = _draw_shape(rng, woman)
    _draw_skin_and_face(rng, look, woman, shape["age"])
    style = _draw_hair(rng, look, woman)
    loose_m = _draw_clothes(rng, look, woman)
    return Person(shape, look, _puff(body, look, style, loose_m))


def linear(hex_rgb: str) -> np.ndarray:
    """A hex colour as linear light, float32 (3,); the renderer's transfer curve is a square."""
    return (np.array([int(hex_rgb[i : i + 2], 16) for i in (0, 2, 4)], np.float32) / 255) ** 2


def _draw_shape(rng: np.random.Generator, woman: bool) -> dict[str, float]:
    races = rng.dirichlet([0.6, 0.6, 0.6])
    shape = {
        "gender": float(rng.uniform(0.0, 0.15) if not woman else rng.uniform(0.85, 1.0)),
        "age": float(rng.choice([rng.uniform(0.55, 0.7), rng.uniform(0.6, 0.88)])),
        "muscle": float(rng.uniform(0.25, 0.85)),
        "weight": float(np.clip(rng.normal(0.45, 0.18), 0.1, 0.95)),
        "height": float(rng.uniform(0.25, 0.75)),
        "proportions": float(rng.uniform(0.4, 1.0)),
        "african": float(races[0]),
        "asian": float(races[1]),
        "caucasian": float(races[2]),
    }
    return shape


def _draw_skin_and_face(rng: np.random.Generator, look: np.ndarray, woman: bool, age: float) -> None:
    position = rng.uniform(0, len(_SKINS) - 1)
    low = int(position)
    share = position - low
    skin = (1 - share) * linear(_SKINS[low]) + share * linear(_SKINS[min(low + 1, len(_SKINS) - 1)])
    skin *= rng.uniform(0.95, 1.05, 3)
    look[SKIN_RGB : SKIN_RGB + 3] = skin
    lip = skin * np.array([0.85, 0.5, 0.52])
    if woman and rng.random() < 0.5:
        lip = 0.4 * lip + 0.6 * linear(rng.choice(["a8323e", "b5485a", "8c2f3f", "c4626a"]))
    look[paint.LIP_RGB : paint.LIP_RGB + 3] = lip
    look[paint.IRIS_RGB : paint.IRIS_RGB + 3] = linear(rng.choice(_EYES))
    look[paint.BLUSH] = rng.uniform(0.05, 0.2)
    look[paint.LID] = rng.uniform(0.4, 0.9) if woman and rng.random() < 0.4 else 0.0
    look[paint.BROW_WIDTH] = rng.uniform(0.0022, 0.0036) if woman else rng.uniform(0.003, 0.0045)
    if not woman and rng.random() < 0.4:
        look[paint.STUBBLE] = rng.choice([0.2, 0.35, 0.8])


def _draw_hair(rng: np.random.Generator, look: np.ndarray, woman: bool) -> str:
    dark_skin = look[SKIN_RGB : SKIN_RGB + 3].mean() < 0.22
    choices = _HAIRS[:4] if dark_skin and rng.random() < 0.85 else _HAIRS
    hair = linear(rng.choice(_DYED_HAIRS if rng.random() < 0.07 else choices))
    look[paint.HAIR_RGB : paint.HAIR_RGB + 3] = hair
    look[paint.BROW_RGB : paint.BROW_RGB + 3] = np.minimum(0.7 * hair, 0.16)
    look[paint.HAIR_SHIFT] = rng.uniform(-0.006, 0.01) if woman else rng.uniform(-0.004, 0.022)
    look[paint.HAIR_STREAKS] = rng.uniform(0.08, 0.25)
    curly = "afro" if dark_skin else "full"
    style = str(
        rng.choice(["long", "long", "shoulder", "bob", "knot", "short", curly])
        if woman
        else rng.choice(["buzz", "short", "short", "full", "full", "bob", curly])
    )
    look[paint.HAIR_LENGTH] = {
        "long": rng.uniform(0.15, 0.36),
        "shoulder": rng.uniform(0.38, 0.48),
        "bob": rng.uniform(0.52, 0.58),
    }.get(style, 9.0)
    look[paint.HAIR_FRINGE] = rng.uniform(0.70, 0.73)
    return style


def _draw_clothes(rng: np.random.Generator, look: np.ndarray, woman: bool) -> float:
    """Fill the garments' outlines, colours and patterns; returns how loose they are, metres."""
    look[paint.TOP_SLEEVE] = rng.choice(
        [
            rng.uniform(0.135, 0.15),
            rng.uniform(0.21, 0.27),
            rng.uniform(0.25, 0.3),
            rng.uniform(0.34, 0.40),
            0.445,
        ],
        p=[0.17 if woman else 0.1, 0.2, 0.2 if woman else 0.27, 0.08, 0.35],
    )
    look[paint.TOP_HEM] = (
        rng.uniform(-0.1, 0.02) if not woman or rng.random() < 0.7 else rng.uniform(0.07, 0.17)
    )
    look[paint.NECK_RADIUS] = (
        rng.uniform(0.055, 0.085) if look[paint.TOP_SLEEVE] > 0.2 else rng.uniform(0.08, 0.1)
    )
    look[paint.NECK_DEPTH] = rng.choice([0.0, rng.uniform(0.03, 0.07), rng.uniform(0.06, 0.13)])
    # steep enough to end before the shoulder, or the back's half would stand up alone
    look[paint.NECK_SLOPE] = max(rng.uniform(0.3, 1.6), look[paint.NECK_DEPTH] / 0.08)
    look[paint.BOTTOM_WAIST] = rng.uniform(0.03, 0.09)
    look[paint.BOTTOM_CUFF] = rng.choice(
        [-0.85, -0.83, -0.74, rng.uniform(-0.33, -0.2), rng.uniform(-0.2, -0.12)],
        p=[0.35, 0.25, 0.1, 0.2, 0.1],
    )
    look[paint.BOTTOM_OVER_TOP] = float(rng.random() < 0.35)
    look[paint.SHOE_TOP] = paint.FLOOR_Z_M + rng.choice([0.05, 0.065, 0.11])
    look[paint.SKIRT_HEM] = 9.0
    _draw_pattern(rng, look, paint.TOP_PATTERN, top=True)
    _draw_pattern(rng, look, paint.BOTTOM_PATTERN, top=False)
    if woman and rng.random() < 0.4:
        look[paint.SKIRT_HEM] = rng.choice([rng.uniform(-0.34, -0.2), rng.uniform(-0.6, -0.34)])
        look[paint.BOTTOM_CUFF] = -0.12
        if rng.random() < 0.5:  # a dress: the skirt continues the top
            look[paint.BOTTOM_PATTERN : paint.BOTTOM_PATTERN + 12] = look[
                paint.TOP_PATTERN : paint.TOP_PATTERN + 12
            ]
            look[paint.TOP_HEM] = min(look[paint.TOP_HEM], 0.0)
    for at in (paint.SHOE_RGB, paint.SOLE_RGB):
        look[at : at + 3] = (
            _cloth_color(rng) if at == paint.SHOE_RGB else linear(rng.choice(["e8e6e0", "222222"]))
        )
    return float(rng.choice([0.0, 0.004, 0.009, 0.015]))


def _cloth_color(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.35:
        return linear(rng.choice(["f2f0ec", "d8d4cc", "9a9a9a", "4a4a4e", "1c1c20", "2a3350", "c8b08a"]))
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 0.95), rng.uniform(0.3, 0.95))
    return np.array(rgb, np.float32) ** 2


def _draw_pattern(rng: np.random.Generator, look: np.ndarray, at: int, top: bool) -> None:
    first, second = _cloth_color(rng), _cloth_color(rng)
    for _ in range(8):
        if np.abs(np.sqrt(first) - np.sqrt(second)).max() > 0.3:
            break
        second = _cloth_color(rng)
    if not top and rng.random() < 0.45:
        first = linear(
            rng.choice(["2b3d5c", "3f5878", "6f8bab", "1d1d22", "3a3a3d", "8a7a62"])
        )  # jeans and the like
    kinds = (paint.STRIPES, paint.CHECKS, paint.DOTS, paint.SPLIT, paint.LOGO, paint.HALVES, paint.PATCHES,
             paint.BAND, paint.PLAID)  # fmt: skip
    odds = (
        (0.2, 0.06, 0.12, 0.1, 0.25, 0.05, 0.06, 0.1, 0.06)
        if top
        else (0.3, 0.1, 0.15, 0, 0, 0.05, 0.2, 0, 0.2)
    )
    kind = int(rng.choice(kinds, p=odds)) if rng.random() < (0.55 if top else 0.2) else paint.SOLID
    scale, angle, offset = rng.uniform(0.03, 0.08), rng.choice([0.0, 0.0, np.pi / 2, 0.6]), 0.5
    if kind == paint.DOTS:
        scale, offset = rng.uniform(0.03, 0.07), rng.uniform(0.22, 0.38)
    elif kind == paint.SPLIT:
        offset = rng.uniform(0.12, 0.36)
    elif kind == paint.LOGO:
        scale, angle, offset = rng.uniform(0.03, 0.075), rng.uniform(0, 1.6), rng.uniform(0.22, 0.33)
    elif kind == paint.BAND:
        scale, offset = rng.uniform(0.02, 0.05), rng.uniform(0.18, 0.36)
    elif kind == paint.PATCHES:
        scale = rng.uniform(0.018, 0.035)
    look[at] = kind
    look[at + 1 : at + 4], look[at + 4 : at + 7] = first, second
    look[at + 7 : at + 10] = scale, angle, offset


def _puff(body: BodyModel, look: np.ndarray, style: str, loose_m: float) -> np.ndarray:
    puff = np.zeros(len(body.canonical), np.float32)
    z = body.canonical[:, 2]
    cloth = np.unique(body.triangles[body.parts == CLOTH])
    puff[cloth] = 0.002 + loose_m
    near_neck = np.clip((z[cloth] - 0.42) / 0.06, 0, 1)
    puff[cloth] -= near_neck * loose_m * 0.8
    puff[np.unique(body.triangles[body.parts == SKIRT])] = 0.004
    skin = np.unique(body.triangles[body.parts == SKIN])
    shoes = skin[z[skin] < look[paint.SHOE_TOP]]
    puff[shoes] = 0.007
    puff += _hair_puff(body, look, style)
    puff[np.unique(body.triangles[body.parts == HAIR])] = 0.004
    return puff


def _hair_puff(body: BodyModel, look: np.ndarray, style: str) -> np.ndarray:
    """How far the scalp is pushed out by its hair, thinning out toward the hairline: float32 (vertices,)."""
    thick_m = {"buzz": 0.003, "short": 0.012, "full": 0.024, "knot": 0.008, "afro": 0.05}.get(style, 0.014)
    puff = np.zeros(len(body.canonical), np.float32)
    head = body.triangles[(body.parts == SKIN) & (body.canonical[body.triangles, 2].min(1) > 0.54)]
    edges = np.concatenate([head[:, [0, 1]], head[:, [1, 2]], head[:, [2, 0]]])
    for vertex in np.unique(head):
        x, y, z = body.canonical[vertex]
        if paint.is_scalp(x, y, z, look):
            puff[vertex] = thick_m * np.clip((z - 0.6) / 0.1, 0.35, 1)
            if style == "knot":  # hair tied up on the crown
                away = np.hypot(x, y + 0.015) / 0.032
                puff[vertex] += 0.055 * np.exp(-(away**4)) * (z > 0.7)
    bare = puff == 0
    for _ in range(5):  # a vertex takes the mean of its neighbours, so that hair does not end in a cliff
        total, count = np.zeros_like(puff), np.zeros_like(puff)
        for one, other in ((0, 1), (1, 0)):
            np.add.at(total, edges[:, one], puff[edges[:, other]])
            np.add.at(count, edges[:, one], 1)
        puff = np.where(bare, 0, total / np.maximum(count, 1)).astype(np.float32)
    return puff
