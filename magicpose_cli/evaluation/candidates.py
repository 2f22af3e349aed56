"""Ways of sampling, each measured on the same test clips: which of them nothing beats in both speed and quality.

What a model's presets are chosen from. All candidates make the same frames from the same noise, one after the other.

    OUT/presets.json, presets.md, presets.svg       all candidates, and the front
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, console
from ..diffusion.facts import check_model, check_steps, read_facts
from ..media.atomic import refuse_existing, write_json, write_text
from ..sampling import Solver
from ..weights import find_model
from .datasets import find_clips
from .datasets.clip import Size, TestClip
from .reconstruction import psnr, ssim

SEEN, SEEN_IN_MOTION = 4, 16
"""Targets of each clip that are made: the first, and others evenly after it; by a motion module, which sees neighbours
in them, the first so many, a whole window."""


@dataclass(frozen=True)
class Candidate:
    """A way of sampling."""

    steps: int
    solver: Solver = "ddim"
    guidance: float = 1.0
    guided: tuple[float, float] = (0.0, 1.0)

    @property
    def name(self) -> str:
        if self.guidance == 1:
            return f"{self.solver} {self.steps}"
        part = "" if self.guided == (0, 1) else f" in {self.guided[0]:.0%} to {self.guided[1]:.0%}"
        return f"{self.solver} {self.steps}, guidance {self.guidance:g}{part}"


def candidates(guidance: float) -> list[Candidate]:
    """All that are tried, for a model whose own guidance is so strong; the first is the paper's 50 steps of DDIM."""
    plain = [Candidate(steps, guidance=guidance) for steps in (50, 20, 10, 4, 2, 1)]
    solvers: tuple[Solver, ...] = ("dpm++", "unipc")
    others = [Candidate(steps, solver, guidance) for solver in solvers for steps in (10, 4)]
    if guidance == 1:
        return [*plain, *others, *(Candidate(steps, guidance=1.5) for steps in (10, 4))]
    half = [Candidate(steps, guidance=guidance, guided=(0.0, 0.5)) for steps in (20, 10, 4)]
    return [*plain, *others, *half, *(Candidate(steps) for steps in (20, 10, 4))]


def compare_candidates(
    *,
    dataset: str,
    root: Path | None,
    model: str | None,
    out: Path,
    clips: int | None,
    device: str,
    dtype: str,
    force: bool = False,
) -> dict[str, Any]:
    """Measure all candidates and write what came of it.

    Args:
        dataset, root, clips: as for `eval --dataset`.
        model: name or folder; None for the best at hand.
        out: folder for the table and the plot.
        device, dtype: where and in which format.
        force: replace a table and a plot that are there.

    Returns:
        The table as a document: for each candidate seconds a frame, PSNR, SSIM and whether it is on the front.

    Raises:
        OutputExistsError: one of the three files is there, and `force` is False.
    """
    files = [out / f"presets.{kind}" for kind in ("json", "md", "svg")]
    for path in files:
        refuse_existing(path, overwrite=force)
    from ..device import pick_device, pick_dtype
    from ..diffusion.folder import load_model

    folder = find_model(model)
    facts = read_facts(folder)
    check_model(folder, facts)
    tried = candidates(facts.sampling.guidance_scale)
    for candidate in tried:
        way = facts.sampling.chosen(None, candidate.steps, candidate.guidance, candidate.solver)
        check_steps(folder, way, are_seen=False)
    _, found = find_clips(dataset, root)
    opened = [open_clip(number, True) for number, open_clip in enumerate(list(found.values())[:clips])]
    at = pick_device(device)
    pipeline = load_model(folder, at, pick_dtype(dtype, at))
    size_px = pipeline.sampling.width_px, pipeline.sampling.height_px
    _measure(pipeline, Candidate(1), opened[:1], size_px)  # the first run of all takes longer
    rows = []
    with console.progress("Measuring", total=len(tried), unit="candidates") as stage:
        for candidate in tried:
            rows.append({"name": candidate.name, **_measure(pipeline, candidate, opened, size_px)})
            stage.advance()
    best = front([(row["seconds_per_frame"], row["psnr"]) for row in rows])
    table = {
        "magicpose": __version__,
        "model": folder.name,
        "device": str(at),
        "clips": len(opened),
        "frames": sum(len(_seen(pipeline, clip)) for clip in opened),
        "consecutive": pipeline.motion_adapter is not None,
        "candidates": [{**row, "on_front": is_best} for row, is_best in zip(rows, best, strict=True)],
    }
    out.mkdir(parents=True, exist_ok=True)
    as_json, page, plot = files
    write_json(as_json, table, overwrite=force)
    write_text(page, as_markdown(table), overwrite=force)
    write_text(plot, as_plot(table), overwrite=force)
    return table


def _seen(pipeline: Any, clip: TestClip) -> list[int]:
    """Numbers of the clip's frames that are made."""
    if pipeline.motion_adapter is not None:
        return list(clip.targets[:SEEN_IN_MOTION])
    return [int(n) for n in np.linspace(clip.targets[0], clip.targets[-1], SEEN)]


