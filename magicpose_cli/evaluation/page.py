"""`report.html`: an evaluation on one page that needs nothing beside it, neither files nor a network.

report, records, pictures ──_context──> what is shown, as plain values ──page.html.jinja──> one HTML file
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from PIL import Image

from ..media.atomic import write_text
from ..media.pictures import resize_picture
from .by_frame import Values, values_by_frame
from .extra import from_eval_extra
from .manifest import as_sentences
from .plots import LINE_STYLES, frames_a_point, line_plot
from .published import KEYS, PUBLISHED, SOURCES, Published
from .records import LEAST_CLIPS, Record
from .tables import absent, best_of, few_clips, measures, notes, title, unit_and_direction

Show = Callable[[str, int, int], Sequence[np.ndarray]]
"""(method, number of the clip from 0, frame from 1) -> reference, pose map, result, truth: uint8 ``(H W 3)``."""

SHOWN = ("reference", "pose", "result", "truth")
MOST_CLIPS = 40
"""So many clips are drawn over time; `frames.csv` has them all."""

_EXTREMES = 3  # best frames a method, and worst ones; each of another clip
_PICTURE_PX = 256  # at most so high
_IDENTICAL_DB = 100  # the PSNR of equal frames: no value to draw an axis for
_NOT_DRAWN = (
    "_agreeing",
    "_in_truth",
    "face_det",
    "face_match_dlib",
    "_of_truth",
)  # by the ends of their keys
_FIRST_DRAWN = ("psnr", "ssim")


def check_dependencies() -> None:
    """See that a page can be made, before there is anything to show.

    Raises:
        MissingDependencyError: the eval extra is not installed.
    """
    with from_eval_extra("jinja2", "the page of an evaluation"):
        import jinja2  # noqa: F401


def write_page(
    path: str | os.PathLike[str],
    report: Mapping[str, Any],
    records: Mapping[str, Sequence[Record]],
    show: Show,
) -> None:
    """Write an evaluation's page, whole or not at all.

    Args:
        path: of the HTML file.
        report: as in ``report.json``.
        records: of each method, clip by clip in the report's order.
        show: gives the pictures of a frame.

    Raises:
        MissingDependencyError: the eval extra is not installed.
    """
    check_dependencies()
    import jinja2

    template = resources.files(__package__).joinpath("page.html.jinja").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    write_text(path, environment.from_string(template).render(_context(report, records, show)))


def _context(
    report: Mapping[str, Any], records: Mapping[str, Sequence[Record]], show: Show
) -> dict[str, Any]:
    by_frame = {name: [values_by_frame(record) for record in of_clips] for name, of_clips in records.items()}
    longest = max((len(v) for clips in by_frame.values() for clip in clips for v in clip.values()), default=0)
    return {
        "report": report,
        "title": title(report["settings"]),
        "evaluated": as_sentences(report).replace("`", ""),
        "settings": _settings(report["settings"]),
        "hashes": report["settings"].get("clips_sha256", {}),
        "least_clips": LEAST_CLIPS,
        "methods": [{"name": name, "style": i % LINE_STYLES} for i, name in enumerate(report["methods"])],
        "rows": _rows(report),
        "pairs": [_pair(pair) for pair in report.get("comparisons", [])],
        "published": [_published(row) for row in PUBLISHED],
        "sources": SOURCES,
        "clips": _clips(report["clips"][:MOST_CLIPS], by_frame),
        "frames_a_point": frames_a_point(longest),
        "extremes": [
            {"method": name, "sides": _extremes(name, clips, report["clips"], show)}
            for name, clips in by_frame.items()
        ],
        "shown": SHOWN,
        "absent": absent(report),
        "notes": [note.replace("`", "") for note in notes(report)],
    }


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was said and found before the start; what nobody gave is left out, hashes of clips stand elsewhere."""
    shown = {key: value for key, value in settings.items() if value is not None and key != "clips_sha256"}
    if settings["dataset"] != "tiktok":
        shown.pop("split", None)  # nobody else has one
    size = settings["size_px"]
    shown["size_px"] = "x".join(map(str, size)) if size else "each clip's own"
    shown["predictions"] = ", ".join(settings["predictions"]) or "none"
    words = {True: "yes", False: "no"}
    return [(key, words[v] if isinstance(v, bool) else str(v)) for key, v in shown.items()]


