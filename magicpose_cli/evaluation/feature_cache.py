"""Features of a video that were computed before, found again by what the video shows.

    <folder>/<metric>-<weights' sha256>-<frames' sha256>.npy         float32 (n d)

The frames' hash covers sizes, numbers and pixels of all frames in their order, so another crop, resolution, order or
frame has another name. Nothing here is ever out of date, and the folder can be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import console
from ..errors import MagicPoseError
from ..media.atomic import write_file
from ..weights import cache_dir
from .clips import Numbered

_FORMAT = "1"  # in each name; another one where the same frames get other features by right


def features_dir() -> Path:
    """Where features of true videos are kept: ``features`` in `weights.cache_dir`."""
    return cache_dir() / "features"


def videos_sha256(videos: Iterable[Numbered]) -> str:
    """SHA-256 of the frames of one or several videos, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for video in videos:
        digest.update(b"video\n")
        for number, frame in video:
            digest.update(f"{number} {frame.shape}\n".encode())
            digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class FeatureCache:
    """A folder of features.

    Attributes:
        folder: made when the first features are kept.
    """

    folder: Path

    def get(
        self, key: str, weights_sha256: str, frames_sha256: str, compute: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """Features that are there already, or those that are computed now, and kept.

        Args:
            key: the metric's.
            weights_sha256: of its network's weights.
            frames_sha256: from `videos_sha256`.
            compute: gives them, ``(n d)``.
        """
        path = self.folder / f"{key}-{_FORMAT}-{weights_sha256[:16]}-{frames_sha256}.npy"
        if path.is_file():
            try:
                return np.load(path, allow_pickle=False)
            except (ValueError, EOFError, OSError) as error:
                console.warn(f"{path} cannot be read ({error}): its features are computed again.")
        features = compute()
        try:
            with write_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, features, allow_pickle=False)
        except (
            OSError,
            MagicPoseError,
        ) as error:  # a comparison is not lost for want of a place to remember it
            console.warn(f"features are not kept for the next time: {error}")
        return features
