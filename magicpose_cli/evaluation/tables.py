"""What an evaluation comes to: one table for people, one page of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..media.pictures import resize_picture
from .manifest import as_sentences
from .metrics import METRICS
from .people import JOINT_TOLERANCE, SMALLEST_FACE_PX
from .records import MEANS, Record, identity_kept, interval
from .temporal import MARGIN_PX

PAGE_WIDTH_PX = 1600


def summarise(records: Sequence[Record]) -> dict[str, Any]:
    """Values by key, their 95 % intervals over clips, and the identities that were kept."""
    kept = identity_kept(records)
    values = {key: mean(records) for key, (_, mean) in MEANS.items()}
    return {
        "values": {key: value for key, value in values.items() if value is not None},
        "intervals": {key: interval(mean, records) for key, (_, mean) in MEANS.items()},
        "identity": {
            "kept": kept.count(True),
            "of": len(kept) - kept.count(None),
            "by_clip": kept,
        },
        "faces": sum(len(record["openings"]["mouth"]) for record in records),
        "not_computed": [key for key, value in values.items() if value is None],
    }


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a page: settings, a table of all methods, how each number is made, the pictures."""
    settings, methods = report["settings"], report["methods"]
    lines = [
        f"# {settings['model'] or ', '.join(settings['predictions'])} on {settings['dataset']}",
        "",
        as_sentences(report),
        "",
        "| measure | unit, better | " + " | ".join(methods) + " |",
        "| --- | --- |" + " --- |" * len(methods),
    ]
    faces = ", ".join(f"{name}: {method['faces']}" for name, method in methods.items())
    for key, unit in _rows(report).items():
        cells = [_cell(method, key) for method in methods.values()]
        lines.append(f"| {key} | {unit} | " + " | ".join(cells) + " |")
    kept = [f"{m['identity']['kept']} of {m['identity']['of']}" for m in methods.values()]
    lines.append("| identity | clips, higher | " + " | ".join(kept) + " |")
    lines += [
        "",
        "In brackets: 95 % bootstrap interval over clips.",
        "",
        "- pose_accuracy: share of the body joints that MediaPipe finds in the truth which it finds in the result "
        f"within {JOINT_TOLERANCE:.0%} of the person's height (median over frames of the joints' vertical extent).",
        "- expression: correlation with the truth over frames, each clip about its own mean, faces of "
        f"{SMALLEST_FACE_PX} px and taller ({faces} frames).",
        f"- flicker: mean absolute change between neighbouring frames, {MARGIN_PX} px and more from the person.",
        "- identity: the result's colours of face, hair and clothes are nearest to the right person among all clips'.",
        "- `*_disco`: as published, wrap-around and all (see README); the others as they should be.",
        "",
        "![reference, pose, result, truth](pictures.jpg)",
        "",
    ]
    return "\n".join(lines)


def _rows(report: dict[str, Any]) -> dict[str, str]:
    """Units of the measures, by key: the means over frames, and the distances that some method has."""
    found = {key for method in report["methods"].values() for key in method["values"]}
    distances = {m.key: f"{m.unit}, {m.better}" for m in METRICS if m.key in found and m.key not in MEANS}
    return {key: unit for key, (unit, _) in MEANS.items()} | distances


def _cell(method: dict[str, Any], key: str) -> str:
    if key not in method["values"]:
        return "not computed"
    value, between = method["values"][key], method["intervals"].get(key)
    text = f"{value:.3g}" if abs(value) < 0.01 else f"{value:.3f}" if abs(value) < 2 else f"{value:.2f}"
    if between is None or key.endswith("_disco") or key == "flicker_of_truth":
        return text
    low, high = between
    digits = 3 if abs(value) < 2 else 2
    return f"{text} ({low:.{digits}f}..{high:.{digits}f})"


def as_table(report: dict[str, Any]) -> str:
    """The values for a terminal: one line a measure, one column a method."""
    methods = report["methods"]
    kept = [f"{m['identity']['kept']} of {m['identity']['of']}" for m in methods.values()]
    rows = {
        **{key: [_short(m["values"].get(key)) for m in methods.values()] for key in _rows(report)},
        "identity": kept,
    }
    return in_columns(list(methods), rows, _rows(report))


def in_columns(titles: Sequence[str], rows: dict[str, list[str]], units: dict[str, str]) -> str:
    """Text in columns for a terminal: a row's name, a cell under each title, and the unit where there is one."""
    first = max(map(len, rows))
    width = max(map(len, [*titles, *(cell for cells in rows.values() for cell in cells)]))
    lines = [" " * first + "".join(f"  {title:>{width}}" for title in titles)]
    for name, cells in rows.items():
        text = f"{name:<{first}}" + "".join(f"  {cell:>{width}}" for cell in cells)
        lines.append(f"{text}  {units.get(name, '')}".rstrip())
    return "\n".join(lines)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def as_pictures(strips: Sequence[np.ndarray]) -> np.ndarray:
    """Clips' strips in two columns, at most `PAGE_WIDTH_PX` wide."""
    half = (len(strips) + 1) // 2
    left, right = list(strips[:half]), list(strips[half:])
    right += [np.zeros_like(left[0])] * (len(left) - len(right))
    gap = np.zeros((left[0].shape[0], 8, 3), np.uint8)
    rows = [np.concatenate([a, gap, b], axis=1) for a, b in zip(left, right, strict=True)]
    page = np.concatenate(rows) if len(strips) > 1 else left[0]
    scale = min(1.0, PAGE_WIDTH_PX / page.shape[1])
    return resize_picture(page, round(page.shape[1] * scale), round(page.shape[0] * scale))
