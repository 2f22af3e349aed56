"""What colour a point of the body, its clothes or its hair has: a solid texture over the rest position.

Every function here is compiled; the look of a person is one float32 vector, laid out by the constants
below, and the `canonical` position (metres, the average body at rest) is what patterns, hems, hairline,
lips and brows are drawn by, so they stay put on the moving body.

The z-buffer is here too because it asks which points of a surface exist: numba's cache on disk notices a
change only in the file of the function that is called, so what calls each other stands in one file.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from .body import CLOTH, EYE, HAIR, SKIN, SKIRT, TEETH

# where things lie in the look vector: garment outlines, in canonical metres
TOP_HEM, TOP_SLEEVE, NECK_RADIUS, NECK_DEPTH, NECK_SLOPE = 0, 1, 2, 3, 4
BOTTOM_WAIST, BOTTOM_CUFF, SKIRT_HEM, SHOE_TOP, BOTTOM_OVER_TOP = 5, 6, 7, 8, 9
HAIR_SHIFT, HAIR_LENGTH, HAIR_FRINGE, HAIR_STREAKS, STUBBLE, BLUSH, LID = 10, 11, 12, 13, 14, 15, 16
BROW_WIDTH, HAIR_PARTING = 17, 18
# colours, three entries each, linear 0..1
SKIN_RGB, LIP_RGB, HAIR_RGB, IRIS_RGB, BROW_RGB, SHOE_RGB, SOLE_RGB = 20, 23, 26, 29, 32, 35, 38
# patterns: kind, two colours, scale, angle, offset
TOP_PATTERN, BOTTOM_PATTERN = 45, 57
LOOK_SIZE = 72

SOLID, STRIPES, CHECKS, DOTS, SPLIT, LOGO, HALVES, PATCHES, BAND, PLAID = range(10)
TOP, BOTTOM, SHOE = 1, 2, 3

ARM_X_M = 0.17  # beyond this the upper body is arm
FLOOR_Z_M = -0.867  # the soles of the average body, whose root is at 0


@njit(cache=True)
def reach_along_arm(x: float, y: float, z: float) -> float:
    """How far down the arm a canonical position lies, as the |x| of the arm's axis there, so that cuffs are
    square to the arm; on the trunk simply |x|."""
    ax = abs(x)
    if not (ax > ARM_X_M and z > 0.3) and ax < 0.23:
        return ax
    past_elbow_m = 0.512 * (ax - 0.334) - 0.682 * (y + 0.019) - 0.523 * (z - 0.239)
    if past_elbow_m > 0:
        return 0.334 + 0.512 * past_elbow_m
    along_m = 0.67 * (ax - 0.165) - 0.02 * (y + 0.013) - 0.74 * (z - 0.427)
    return max(ARM_X_M, 0.165 + 0.67 * along_m)


@njit(cache=True)
def garment_at(x: float, y: float, z: float, look: Any) -> int:
    """Which garment covers a canonical position: 0 none, TOP, BOTTOM or SHOE."""
    ax = abs(x)
    if z < look[SHOE_TOP]:
        return SHOE
    reach = reach_along_arm(x, y, z)
    if ax > 0.28 and z < 0.3:  # forearms and hands hang beside the legs; no sleeve goes beyond the wrist
        beyond_wrist_m = 0.512 * (ax - 0.450) - 0.682 * (y + 0.174) - 0.523 * (z - 0.121)
        return TOP if reach < look[TOP_SLEEVE] and beyond_wrist_m < -0.03 else 0
    bottom = look[BOTTOM_CUFF] < z < look[BOTTOM_WAIST]
    if bottom and look[BOTTOM_OVER_TOP] > 0.5:
        return BOTTOM
    if z > look[TOP_HEM] and reach < look[TOP_SLEEVE]:
        radius = math.sqrt(x * x + (y + 0.012) ** 2)
        at_neck = z > 0.40 and radius < look[NECK_RADIUS] + 0.4 * max(0.0, z - 0.5)
        in_front = y < -0.02 and z > 0.5 - look[NECK_DEPTH] + ax * look[NECK_SLOPE]
        if not at_neck and not in_front and z < 0.53:
            return TOP
    return BOTTOM if bottom else 0


@njit(cache=True)
def is_drawn(part: int, x: float, y: float, z: float, look: Any) -> bool:
    """Whether a point of a helper surface is there at all: cloth where it covers, hair where it is long."""
    if part == CLOTH:
        return garment_at(x, y, z, look) in (TOP, BOTTOM)
    if part == SKIRT:
        return z > look[SKIRT_HEM] and look[SKIRT_HEM] < 0.1
    if part == HAIR:
        if z < look[HAIR_LENGTH]:
            return False
        edge = -0.035 if z > 0.665 else -0.014  # lower strands begin behind the ears
        in_face = y < edge and z < look[HAIR_FRINGE] and abs(x) < 0.2
        return not in_face
    return True


@njit(cache=True)
def is_scalp(x: float, y: float, z: float, look: Any) -> bool:
    """Whether hair grows at a canonical position of the head."""
    if z < 0.54:
        return False
    ax = abs(x)
    if ax > 0.074 and z < 0.672 and -0.036 < y < 0.022:
        return False  # the ear
    if y < -0.05:
        temple = max(0.0, (ax - 0.045) / 0.03)
        line = 0.712 + look[HAIR_SHIFT] + 0.22 * min(0.0, -(y + 0.125)) - 0.012 * temple * temple
        line = line if y < -0.075 else min(line, 0.69)
        if y > -0.075:
            line += (y + 0.075) / 0.025 * -0.035
    elif y < -0.03:
        line = 0.645
    elif y < 0.012:
        line = 0.664
    elif y < 0.035:
        line = 0.664 - (y - 0.012) / 0.023 * 0.075
    else:
        line = 0.565
    return z > line


@njit(cache=True)
def _pattern(x: float, y: float, z: float, look: Any, at: int, out: Any) -> None:
    kind = int(look[at])
    scale, angle, offset = look[at + 7], look[at + 8], look[at + 9]
    u, v = x, z
    arm = abs(x) > ARM_X_M and z > 0.0
    if arm:  # along and around the arm instead of along the world's axes
        v = -(0.67 * (abs(x) - 0.165) - 0.74 * (z - 0.427))
        u = y
    if not arm and z < -0.1:
        u = x + 0.6 * y
    second = False
    if kind == STRIPES:
        phase = (v * math.cos(angle) + u * math.sin(angle)) / scale
        second = phase - math.floor(phase) < offset
    elif kind == CHECKS:
        second = (math.floor(u / scale) + math.floor(v / scale)) % 2 == 0
    elif kind == DOTS:
        row = math.floor(v / scale)
        du = u / scale + 0.5 * (row % 2)
        du -= math.floor(du) + 0.5
        dv = v / scale - row - 0.5
        second = du * du + dv * dv < offset * offset
    elif kind == SPLIT:
        second = z > offset
    elif kind == LOGO:
        lx, lz = x / (1.6 * scale), (z - offset) / scale
        second = y < 0.0 and not arm and (lx * lx + lz * lz < 1 if angle > 0.8 else max(abs(lx), abs(lz)) < 1)
    elif kind == HALVES:
        second = x > 0
    elif kind == PATCHES:
        a, b = u / scale, v / scale
        second = (
            math.sin(a + 1.7 * math.sin(0.8 * b)) + math.sin(1.3 * b + 1.9 * math.sin(0.7 * a + y)) > 0.45
        )
    elif kind == BAND:
        second = abs(z - offset) < scale and not arm
    first = at + 1
    share = 1.0 if second else 0.0
    if kind == PLAID:
        pu, pv = u / scale, v / scale
        share = 0.5 * (1.0 if pu - math.floor(pu) < 0.4 else 0.0) + 0.5 * (
            1.0 if pv - math.floor(pv) < 0.4 else 0.0
        )
    for c in range(3):
        out[c] = look[first + c] * (1 - share) + look[first + 3 + c] * share


@njit(cache=True)
def _distance_to_line(px: float, pz: float, line: Any) -> float:
    best = 1e9
    for i in range(len(line) - 1):
        ax, az = line[i, 0], line[i, 1]
        dx, dz = line[i + 1, 0] - ax, line[i + 1, 1] - az
        t = min(1.0, max(0.0, ((px - ax) * dx + (pz - az) * dz) / (dx * dx + dz * dz + 1e-12)))
        best = min(best, (px - ax - t * dx) ** 2 + (pz - az - t * dz) ** 2)
    return math.sqrt(best)


@njit(cache=True)
def _inside(px: float, pz: float, ring: Any) -> bool:
    inside = False
    j = len(ring) - 1
    for i in range(len(ring)):
        zi, zj = ring[i, 1], ring[j, 1]
        if (zi > pz) != (zj > pz) and px < (ring[j, 0] - ring[i, 0]) * (pz - zi) / (zj - zi) + ring[i, 0]:
            inside = not inside
        j = i
    return inside


@njit(cache=True)
def _skin(x: float, y: float, z: float, look: Any, lips: Any, brow: Any, lid: Any, out: Any) -> None:
    for c in range(3):
        out[c] = look[SKIN_RGB + c]
    ax = abs(x)
    if z > 0.54 and is_scalp(x, y, z, look):
        _hair(x, y, z, look, out)
        return
    if z < 0.53 or y > -0.03:
        return
    if ax < 0.03 and 0.56 < z < 0.6 and y < -0.06:
        if ax < 0.026 and y > -0.1225 and z > 0.569:
            out[0], out[1], out[2] = 0.09, 0.02, 0.02  # inside the mouth
            return
        if _inside(x, z, lips):
            for c in range(3):
                out[c] = look[LIP_RGB + c]
            return
    if look[STUBBLE] > 0 and y < -0.045 and z < 0.625:
        upper = 0.59 + 0.5 * max(0.0, ax - 0.03)
        share = look[STUBBLE] * min(1.0, max(0.0, (upper - z) / 0.008 + 0.6))
        if z > 0.592 and (ax > 0.03 or z > 0.601):
            share *= 0.0 if ax < 0.052 else 1.0
        for c in range(3):
            out[c] = out[c] * (1 - share) + share * look[HAIR_RGB + c] * 0.9
    blush = look[BLUSH] * math.exp(-((ax - 0.045) ** 2 + (z - 0.612) ** 2) / 0.0003)
    out[1] *= 1 - blush
    out[2] *= 1 - blush
    if z > 0.63 and y < -0.08:
        near = _distance_to_line(ax, z, lid)
        if near < 0.0022 and z > 0.644:
            for c in range(3):
                out[c] *= 0.25
        elif near < 0.009 and z > 0.65 and look[LID] > 0:
            for c in range(3):
                out[c] *= 1 - look[LID] * (0.5 if c == 1 else 0.35)
        if _distance_to_line(ax, z, brow) < look[BROW_WIDTH] * (1.15 - 6 * max(0.0, ax - 0.03)):
            for c in range(3):
                out[c] = 0.2 * out[c] + 0.8 * look[BROW_RGB + c]


@njit(cache=True)
def _hair(x: float, y: float, z: float, look: Any, out: Any) -> None:
    around = math.atan2(x, y + 0.03 + 1e-6) if z > 0.5 else 8 * x
    streak = 0.5 * math.sin(37 * around + 5 * math.sin(9 * around)) + 0.5 * math.sin(83 * around + 40 * z)
    shade = 1 + look[HAIR_STREAKS] * streak
    for c in range(3):
        out[c] = look[HAIR_RGB + c] * shade


@njit(cache=True)
def _eye(x: float, y: float, z: float, look: Any, out: Any) -> None:
    from_axis = math.sqrt((abs(x) - 0.0297) ** 2 + (z - 0.6486) ** 2)
    if y > -0.1075:
        from_axis = 1.0
    if from_axis < 0.0026:
        out[0], out[1], out[2] = 0.015, 0.012, 0.012
    elif from_axis < 0.0064:
        dark = 0.45 if from_axis > 0.0055 else 1.0
        for c in range(3):
            out[c] = look[IRIS_RGB + c] * dark
    else:
        out[0], out[1], out[2] = 0.80, 0.77, 0.75


@njit(cache=True)
def color_at(
    part: int, x: float, y: float, z: float, look: Any, lips: Any, brow: Any, lid: Any, out: Any
) -> int:
    """Write the linear colour of a canonical position to `out`.

    Returns how it shines: 0 as cloth, 1 as skin, 2 as hair, 3 as something wet.
    """
    if part == EYE:
        _eye(x, y, z, look, out)
        return 3
    if part == TEETH:
        out[0], out[1], out[2] = 0.78, 0.74, 0.66
        return 3
    if part == HAIR:
        _hair(x, y, z, look, out)
        return 2
    if part > SKIRT and part != HAIR:
        out[0], out[1], out[2] = 0.45, 0.14, 0.14
        return 1
    garment = BOTTOM if part == SKIRT else garment_at(x, y, z, look)
    if (
        part == SKIN
        and garment == 0
        and look[SKIRT_HEM] < 0.1
        and look[SKIRT_HEM] + 0.03 < z < 0.08
        and abs(x) < 0.24
    ):
        garment = BOTTOM
    if garment == TOP:
        _pattern(x, y, z, look, TOP_PATTERN, out)
    elif garment == BOTTOM:
        _pattern(x, y, z, look, BOTTOM_PATTERN, out)
    elif garment == SHOE:
        at = SOLE_RGB if z < FLOOR_Z_M + 0.028 else SHOE_RGB
        for c in range(3):
            out[c] = look[at + c]
    else:
        _skin(x, y, z, look, lips, brow, lid, out)
        return 2 if z > 0.54 and is_scalp(x, y, z, look) else 1
    return 0


@njit(cache=True)
def drawn_corners(triangles: Any, parts: Any, canonical: Any, look: Any) -> Any:
    """How many corners of each triangle are there at all: uint8 (t,)."""
    out = np.zeros(len(triangles), np.uint8)
    for t in range(len(triangles)):
        for k in range(3):
            p = canonical[triangles[t, k]]
            if is_drawn(parts[t], p[0], p[1], p[2], look):
                out[t] += 1
    return out


@njit(cache=True, fastmath=True)
def fill(
    triangles: Any,
    parts: Any,
    tested: Any,
    screen: Any,
    canonical: Any,
    look: Any,
    depth: Any,
    hit: Any,
    weights: Any,
) -> None:
    """The z-buffer: nearest triangle of each sample and its perspective-true weights of corners 0 and 1."""
    height, width = depth.shape
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        z0, z1, z2 = screen[i, 2], screen[j, 2], screen[k, 2]
        if z0 < 0.1 or z1 < 0.1 or z2 < 0.1:
            continue
        x0, y0, x1, y1 = screen[i, 0], screen[i, 1], screen[j, 0], screen[j, 1]
        x2, y2 = screen[k, 0], screen[k, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0:
            continue
        left, right = (
            max(0, math.ceil(min(x0, x1, x2) - 0.5)),
            min(width - 1, math.floor(max(x0, x1, x2) - 0.5)),
        )
        top, bottom = (
            max(0, math.ceil(min(y0, y1, y2) - 0.5)),
            min(height - 1, math.floor(max(y0, y1, y2) - 0.5)),
        )
        q0, q1, q2 = 1 / z0, 1 / z1, 1 / z2
        for py in range(top, bottom + 1):
            sy = py + 0.5
            for px in range(left, right + 1):
                sx = px + 0.5
                b0 = ((x1 - sx) * (y2 - sy) - (x2 - sx) * (y1 - sy)) / area
                b1 = ((x2 - sx) * (y0 - sy) - (x0 - sx) * (y2 - sy)) / area
                b2 = 1 - b0 - b1
                if b0 < 0 or b1 < 0 or b2 < 0:
                    continue
                z = 1 / (b0 * q0 + b1 * q1 + b2 * q2)
                if z >= depth[py, px]:
                    continue
                w0, w1 = b0 * q0 * z, b1 * q1 * z
                if tested[t]:
                    w2 = 1 - w0 - w1
                    cx = w0 * canonical[i, 0] + w1 * canonical[j, 0] + w2 * canonical[k, 0]
                    cy = w0 * canonical[i, 1] + w1 * canonical[j, 1] + w2 * canonical[k, 1]
                    cz = w0 * canonical[i, 2] + w1 * canonical[j, 2] + w2 * canonical[k, 2]
                    if not is_drawn(parts[t], cx, cy, cz, look):
                        continue
                depth[py, px] = z
                hit[py, px] = t
                weights[py, px, 0], weights[py, px, 1] = w0, w1


@njit(cache=True, fastmath=True)
def paint_samples(
    triangles: Any, parts: Any, canonical: Any, look: Any, lips: Any, brow: Any, lid: Any, hit: Any, weights: Any,
    color: Any, gloss: Any, place: Any,
) -> None:  # fmt: skip
    """For each sample that hits a triangle write its linear colour, its shine and its canonical position."""
    for y in range(hit.shape[0]):
        for x in range(hit.shape[1]):
            t = hit[y, x]
            if t < 0:
                continue
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w0, w1 = weights[y, x, 0], weights[y, x, 1]
            at = place[y, x]
            for c in range(3):
                at[c] = w0 * canonical[i, c] + w1 * canonical[j, c] + (1 - w0 - w1) * canonical[k, c]
            gloss[y, x] = color_at(parts[t], at[0], at[1], at[2], look, lips, brow, lid, color[y, x])


def empty_look() -> np.ndarray:
    """A look vector of zeros: float32 (LOOK_SIZE,)."""
    return np.zeros(LOOK_SIZE, np.float32)
