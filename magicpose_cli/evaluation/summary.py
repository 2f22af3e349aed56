"""What an evaluation comes to: each method's values and how sure they are, and the difference of each two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any

from .distances import Distances
from .long_video import LEAST_FRAMES as LONG
from .metrics import FACE_KEYS, METRICS
from .people import LEAST_FRAMES, SMALLEST_FACE_PX
from .records import LEAST_CLIPS, MEANS, Record, bootstrap, clips_behind, identity_kept, middle_of
from .tables import unit_and_direction

_NO_VALUE = {
    "pose_accuracy_hands": "no hand was found in the truth",
    "pose_accuracy_face": "no face was found in the truth",
    "pose_accuracy": "nobody was found in the truth",
    "expression": f"fewer than {LEAST_FRAMES} frames have a face of {SMALLEST_FACE_PX} px or more in truth and result, "
    "or it never changes",
    "flicker": "no background stays still in two neighbouring frames",
    "warping_error": "no place of the truth is seen in two neighbouring frames",
    "seam": f"no clip has {LONG} frames",
    "drift": f"no clip has {LONG} frames with a background and a person",
    "face_det": "no face was found in the truth",
}
"""Why a measure of `MEANS` has no value, by how its key starts."""


_NO_DISTANCES = Distances({}, {}, {})

Drawn = dict[str, list[float | None]]
"""By key of `MEANS`, its value in each draw of the bootstrap."""

Behind = dict[str, list[bool]]
"""By key of `MEANS`, whether each clip has a value."""


def sum_up(
    records: Mapping[str, Sequence[Record]],
    distances: Mapping[str, Distances] = MappingProxyType({}),
    missing_weights: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """What the records of an evaluation come to.

    Args:
        records: of each method, for the same clips in the same order.
        distances: FID and the like of each method.
        missing_weights: why a metric's network is not there, by key.

    Returns:
        `methods`: by name `values` by key, `intervals` (95 %, bootstrap over clips; None where fewer than
        `LEAST_CLIPS` have a value), `clips` (how many have one), `identity` (how many people were kept), `faces`
        (frames with one that is large enough) and `not_computed` (reasons by key).
        `comparisons`: one dict a pair of methods, `methods`, their names, and `values`, the second less the first: by
        key a `difference`, its `interval` (95 %, paired bootstrap over clips) and `clips`, those with a value in both.
        `not_computed`: reasons by key for the metrics of `score` that no method has.
    """
    behind: dict[str, Behind] = {
        name: {key: clips_behind(mean, of_clips) for key, (_, mean) in MEANS.items()}
        for name, of_clips in records.items()
    }
    drawn = {
        name: {
            # a record may hold what was measured with weights that are no longer there
            key: [] if key in missing_weights else bootstrap(mean, of_clips)
            for key, (_, mean) in MEANS.items()
        }
        for name, of_clips in records.items()
    }
    methods = {
        name: _summarise(
            of_clips, behind[name], drawn[name], distances.get(name, _NO_DISTANCES), missing_weights
        )
        for name, of_clips in records.items()
    }
    pairs = []
    for first, second in combinations(records, 2):
        values = methods[first]["values"], methods[second]["values"]
        found = _differences(*values, drawn[first], drawn[second], behind[first], behind[second])
        pairs.append({"methods": [first, second], "values": found})
    return {"methods": methods, "comparisons": pairs, "not_computed": _not_computed(methods, missing_weights)}


def _summarise(
    records: Sequence[Record],
    behind: Behind,
    drawn: Drawn,
    distances: Distances,
    missing_weights: Mapping[str, str],
) -> dict[str, Any]:
    kept = identity_kept(records)
    values = {key: None if key in missing_weights else mean(records) for key, (_, mean) in MEANS.items()}
    reasons = {
        key: missing_weights.get(key) or _why_none(key) for key, value in values.items() if value is None
    }
    there = {key: value for key, value in values.items() if value is not None}
    return {
        "values": there | distances.values,
        "intervals": {key: middle_of(of_draws) for key, of_draws in drawn.items()},
        "clips": {key: sum(behind[key]) for key in there},
        "identity": {
            "kept": kept.count(True),
            "of": len(kept) - kept.count(None),
            "by_clip": kept,
        },
        "faces": sum(pair is not None for record in records for pair in record["openings"]["mouth"]),
        "samples": distances.samples | _faces_behind(records, values),
        "not_computed": reasons | distances.missing,
    }


def _faces_behind(
    records: Sequence[Record], values: Mapping[str, float | None]
) -> dict[str, tuple[int, int]]:
    """Of each measure of faces: how many frames have a value, and how many have a face in the truth."""
    theirs = sum(found is not None for r in records for found in r.get("faces", {}).get("found", []))
    return {
        key: (sum(v is not None for r in records for v in r["faces"][key]), theirs)
        for key in FACE_KEYS
        if values.get(key) is not None
    }


def _differences(
    first: Mapping[str, float],
    second: Mapping[str, float],
    first_drawn: Drawn,
    second_drawn: Drawn,
    first_behind: Behind,
    second_behind: Behind,
) -> dict[str, Any]:
    found = {}
    for key in MEANS:
        if key not in first or key not in second or not unit_and_direction(key)[1]:
            continue
        clips = sum(a and b for a, b in zip(first_behind[key], second_behind[key], strict=True))
        drawn = []
        if clips >= LEAST_CLIPS:
            both = zip(second_drawn[key], first_drawn[key], strict=True)
            drawn = [None if a is None or b is None else a - b for a, b in both]
        found[key] = {"difference": second[key] - first[key], "interval": middle_of(drawn), "clips": clips}
    return found


def _why_none(key: str) -> str:
    return next((why for start, why in _NO_VALUE.items() if key.startswith(start)), "no frame has a value")


def _not_computed(methods: Mapping[str, Any], missing_weights: Mapping[str, str]) -> dict[str, str]:
    """Metrics of `score` that no method has a value of, nor a reason of its own."""
    named = {key for method in methods.values() for key in (*method["values"], *method["not_computed"])}
    keys = [metric.key for metric in METRICS if metric.key not in named]
    return {key: missing_weights.get(key, "no video has enough frames") for key in keys}
