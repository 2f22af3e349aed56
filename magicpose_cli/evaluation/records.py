"""One clip's record, frame by frame, and what many records come to.

A record is plain JSON, so that an evaluation goes on where it was broken off, and its means can be made again:

    frames      {metric of `metrics.FRAME_METRICS`, and LPIPS with its network: a value a frame}
    points      {body, hands, face: [agreeing, found in the truth] a frame; none where the truth shows nobody}
    openings    {mouth, eyes, brows: [result, truth] a frame; None without a face on both sides that is large enough}
    faces       {found: a frame of the result has the truth's face, or None where that has none; `face_cos` and other
                metrics of `networks.of_faces`: a value a frame}
    flicker     [result, truth] a pair of neighbouring frames, in the background
    dtssd       a value a pair of neighbouring frames
    warping     [result, truth] a pair of neighbouring frames, along the truth's motion
    colours     of the person in the result and in the truth
    long        what `long_video.py` says of a clip of 64 frames and more; else None
    weights     {metric: sha256 of the weights it was computed with}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..pose.sequence import FramePose
from . import faces, identity, long_video, people, reconstruction, temporal, warping
from .metrics import FACE_KEYS, FRAME_METRICS, METRICS
from .networks import Networks

Record = dict[str, Any]
Mean = Callable[[Sequence[Record]], float | None]
"""A value of all clips' records; None where there is none."""

LEAST_CLIPS = 5
"""So many clips must have a value for an interval: of one, all draws are alike, and of a few nearly so."""

_DRAWS = 1000  # of the bootstrap


def make_record(
    result: np.ndarray,
    truth: np.ndarray,
    result_poses: list[FramePose],
    truth_poses: list[FramePose],
    person: np.ndarray | None,
    networks: Networks | None = None,
    window: int = 16,
    overlap: int = 4,
) -> Record:
    """Compare a clip with the truth.

    Args:
        result, truth: uint8 ``(f H W 3)``.
        result_poses, truth_poses: what one detector found in either.
        person: bool ``(f H W)``, where the truth's person is; None where nobody knows: then no flicker.
        networks: for LPIPS and the metrics of faces; None, or one that has not theirs, leaves them out.
        window, overlap: in frames, of the sampler that made the result, for its seams.
    """
    networks = networks or Networks()
    of_frames = {**FRAME_METRICS, **networks.of_frames}
    still = None if person is None else np.stack([temporal.background(mask) for mask in person])
    poses = list(zip(result_poses, truth_poses, strict=True))
    return {
        "frames": {
            key: [metric(a, b) for a, b in zip(result, truth, strict=True)]
            for key, metric in of_frames.items()
        },
        "points": people.points_of_clip(result_poses, truth_poses),
        "openings": people.openings_of_clip(result_poses, truth_poses),
        "faces": {
            "found": [faces.face_found(ours, theirs) for ours, theirs in poses],
            **_of_faces(result, truth, poses, networks.of_faces),
        },
        "flicker": None if still is None else _flicker(result, truth, still),
        "dtssd": temporal.dtssd(enumerate(result), enumerate(truth)),
        "warping": _warping(result, truth),
        "colours": [_listed(identity.colours(list(clip), truth_poses)) for clip in (result, truth)],
        "long": _long(result, truth, truth_poses, still, window, overlap),
        "weights": _weights(networks),
    }


def is_complete(record: Record, networks: Networks) -> bool:
    """Whether a record that is there already holds all that these networks give, from the same weights."""
    there = record.get("weights", {})
    has_all = "dtssd" in record and set(networks.face_keys) <= set(record.get("faces", {}))
    return has_all and all(there.get(key) == digest for key, digest in _weights(networks).items())


def _weights(networks: Networks) -> dict[str, str]:
    return {key: networks.sha256_of(key) for key in (*networks.of_frames, *networks.face_keys)}


def _of_faces(
    result: np.ndarray,
    truth: np.ndarray,
    poses: Sequence[tuple[FramePose, FramePose]],
    networks: Sequence[faces.FaceNetwork],
) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for network in networks:
        pairs = faces.FacePairs(network)
        for ours, theirs, (our_pose, their_pose) in zip(result, truth, poses, strict=True):
            pairs.see(ours, theirs, our_pose, their_pose)
        found |= pairs.values()
    return found


def _flicker(result: np.ndarray, truth: np.ndarray, still: np.ndarray) -> list[list[float | None]]:
    pairs = []
    for i in range(1, len(result)):
        both = still[i - 1] & still[i]
        pairs.append([temporal.flicker(clip[i - 1], clip[i], both) for clip in (result, truth)])
    return [pair for pair in pairs if None not in pair]


def _warping(result: np.ndarray, truth: np.ndarray) -> list[list[float | None]]:
    pairs = []
    for i in range(1, len(result)):
        flow = warping.flow_between(truth[i - 1], truth[i])
        pairs.append([warping.warping_error(clip[i - 1], clip[i], flow) for clip in (result, truth)])
    return [pair for pair in pairs if None not in pair]


def _long(
    result: np.ndarray,
    truth: np.ndarray,
    truth_poses: list[FramePose],
    still: np.ndarray | None,
    window: int,
    overlap: int,
) -> dict[str, float | None] | None:
    if len(result) < long_video.LEAST_FRAMES:
        return None
    borders = long_video.window_borders(len(result), window, overlap)
    seams = [
        long_video.seam([reconstruction.l1(a, b) for a, b in pairwise(clip)], borders)
        for clip in (result, truth)
    ]
    return {
        "seam": seams[0],
        "seam_of_truth": seams[1],
        "drift_background": None if still is None else long_video.background_drift(result, truth, still),
        "drift_person": long_video.person_drift(result, truth, truth_poses),
    }


