"""What the published PSNR and L1 measure, shown on pictures of which the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from .published import PUBLISHED
from .reconstruction import l1, psnr, psnr_disco

_SIDE_PX = 256
_CONSTANTS = (
    15,
    16,
    17,
    100,
)  # differences just below and above where a square leaves 8 bits, and a large one


def published_arithmetic(seed: int = 0) -> dict[str, Any]:
    """Score made-up pictures as published and as it should be, and undo the published L1's dependence on the size.

    Args:
        seed: of the random pictures.

    Returns:
        ``psnr``: rows of ``pictures`` (what differs), ``published`` and ``corrected`` in dB, and ``l1``, 0..255.
        ``l1``: rows of ``method``, ``source``, ``size_px``, ``size_inferred``, ``published`` (0..255 / (H W)) and
        ``levels``, the mean difference of 0..255; those of `PUBLISHED` whose size is known.
    """
    draw = np.random.default_rng(seed)
    shape = (_SIDE_PX, _SIDE_PX, 3)
    noise = [draw.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)]
    pairs = {"two pictures of uniformly random pixels": (noise[0], noise[1])}
    for levels in _CONSTANTS:
        pairs[f"the same picture, {levels} levels brighter"] = (
            np.full(shape, 100 + levels, np.uint8),
            np.full(shape, 100, np.uint8),
        )
    rows = [
        {"pictures": name, "published": psnr_disco(*pair), "corrected": psnr(*pair), "l1": l1(*pair)}
        for name, pair in pairs.items()
    ]
    l1_rows = [
        {
            "method": row.method,
            "source": row.source,
            "size_px": row.size_px,
            "size_inferred": row.size_inferred,
            "published": row.values["l1_disco"],
            "levels": row.l1_levels,
        }
        for row in PUBLISHED
        if row.l1_levels is not None
    ]
    return {"psnr": rows, "l1": l1_rows}


def as_markdown(found: dict[str, Any]) -> str:
    """Both tables, for people."""
    lines = [
        "| what is compared | PSNR as published, dB | PSNR, dB | mean difference, 0..255 |",
        "| --- | --- | --- | --- |",
    ]
    for row in found["psnr"]:
        lines.append(
            f"| {row['pictures']} | {row['published']:.1f} | {row['corrected']:.1f} | {row['l1']:.1f} |"
        )
    lines += [
        "",
        "| method | L1 as published | at px | mean difference, 0..255 |",
        "| --- | --- | --- | --- |",
    ]
    for row in found["l1"]:
        size = f"{row['size_px']}{' (inferred)' * row['size_inferred']}"
        lines.append(f"| {row['method']} | {row['published'] * 1e4:.2f}E-04 | {size} | {row['levels']:.1f} |")
    return "\n".join([*lines, ""])
