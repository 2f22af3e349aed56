"""Distances of whole test sets: FID, FID-VID and FVD of each method, over the frames or clips of all its videos.

A video's features are computed once and kept: the truth's in the user's cache, for any evaluation on the same frames, a
method's beside its results. So an evaluation that was broken off goes on, and a second method costs one side only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from .. import console
from .distributions import frechet_distance
from .feature_cache import FeatureCache, features_dir, videos_sha256
from .networks import Networks, too_few

ReadVideo = Callable[[], np.ndarray]
"""Reads the frames of one video, uint8 ``(f H W 3)``."""


@dataclass(frozen=True)
class Distances:
    """What one method's distances came to.

    Attributes:
        values: by key of `metrics.METRICS`.
        samples: frames or clips of (the method, the truth) by key.
        missing: why there is none, by key.
    """

    values: dict[str, float]
    samples: dict[str, tuple[int, int]]
    missing: dict[str, str]


def distances_of(
    networks: Networks,
    truth: Sequence[ReadVideo],
    methods: dict[str, Sequence[ReadVideo]],
    kept: Path,
) -> dict[str, Distances]:
    """Distances of several methods from one truth.

    Args:
        networks: of the metrics that are wanted; those that have no weights are left out.
        truth: its videos.
        methods: each method's videos, by name, as many as the truth has.
        kept: folder in which the methods' features are kept.

    Returns:
        By the methods' names; empty distances where no network is there.
    """
    videos = len(truth) * (1 + len(methods)) if networks.of_videos else 0
    if not videos:
        return {name: Distances({}, {}, {}) for name in methods}
    with console.progress("Features", videos, unit="videos") as stage:

        def features(side: Sequence[ReadVideo], cache: FeatureCache) -> dict[str, np.ndarray]:
            rows: dict[str, list[np.ndarray]] = {key: [] for key in networks.of_videos}
            for read in side:
                for key, found in _features_of(read(), networks, cache).items():
                    rows[key].append(found)
                stage.advance()
            return {key: np.concatenate(of_videos) for key, of_videos in rows.items()}

        theirs = features(truth, FeatureCache(features_dir()))
        ours = {name: features(side, FeatureCache(kept)) for name, side in methods.items()}
    return {name: _compared(found, theirs) for name, found in ours.items()}


def _features_of(frames: np.ndarray, networks: Networks, cache: FeatureCache) -> dict[str, np.ndarray]:
    digest = videos_sha256([enumerate(frames)])
    return {
        key: cache.get(key, networks.sha256_of(key), digest, partial(of_videos, [enumerate(frames)]))
        for key, of_videos in networks.of_videos.items()
    }


def _compared(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> Distances:
    samples = {key: (len(ours[key]), len(theirs[key])) for key in ours}
    reasons = {key: too_few(counts, key) for key, counts in samples.items()}
    missing = {key: reason for key, reason in reasons.items() if reason}
    values = {key: frechet_distance(ours[key], theirs[key]) for key in ours if key not in missing}
    return Distances(values, samples, missing)
