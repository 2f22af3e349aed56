"""An evaluation as text: one table for people, in Markdown and for a pipe; and one page of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..media.pictures import resize_picture
from .manifest import as_sentences
from .metrics import METRICS
from .people import JOINT_TOLERANCE, SMALLEST_FACE_PX
from .records import LEAST_CLIPS, MEANS
from .temporal import MARGIN_PX

PAGE_WIDTH_PX = 1600
INTERVALS = f"In brackets: 95 % bootstrap interval over clips, where {LEAST_CLIPS} or more have a value."


def unit_and_direction(key: str) -> tuple[str, str]:
    """Of a measure: its unit, and which values are better (``higher``, ``lower``; empty where neither is)."""
    text = (
        MEANS[key][0]
        if key in MEANS
        else next((f"{m.unit}, {m.better}" for m in METRICS if m.key == key), "")
    )
    unit, _, direction = text.rpartition(", ")
    return (unit, direction) if direction in ("higher", "lower") else (text, "")


def best_of(values: Sequence[float | None], direction: str) -> list[int]:
    """Where the best of some values stand; nowhere without a direction."""
    there = [value for value in values if value is not None]
    if not there or not direction:
        return []
    best = max(there) if direction == "higher" else min(there)
    return [i for i, value in enumerate(values) if value == best]


def measures(report: Mapping[str, Any]) -> list[str]:
    """Keys of an evaluation's table, those that a method has a value of: first those of `MEANS`."""
    found = dict.fromkeys(key for method in report["methods"].values() for key in method["values"])
    return [key for key in dict.fromkeys([*MEANS, *found]) if key in found]


