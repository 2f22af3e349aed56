"""What an evaluation comes to: each method's values and how sure they are, and the difference of each two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from .people import LEAST_FRAMES, SMALLEST_FACE_PX
from .protocol import METRICS
from .records import MEANS, Record, bootstrap, identity_kept, interval, paired_interval
from .tables import unit_and_direction

_NO_VALUE = {
    "pose_accuracy": "nobody was found in the truth",
    "expression": f"fewer than {LEAST_FRAMES} frames have a face of {SMALLEST_FACE_PX} px or more in truth and result, "
    "or it never changes",
    "flicker": "the data has no masks of the person",
}
"""Why a measure of `MEANS` has no value, by how its key starts."""


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
        "not_computed": {key: _why_none(key) for key, value in values.items() if value is None},
    }


def _why_none(key: str) -> str:
    return next((why for start, why in _NO_VALUE.items() if key.startswith(start)), "no frame has a value")


def not_computed(methods: Mapping[str, Any]) -> dict[str, str]:
    """Metrics of `score` that no method of an evaluation has a value of, nor a reason of its own: key and reason."""
    named = {key for method in methods.values() for key in (*method["values"], *method["not_computed"])}
    return {
        metric.key: metric.missing
        or "not in an evaluation of a test set: eval A --truth B --weights DIR has it"
        for metric in METRICS
        if not any(key == metric.key or key.startswith(f"{metric.key}_") for key in named)
    }


def compare_methods(records: Mapping[str, Sequence[Record]]) -> list[dict[str, Any]]:
    """Each two methods on the same clips: the second less the first, by key.

    Returns:
        One dict a pair: `methods`, their names, and `values`: by key of `MEANS` a `difference` and its `interval`
        (95 %, paired bootstrap over clips; None for fewer than two clips).
    """
    drawn = {
        name: {key: bootstrap(mean, of_clips) for key, (_, mean) in MEANS.items()}
        for name, of_clips in records.items()
    }
    pairs = []
    for first, second in combinations(records, 2):
        values = {}
        for key, (_, mean) in MEANS.items():
            ours, theirs = mean(records[second]), mean(records[first])
            if ours is None or theirs is None or not unit_and_direction(key)[1]:
                continue
            several = len(records[first]) > 1
            between = paired_interval(drawn[second][key], drawn[first][key]) if several else None
            values[key] = {"difference": ours - theirs, "interval": between}
        pairs.append({"methods": [first, second], "values": values})
    return pairs
