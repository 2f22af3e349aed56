"""Features of the truth are computed once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.evaluation import metric_weights, score
from magicpose_cli.evaluation.feature_cache import FeatureCache, features_dir, videos_sha256


def frames(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, 16, 20, 3), dtype=np.uint8)


def test_the_hash_tells_frames_numbers_sizes_and_videos_apart() -> None:
    own = videos_sha256([enumerate(frames())])
    assert videos_sha256([enumerate(frames())]) == own
    others = [
        [enumerate(frames(1))],
        [enumerate(frames()[::-1])],
        [enumerate(frames(), 1)],
        [enumerate(frames()[:2])],
        [enumerate(frames().reshape(3, 20, 16, 3))],
        [enumerate(frames()[:1]), enumerate(frames()[1:], 1)],
    ]
    assert len({own, *map(videos_sha256, others)}) == 1 + len(others)


def test_what_is_kept_is_not_computed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache, computed = FeatureCache(tmp_path / "kept"), []

    def compute() -> np.ndarray:
        computed.append(1)
        return np.full((2, 3), len(computed), np.float32)

    first = cache.get("fid", "a" * 64, "b" * 64, compute)
    assert np.array_equal(cache.get("fid", "a" * 64, "b" * 64, compute), first)
    assert len(computed) == 1
    for key in (("fvd", "a" * 64, "b" * 64), ("fid", "c" * 64, "b" * 64), ("fid", "a" * 64, "c" * 64)):
        cache.get(*key, compute)
    assert len(computed) == 4
    (path,) = (tmp_path / "kept").glob("fid-*aaaa-bbb*")
    path.write_bytes(b"broken")
    assert cache.get("fid", "a" * 64, "b" * 64, compute)[0, 0] == 5
    assert "computed again" in " ".join(capsys.readouterr().err.split())


def test_score_keeps_the_truths_features_only(
    inception_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tuple(replace(weights, sha256=None) for weights in metric_weights.METRIC_WEIGHTS)
    monkeypatch.setattr(metric_weights, "METRIC_WEIGHTS", known)
    (tmp_path / inception_weights.name).symlink_to(inception_weights)
    found = score(frames(), frames(1), "disco", tmp_path)
    assert len(list(features_dir().iterdir())) == 1
    assert score(frames(), frames(1), "disco", tmp_path) == found
    score(frames(2), frames(1), "disco", tmp_path)
    assert len(list(features_dir().iterdir())) == 1
    kept = next(features_dir().iterdir())
    np.save(kept, np.load(kept) + 1)
    assert score(frames(), frames(1), "disco", tmp_path)["fid"] > found["fid"], "what is kept is what is used"


def test_a_cache_that_cannot_be_written_costs_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    found = FeatureCache(tmp_path / "file" / "kept").get("fid", "a" * 64, "b" * 64, lambda: np.ones((2, 3)))
    assert found.shape == (2, 3) and "features are not kept" in capsys.readouterr().err