def absent(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(key, of which methods, why): what has no value."""
    of_methods: dict[tuple[str, str], list[str]] = {}
    for name, method in report["methods"].items():
        for key, why in method["not_computed"].items():
            of_methods.setdefault((key, why), []).append(name)
    everywhere = len(report["methods"])
    rows = [
        (key, "all methods" if len(names) == everywhere else ", ".join(names), why)
        for (key, why), names in of_methods.items()
    ]
    return rows + [(key, "all methods", why) for key, why in report.get("not_computed", {}).items()]


def absent_line(report: Mapping[str, Any]) -> str:
    """The keys without a value, for below a table; empty where there are none."""
    keys = dict.fromkeys(key for key, _, _ in absent(report))
    return f"not computed: {', '.join(keys)} (why: report.md)" if keys else ""


def title(settings: Mapping[str, Any]) -> str:
    """What was evaluated on what."""
    return f"{settings['model'] or ', '.join(settings['predictions'])} on {settings['dataset']}"


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a page: settings, a table of all methods, how each number is made, the pictures."""
    settings, methods = report["settings"], report["methods"]
    lines = [
        f"# {title(settings)}",
        "",
        as_sentences(report),
        "",
        "| measure | unit, better | " + " | ".join(methods) + " |",
        "| --- | --- |" + " --- |" * len(methods),
    ]
    for key in measures(report):
        cells = [cell(method, key) for method in methods.values()]
        unit = ", ".join(filter(None, unit_and_direction(key)))
        lines.append(f"| {key} | {unit} | " + " | ".join(cells) + " |")
    kept = [f"{m['identity']['kept']} of {m['identity']['of']}" for m in methods.values()]
    lines.append("| identity | clips, higher | " + " | ".join(kept) + " |")
    lines += [
        "",
        INTERVALS,
        "",
        *(f"- {note}" for note in notes(report)),
        "",
        *_absent_lines(report),
        "![reference, pose, result, truth](pictures.jpg)",
        "",
    ]
    return "\n".join(lines)


def _absent_lines(report: Mapping[str, Any]) -> list[str]:
    """What was not computed, a line a reason."""
    keys: dict[tuple[str, str], list[str]] = {}
    for key, of, why in absent(report):
        keys.setdefault((of, why), []).append(key)
    lines = [f"- {', '.join(named)} ({of}): {why}" for (of, why), named in keys.items()]
    return ["Not computed:", "", *lines, ""] if lines else []


def notes(report: Mapping[str, Any]) -> list[str]:
    """How each number is made that is not the papers' own, a sentence each."""
    faces = ", ".join(f"{name}: {method['faces']}" for name, method in report["methods"].items())
    there = measures(report)
    found = [
        "pose_accuracy: share of the body joints that MediaPipe finds in the truth which it finds in the result "
        f"within {JOINT_TOLERANCE:.0%} of the person's height (median over frames of the joints' vertical extent); "
        "the same of the points of hands and face.",
        "expression: correlation with the truth over frames, each clip about its own mean, faces of "
        f"{SMALLEST_FACE_PX} px and taller ({faces} frames).",
        f"flicker: mean absolute change between neighbouring frames, {MARGIN_PX} px and more from the person "
        f"({report['segmenter']}).",
        "warping_error: mean absolute change along the truth's optical flow.",
        f"face_det: share of the truth's faces that {report['detector']} finds in the result too.",
        "identity: the result's colours of face, hair and clothes are nearest to the right person among all clips'.",
        "`*_disco`: as published, wrap-around and all (see README); the others as they should be.",
    ]
    if "face_dist_dlib" in there:
        found.append(
            "face_dist_dlib: distance of dlib's features of both faces, aligned by MediaPipe's points; "
            "face_match_dlib: the share of the truth's faces of which it is below 0.6, dlib's threshold for one person."
        )
    if "fid_effnet_lite0" in there:
        found.append("fid_effnet_lite0: distance of EfficientNet-Lite0's features, on a scale of its own.")
    counts = _counts(report)
    if counts:
        found.append(
            f"Behind each (of the result, of the truth): {counts}. Frechet distances of few are large."
        )
    if report["settings"].get("stride", 1) > 1:
        found.append(
            "Only each so many frames was taken (--stride): changes, clips and distances are of those."
        )
    return found


def _counts(report: Mapping[str, Any]) -> str:
    """How many frames, clips or faces are behind a measure: of the method that has the fewest."""
    fewest: dict[str, tuple[int, int]] = {}
    for method in report["methods"].values():
        for key, counts in method.get("samples", {}).items():
            fewest[key] = min(fewest.get(key, tuple(counts)), tuple(counts))
    return ", ".join(f"{key} {ours} and {theirs}" for key, (ours, theirs) in fewest.items())


def cell(method: Mapping[str, Any], key: str) -> str:
    """A method's value as text; in brackets an interval that is worth reading, and how many clips, if not all."""
    if key not in method["values"]:
        return "not computed"
    value, between = method["values"][key], method["intervals"].get(key)
    text = f"{value:.3g}" if abs(value) < 0.01 else f"{value:.3f}" if abs(value) < 2 else f"{value:.2f}"
    notes = []
    if between is not None and not key.endswith(("_disco", "_of_truth")):
        low, high = between
        digits = 3 if abs(value) < 2 else 2
        notes.append(f"{low:.{digits}f}..{high:.{digits}f}")
    notes += filter(None, [few_clips(method, key)])
    return f"{text} ({'; '.join(notes)})" if notes else text


def few_clips(method: Mapping[str, Any], key: str) -> str:
    """How many clips have a value, where not all of them have one."""
    clips, of = method["clips"].get(key), len(method["identity"]["by_clip"])
    return "" if clips in (None, of) else f"{clips} of {of} clips"


def as_table(report: dict[str, Any]) -> str:
    """The values for a terminal: one line a measure, one column a method."""
    methods = report["methods"]
    kept = [f"{m['identity']['kept']} of {m['identity']['of']}" for m in methods.values()]
    rows = {
        **{key: [short(m["values"].get(key)) for m in methods.values()] for key in measures(report)},
        "identity": kept,
    }
    units = {key: ", ".join(filter(None, unit_and_direction(key))) for key in measures(report)}
    return "\n".join(filter(None, [in_columns(list(methods), rows, units), absent_line(report)]))


def in_columns(titles: Sequence[str], rows: dict[str, list[str]], units: dict[str, str]) -> str:
    """Text in columns for a terminal: a row's name, a cell under each title, and the unit where there is one."""
    first = max(map(len, rows))
    width = max(map(len, [*titles, *(cell for cells in rows.values() for cell in cells)]))
    lines = [" " * first + "".join(f"  {title:>{width}}" for title in titles)]
    for name, cells in rows.items():
        text = f"{name:<{first}}" + "".join(f"  {cell:>{width}}" for cell in cells)
        lines.append(f"{text}  {units.get(name, '')}".rstrip())
    return "\n".join(lines)


def short(value: float | None) -> str:
    """Four digits, or a dash."""
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
