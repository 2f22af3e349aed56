"""One clip's record, frame by frame, and what many records come to.

A record is plain JSON, so that an evaluation goes on where it was broken off, and its means can be made again:

    frames      {metric of `protocol.FRAME_METRICS`: a value a frame}
    joints      [agreeing, found in the truth] a frame; none where the truth shows nobody
    openings    {mouth, eyes, brows: [result, truth] a frame with a face on both sides that is large enough}
    flicker     [result, truth] a pair of neighbouring frames, in the background
    colours     of the person in the result and in the truth
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..pose.sequence import FramePose
from . import identity, people, temporal
from .protocol import FRAME_METRICS, METRICS

Record = dict[str, Any]
Mean = Callable[[Sequence[Record]], float | None]
"""A value of all clips' records; None where there is none."""

_DRAWS = 1000  # of the bootstrap


def make_record(
    result: np.ndarray,
    truth: np.ndarray,
    result_poses: list[FramePose],
    truth_poses: list[FramePose],
    person: np.ndarray | None,
) -> Record:
    """Compare a clip with the truth.

    Args:
        result, truth: uint8 ``(f H W 3)``.
        result_poses, truth_poses: what one detector found in either.
        person: bool ``(f H W)``, where the truth's person is; None where nobody knows: then no flicker.
    """
    frames = {
        key: [of_frames(a, b) for a, b in zip(result, truth, strict=True)]
        for key, of_frames in FRAME_METRICS.items()
    }
    height_px = people.person_height_px(truth_poses)
    joints: list[tuple[int, int]] = []
    if height_px is not None:
        joints = [
            people.joints_that_agree(a, b, height_px) for a, b in zip(result_poses, truth_poses, strict=True)
        ]
    openings: dict[str, list[list[float]]] = {"mouth": [], "eyes": [], "brows": []}
    for a, b in zip(result_poses, truth_poses, strict=True):
        ours, theirs = people.openings(a), people.openings(b)
        if ours and theirs and people.face_height_px(b) >= people.SMALLEST_FACE_PX:
            for part, pairs in openings.items():
                pairs.append([ours[part], theirs[part]])
    return {
        "frames": frames,
        "joints": joints,
        "openings": openings,
        "flicker": None if person is None else _flicker(result, truth, person),
        "colours": [_listed(identity.colours(list(clip), truth_poses)) for clip in (result, truth)],
    }


def _flicker(result: np.ndarray, truth: np.ndarray, person: np.ndarray) -> list[list[float | None]]:
    still = [temporal.background(mask) for mask in person]
    pairs = []
    for i in range(1, len(result)):
        both = still[i - 1] & still[i]
        pairs.append([temporal.flicker(clip[i - 1], clip[i], both) for clip in (result, truth)])
    return [pair for pair in pairs if None not in pair]


def _listed(colours: np.ndarray) -> list[list[float | None]]:
    """As lists, None for NaN, which JSON has not."""
    return [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in colours]


def _mean_of(key: str) -> Callable[[Sequence[Record]], float | None]:
    return lambda records: float(np.mean(np.concatenate([r["frames"][key] for r in records])))


def _pose_accuracy(records: Sequence[Record]) -> float | None:
    agreeing, found = np.sum([np.reshape(r["joints"], (-1, 2)).sum(0) for r in records], axis=0)
    return float(agreeing / found) if found else None


def _expression(part: str) -> Mean:
    return lambda records: people.correlation_within([r["openings"][part] for r in records])


def _flicker_of(side: int) -> Mean:
    def mean(records: Sequence[Record]) -> float | None:
        pairs = [np.asarray(r["flicker"]) for r in records if r["flicker"] is not None and len(r["flicker"])]
        return float(np.concatenate(pairs)[:, side].mean()) if pairs else None

    return mean


MEANS: dict[str, tuple[str, Callable[[Sequence[Record]], float | None]]] = {
    **{m.key: (f"{m.unit}, {m.better}", _mean_of(m.key)) for m in METRICS if m.key in FRAME_METRICS},
    "pose_accuracy": ("0..1, higher", _pose_accuracy),
    "expression_mouth": ("-1..1, higher", _expression("mouth")),
    "expression_eyes": ("-1..1, higher", _expression("eyes")),
    "expression_brows": ("-1..1, higher", _expression("brows")),
    "flicker": ("0..255, lower", _flicker_of(0)),
    "flicker_of_truth": ("0..255", _flicker_of(1)),
}
"""Unit and direction, and the function of all clips' records that gives the value; None where there is none."""


def identity_kept(records: Sequence[Record]) -> list[bool | None]:
    """For each clip, whether the nearest of all clips' true people is its own; None where nobody was found."""
    people_there = [np.array(r["colours"][1], np.float64) for r in records]
    found = [identity.nearest(np.array(r["colours"][0], np.float64), people_there) for r in records]
    return [None if number is None else number == i for i, number in enumerate(found)]


def interval(of_records: Mean, records: Sequence[Record]) -> tuple[float, float] | None:
    """95 % bootstrap interval over clips (percentiles); None for fewer than two, or without a value."""
    return middle_of(bootstrap(of_records, records))


def bootstrap(of_records: Mean, records: Sequence[Record]) -> list[float | None]:
    """The value of each of `_DRAWS` draws of as many clips, with replacement.

    All methods of an evaluation have the same draws, so that the difference of two, draw by draw, is a paired one.
    Empty for fewer than two clips, or without a value.
    """
    if len(records) < 2 or of_records(records) is None:
        return []
    draw = np.random.default_rng(0)
    ready = [_as_arrays(record) for record in records]  # lists would be made arrays anew in each draw
    return [of_records([ready[i] for i in draw.integers(len(ready), size=len(ready))]) for _ in range(_DRAWS)]


def _as_arrays(record: Record) -> Record:
    arrays = {key: None if record[key] is None else np.array(record[key]) for key in ("joints", "flicker")}
    return {**record, **arrays, "frames": {key: np.array(values) for key, values in record["frames"].items()}}


def middle_of(drawn: Sequence[float | None]) -> tuple[float, float] | None:
    """What 95 % of the draws lie between; draws without a value do not count, and without any there is None."""
    values = [value for value in drawn if value is not None]
    if not values:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