def _measure(pipeline: Any, candidate: Candidate, clips: Sequence[TestClip], size_px: Size) -> dict[str, Any]:
    """Seconds a frame, decoding included, and the means over frames."""
    seconds, decibels, similarities = 0.0, [], []
    for clip in clips:
        assert clip.maps is not None
        numbers = _seen(pipeline, clip)
        truth, maps = clip.read(clip.frames, size_px, numbers), clip.read(clip.maps, size_px, numbers)
        start_s = time.perf_counter()
        made = pipeline(
            clip.reference(size_px),
            maps,
            num_inference_steps=candidate.steps,
            guidance_scale=candidate.guidance,
            solver=candidate.solver,
            guided=candidate.guided,
            seed=clip.number,
        )
        frames = list(made)
        seconds += time.perf_counter() - start_s
        decibels += [psnr(a, b) for a, b in zip(frames, truth, strict=True)]
        similarities += [ssim(a, b) for a, b in zip(frames, truth, strict=True)]
    return {
        "steps": candidate.steps,
        "solver": candidate.solver,
        "guidance": candidate.guidance,
        "guided": list(candidate.guided),
        "seconds_per_frame": seconds / len(decibels),
        "psnr": float(np.mean(decibels)),
        "ssim": float(np.mean(similarities)),
    }


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of (cost, quality), whether no other has both less cost and more quality, or one better and the other equal."""
    return [
        not any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in points)
        for cost, quality in points
    ]


def as_markdown(table: dict[str, Any]) -> str:
    """The table, fastest first; the front in bold."""
    frames = "consecutive frames" if table["consecutive"] else "frames"
    lines = [
        f"# Ways of sampling {table['model']}",
        "",
        f"{table['frames']} {frames} of {table['clips']} test clips on {table['device']}, magicpose "
        f"{table['magicpose']}. Bold: nothing here is both faster and better in PSNR.",
        "",
        "| solver and steps | seconds a frame | PSNR, dB | SSIM |",
        "| --- | --- | --- | --- |",
    ]
    for row in sorted(table["candidates"], key=lambda row: row["seconds_per_frame"]):
        name = f"**{row['name']}**" if row["on_front"] else row["name"]
        lines.append(f"| {name} | {row['seconds_per_frame']:.3f} | {row['psnr']:.2f} | {row['ssim']:.3f} |")
    return "\n".join([*lines, ""])


_TICKS_DB = (0.25, 0.5, 1, 2, 5, 10, 20, 50)  # from one figure beside the plot to the next
_MOST_TICKS = 8


def as_plot(table: dict[str, Any]) -> str:
    """PSNR over seconds a frame (logarithmic) as SVG, the front as a line; readable on light and dark ground."""
    rows = sorted(table["candidates"], key=lambda row: row["seconds_per_frame"])
    width, height, left, bottom, margin = 640, 360, 56, 48, 24
    costs = [math.log10(row["seconds_per_frame"]) for row in rows]
    qualities = [row["psnr"] for row in rows]
    apart = next(step for step in _TICKS_DB if max(qualities) - min(qualities) <= _MOST_TICKS * step)
    low, high = math.floor(min(qualities) / apart) * apart, math.ceil(max(qualities) / apart) * apart
    high = high if high > low else low + apart
    first, last = min(costs), max(max(costs), min(costs) + 0.1)

    def place(row: dict[str, Any]) -> tuple[float, float]:
        x = (
            left
            + margin
            + (math.log10(row["seconds_per_frame"]) - first) / (last - first) * (width - left - 6 * margin)
        )
        y = height - bottom - (row["psnr"] - low) / (high - low) * (height - bottom - 2 * margin)
        return round(x, 1), round(y, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        "<style>text { font: 12px sans-serif }</style>",
        f"<title>{escape(table['model'])}: PSNR over seconds a frame</title>",
        f'<path d="M{left},{margin}V{height - bottom}H{width - margin}" fill="none" stroke="#888"/>',
    ]
    for tick in np.arange(low, high + 1e-9, apart):
        _, y = place({"seconds_per_frame": 10**first, "psnr": float(tick)})
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end" fill="#888">{tick:g}</text>')
    for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100):
        if first <= math.log10(tick) <= last:
            x, _ = place({"seconds_per_frame": tick, "psnr": low})
            parts.append(
                f'<text x="{x}" y="{height - bottom + 18}" text-anchor="middle" fill="#888">{tick:g}</text>'
            )
    parts.append(
        f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle" fill="#888">seconds a frame</text>'
    )
    parts.append(f'<text x="{left - 40}" y="{margin - 8}" fill="#888">PSNR, dB</text>')
    best = [place(row) for row in rows if row["on_front"]]
    line = " ".join(f"{x},{y}" for x, y in best)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#d9480f" stroke-width="2"/>')
    for row in rows:
        x, y = place(row)
        colour = "#d9480f" if row["on_front"] else "#888"
        name = escape(row["name"])
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"><title>{name}</title></circle>')
        if row["on_front"]:
            parts.append(f'<text x="{x + 7}" y="{y - 7}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])
