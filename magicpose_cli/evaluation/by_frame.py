"""One row a frame: what a record or a comparison holds, laid out for plots, for tables and for spreadsheets."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..media.atomic import write_text
from .metrics import FACE_KEYS
from .records import Record

Values = list[float | None]

_POINTS = {
    "body": ("pose_accuracy", "joints"),
    "hands": ("pose_accuracy_hands", "hand_points"),
    "face": ("pose_accuracy_face", "face_points"),
}
"""Key of the share and of the counts, by part."""


def values_by_frame(record: Record) -> dict[str, Values]:
    """Each value of a record that belongs to a frame, first target first; None where a frame has none.

    Keys: those of its ``frames``; ``pose_accuracy``, ``joints_agreeing`` and ``joints_in_truth``, and the same of hands
    and face; how open ``mouth``, ``eyes`` and ``brows`` are, and the truth's; ``face_det`` (1 or 0), ``face_cos`` and
    dlib's; ``flicker``, ``warping_error`` and the truth's of both, which stand at the later one of two
    neighbours. What a record holds of some frames only, without saying of which, is left out.
    """
    columns: dict[str, Values] = {key: list(values) for key, values in record["frames"].items()}
    count = max((len(values) for values in columns.values()), default=0)
    points = record.get("points") or {}
    for part, (key, counted) in _POINTS.items():
        pairs = points.get(part) or []
        if len(pairs) == count:
            columns[key] = [agreeing / there if there else None for agreeing, there in pairs]
            columns[f"{counted}_agreeing"], columns[f"{counted}_in_truth"] = _sides(pairs)
    for part, pairs in (record.get("openings") or {}).items():
        if len(pairs) == count and any(pair is not None for pair in pairs):
            columns[part], columns[f"{part}_of_truth"] = _sides(pairs)
    faces = record.get("faces") or {}
    for key, kind in (("face_det", "found"), *((key, key) for key in FACE_KEYS)):
        of_faces = faces.get(kind) or []
        if len(of_faces) == count and any(value is not None for value in of_faces):
            columns[key] = of_faces
    if len(record.get("dtssd") or []) == count - 1:
        columns["dtssd"] = record["dtssd"]
    for key, kind in (("flicker", "flicker"), ("warping_error", "warping")):
        pairs = record.get(kind) or []
        if len(pairs) == count - 1:
            columns[key], columns[f"{key}_of_truth"] = _sides(pairs)
    # a value of two neighbours: there is one less
    return {
        key: [None, *values] if len(values) == count - 1 else values
        for key, values in columns.items()
        if len(values) in (count, count - 1)
    }


def _sides(pairs: Sequence[Sequence[float] | None]) -> tuple[Values, Values]:
    """What is the result's and what the truth's."""
    ours, theirs = ([None if pair is None else pair[side] for pair in pairs] for side in (0, 1))
    return ours, theirs


def write_frames_csv(
    path: str | os.PathLike[str],
    rows: Iterable[tuple[Sequence[str], Mapping[str, Sequence[float | None]]]],
    titles: Sequence[str] = (),
    overwrite: bool = True,
) -> None:
    """Write a row a frame, in full precision; frames are counted from 1, and what a frame lacks is empty.

    Args:
        path: the file; it appears whole or not at all.
        rows: names of a clip, one for each of the titles, and its values a frame by key.
        titles: of the columns before ``frame``.
        overwrite: replace a file that is there.

    Raises:
        OutputExistsError: it is there, and is not to be replaced.
    """
    clips = list(rows)
    keys = list(dict.fromkeys(key for _, columns in clips for key in columns))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*titles, "frame", *keys])
    for names, columns in clips:
        count = max((len(values) for values in columns.values()), default=0)
        for i in range(count):
            writer.writerow([*names, i + 1, *(columns[key][i] if key in columns else None for key in keys)])
    write_text(Path(path), text.getvalue(), overwrite)