def _listed(colours: np.ndarray) -> list[list[float | None]]:
    """As lists, None for NaN, which JSON has not."""
    return [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in colours]


def _mean_of(key: str) -> Mean:
    def mean(records: Sequence[Record]) -> float | None:
        if not all(key in r["frames"] for r in records):
            return None
        values = np.concatenate(
            [np.asarray(r["frames"][key], np.float64) for r in records]
        )  # None is NaN then
        return None if np.isnan(values).all() else float(np.nanmean(values))

    return mean


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _agreeing(part: str) -> Mean:
    return lambda records: people.share_that_agrees([r["points"][part] for r in records])


def _expression(part: str) -> Mean:
    return lambda records: people.correlation_within([r["openings"][part] for r in records])


def _face_det(records: Sequence[Record]) -> float | None:
    return _mean(found for r in records for found in r.get("faces", {}).get("found", []))


def _faces_of(key: str) -> Mean:
    def mean(records: Sequence[Record]) -> float | None:
        by_clip = [r.get("faces", {}).get(key) for r in records]
        return None if None in by_clip else _mean(value for of_clip in by_clip for value in of_clip)

    return mean


def _pairs_of(kind: str, side: int) -> Mean:
    def mean(records: Sequence[Record]) -> float | None:
        pairs = [np.asarray(r[kind]) for r in records if r.get(kind) is not None and len(r[kind])]
        return float(np.concatenate(pairs)[:, side].mean()) if pairs else None

    return mean


def _long_of(key: str) -> Mean:
    return lambda records: _mean(r["long"][key] for r in records if r.get("long"))


MEANS: dict[str, tuple[str, Mean]] = {
    **{
        m.key: (f"{m.unit}, {m.better}", _mean_of(m.key))
        for m in METRICS
        if m.key in FRAME_METRICS or m.key in ("lpips_disco", "lpips")
    },
    **{m.key: (f"{m.unit}, {m.better}", _faces_of(m.key)) for m in METRICS if m.key in FACE_KEYS},
    "dtssd": ("0..255 squared, lower", lambda records: _mean(v for r in records for v in r.get("dtssd", []))),
    "face_det": ("0..1, higher", _face_det),
    "pose_accuracy": ("0..1, higher", _agreeing("body")),
    "pose_accuracy_hands": ("0..1, higher", _agreeing("hands")),
    "pose_accuracy_face": ("0..1, higher", _agreeing("face")),
    "expression": ("-1..1, higher", lambda records: people.expression([r["openings"] for r in records])),
    "expression_mouth": ("-1..1, higher", _expression("mouth")),
    "expression_eyes": ("-1..1, higher", _expression("eyes")),
    "expression_brows": ("-1..1, higher", _expression("brows")),
    "flicker": ("0..255, lower", _pairs_of("flicker", 0)),
    "flicker_of_truth": ("0..255", _pairs_of("flicker", 1)),
    "warping_error": ("0..255, lower", _pairs_of("warping", 0)),
    "warping_error_of_truth": ("0..255", _pairs_of("warping", 1)),
    "seam": ("ratio, lower", _long_of("seam")),
    "seam_of_truth": ("ratio", _long_of("seam_of_truth")),
    "drift_background": ("CIE Lab, lower", _long_of("drift_background")),
    "drift_person": ("CIE Lab, lower", _long_of("drift_person")),
}
"""Unit and direction, and the function of all clips' records that gives the value; None where there is none."""


def identity_kept(records: Sequence[Record]) -> list[bool | None]:
    """For each clip, whether the nearest of all clips' true people is its own; None where nobody was found."""
    people_there = [np.array(r["colours"][1], np.float64) for r in records]
    found = [identity.nearest(np.array(r["colours"][0], np.float64), people_there) for r in records]
    return [None if number is None else number == i for i, number in enumerate(found)]


def interval(of_records: Mean, records: Sequence[Record]) -> tuple[float, float] | None:
    """95 % bootstrap interval over clips (percentiles); None where fewer than `LEAST_CLIPS` have a value."""
    return middle_of(bootstrap(of_records, records))


def clips_behind(of_records: Mean, records: Sequence[Record]) -> list[bool]:
    """For each clip, whether the value is made of it too."""
    # laid beside itself, since a clip may have too few frames for a value of its own, and yet add to all clips'
    return [of_records([record] * people.LEAST_FRAMES) is not None for record in records]


def bootstrap(of_records: Mean, records: Sequence[Record]) -> list[float | None]:
    """The value of each of `_DRAWS` draws of as many clips, with replacement.

    All methods of an evaluation have the same draws, so that the difference of two, draw by draw, is a paired one.
    Empty where fewer than `LEAST_CLIPS` have a value.
    """
    if sum(clips_behind(of_records, records)) < LEAST_CLIPS:
        return []
    draw = np.random.default_rng(0)
    ready = [_as_arrays(record) for record in records]  # lists would be made arrays anew in each draw
    return [of_records([ready[i] for i in draw.integers(len(ready), size=len(ready))]) for _ in range(_DRAWS)]


def _as_arrays(record: Record) -> Record:
    lists = {key: record[key] for key in ("flicker", "warping") if record.get(key) is not None}
    points = {part: np.array(frames) for part, frames in record.get("points", {}).items()}
    frames = {key: np.array(values, np.float64) for key, values in record["frames"].items()}
    arrays = {key: np.array(values) for key, values in lists.items()}
    return {**record, **arrays, "points": points, "frames": frames}


def middle_of(drawn: Sequence[float | None]) -> tuple[float, float] | None:
    """What 95 % of the draws lie between; draws without a value do not count, and without any there is None."""
    values = [value for value in drawn if value is not None]
    if not values:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
