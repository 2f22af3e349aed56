"""Random poses, and the way to the real pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.pose.sequence import POINT_COUNTS, FramePose

SHARED_MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


@pytest.fixture
def shared_media() -> Path:
    if not SHARED_MEDIA.is_dir():
        pytest.skip(f"no real pictures at {SHARED_MEDIA}")
    return SHARED_MEDIA


@pytest.fixture
def random_pose():
    """Makes a pose of points in and a little around a picture, some of them missing."""

    def make(seed: int, width_px: int, height_px: int, found: float = 0.85, around: float = 0.1) -> FramePose:
        rng = np.random.default_rng(seed)
        parts = []
        for count in POINT_COUNTS.values():
            points = np.empty((count, 3), np.float32)
            points[:, :2] = rng.uniform(-around, 1 + around, (count, 2)) * (width_px, height_px)
            points[:, 2] = rng.uniform(0.05, 1, count) * (rng.random(count) < found)
            points[points[:, 2] == 0] = 0
            parts.append(points)
        return FramePose(*parts)

    return make