def _rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The measured table: a row a measure, a cell a method."""
    methods = list(report["methods"].values())
    rows = []
    for key in measures(report):
        unit, direction = unit_and_direction(key)
        values = [method["values"].get(key) for method in methods]
        best = best_of(values, direction) if len(values) > 1 else []
        between = [method["intervals"].get(key) for method in methods]
        clips = [few_clips(method, key) for method in methods]
        cells = [
            {"value": _number(value, 4), "interval": _interval(ends), "clips": few, "best": i in best}
            for i, (value, ends, few) in enumerate(zip(values, between, clips, strict=True))
        ]
        rows.append({"key": key, "unit": unit, "direction": direction, "cells": cells})
    kept = [method["identity"] for method in methods]
    best = best_of([one["kept"] for one in kept], "higher") if len(kept) > 1 else []
    cells = [
        {"value": f"{one['kept']} of {one['of']}", "interval": "", "clips": "", "best": i in best}
        for i, one in enumerate(kept)
    ]
    return [*rows, {"key": "identity", "unit": "clips", "direction": "higher", "cells": cells}]


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else " .. ".join(_number(end, 3) for end in ends)


def _number(value: float | None, digits: int, sign: str = "") -> str:
    """So many digits, noughts at the end too; a dash for None."""
    return "–" if value is None else format(value, f"{sign}#.{digits}g").removesuffix(".")


def _pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    """Two methods: differences, and which one is ahead where the interval leaves no doubt."""
    first, second = pair["methods"]
    rows = []
    for key, found in pair["values"].items():
        unit, direction = unit_and_direction(key)
        ends, ahead = found["interval"], ""
        if ends is not None and (ends[0] > 0 or ends[1] < 0):
            ahead = second if (ends[0] > 0) == (direction == "higher") else first
        rows.append(
            {
                "key": key,
                "unit": unit,
                "difference": _number(found["difference"], 3, "+"),
                "interval": "" if ends is None else " .. ".join(_number(end, 3, "+") for end in ends),
                "clips": found["clips"],
                "ahead": ahead,
            }
        )
    return {"first": first, "second": second, "rows": rows}


_DECIMALS = {
    "fid": 2,
    "psnr_disco": 2,
    "psnr": 2,
    "fid_vid": 2,
    "fvd": 2,
}  # as printed; the others have three


def _published(row: Published) -> dict[str, Any]:
    cells = {
        key: f"{row.values[key]:.{_DECIMALS.get(key, 3)}f}" if key in row.values else "–" for key in KEYS
    }
    if "l1_disco" in row.values:
        cells["l1_disco"] = f"{row.values['l1_disco'] * 1e4:.2f}E-04"
    return {
        "method": row.method,
        "note": row.note,
        "size": "?" if row.size_px is None else f"{row.size_px}{'?' if row.size_inferred else ''}",
        "levels": "–" if row.l1_levels is None else f"{row.l1_levels:.1f}",
        "cells": cells,
        "source": SOURCES.index(row.source) + 1,
    }


def _clips(
    names: Sequence[str], by_frame: Mapping[str, Sequence[Mapping[str, Values]]]
) -> list[dict[str, Any]]:
    """For each clip a plot a measure; a measure has one axis in all clips."""
    keys = dict.fromkeys(
        [*_FIRST_DRAWN, *(key for clips in by_frame.values() for clip in clips for key in clip)]
    )
    drawn = {}
    for key in keys:
        if key.endswith("_disco") or key.endswith(_NOT_DRAWN):
            continue
        values = [v for clips in by_frame.values() for clip in clips for v in clip.get(key, ())]
        there = [v for v in values if v is not None and not (key == "psnr" and v >= _IDENTICAL_DB)]
        if there:
            drawn[key] = min(there), max(there)
    shown = []
    for number, name in enumerate(names):
        plots = []
        for key, (low, high) in drawn.items():
            lines = {method: clips[number].get(key, []) for method, clips in by_frame.items()}
            unit, direction = unit_and_direction(key)
            svg = line_plot(lines, low, high, f"{key} over the frames of {name}: {', '.join(lines)}")
            plots.append({"key": key, "unit": unit, "direction": direction, "svg": svg})
        shown.append({"name": name, "plots": plots})
    return shown


def _extremes(
    method: str, clips: Sequence[Mapping[str, Values]], names: Sequence[str], show: Show
) -> list[dict[str, Any]]:
    """A method's best and worst frames by PSNR, at most one of a clip: neighbours look alike."""
    sides = []
    for side, sign in (("best", -1), ("worst", 1)):
        found = []
        for number, clip in enumerate(clips):
            there = [(sign * v, i) for i, v in enumerate(clip["psnr"]) if v is not None]
            if there:
                found.append((*min(there), number))
        figures = []
        for value, i, number in sorted(found)[:_EXTREMES]:
            pictures = [_data_uri(picture) for picture in show(method, number, i + 1)]
            figures.append(
                {
                    "clip": names[number],
                    "frame": i + 1,
                    "psnr": f"{sign * value:.2f}",
                    "pictures": list(zip(SHOWN, pictures, strict=True)),
                }
            )
        sides.append({"title": side, "figures": figures})
    return sides


def _data_uri(picture: np.ndarray) -> str:
    height_px, width_px = picture.shape[:2]
    if height_px > _PICTURE_PX:
        picture = resize_picture(picture, max(1, round(width_px * _PICTURE_PX / height_px)), _PICTURE_PX)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
