"""What holds for every metric: the truth is ideal, noise makes it worse, and how it was computed does not matter."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from magicpose_cli.evaluation import metric_weights, score
from magicpose_cli.evaluation.metrics import METRICS
from magicpose_cli.evaluation.records import MEANS, make_record
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.pose.opencv import load_cv2
from magicpose_cli.pose.sequence import FramePose

from .dancer import dancer, noisy
from .golden import no_download

DIRECTIONS = {metric.key: metric.better for metric in METRICS}
IDEAL = {
    "psnr": 100,
    "psnr_disco": 100,
    "ssim": 1,
    "ssim_disco": 1,
    "pose_accuracy": 1,
    "face_det": 1,
    "face_cos": 1,
}
"""0 for all others, but what is measured beside the truth's own value."""
BESIDE_TRUTH = ("flicker", "warping_error")
WEIGHTS = {
    "lpips_disco": "vgg16_weights",
    "fid": "inception_weights",
    "fid_vid": "resnet_weights",
    "fvd": "i3d_weights",
}
"""Fixtures by the first of the metrics that need them."""


@pytest.fixture(autouse=True)
def any_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files by their names: deterministic weights have not the released ones' hashes."""
    known = tuple(replace(weights, sha256=None) for weights in metric_weights.METRIC_WEIGHTS)
    monkeypatch.setattr(metric_weights, "METRIC_WEIGHTS", known)
    no_download(monkeypatch)


def moving(count: int) -> np.ndarray:
    """A small texture that wanders to the right, uint8 ``(f 40 48 3)``."""
    cv2 = load_cv2()
    rough = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    smooth = cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 2), None, 30, 220, cv2.NORM_MINMAX)
    return np.stack([np.roll(smooth, i, axis=1) for i in range(count)])


def is_ideal(found: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        best = found[f"{key}_of_truth"] if key in BESIDE_TRUTH else IDEAL.get(key, 0)
        assert found[key] == pytest.approx(best, abs=1e-6), key


def is_worse(worse: dict[str, Any], better: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        if DIRECTIONS[key] == "higher":
            assert worse[key] < better[key], key
        else:
            assert worse[key] > better[key], key


def test_metrics_of_pixels_and_change() -> None:
    keys = ("l1_disco", "l1", "psnr", "ssim_disco", "ssim", "warping_error")
    truth = moving(4)
    found = [score(noisy(truth, levels), truth, quick=True) for levels in (0, 2, 5, 12, 40)]
    is_ideal(found[0], (*keys, "psnr_disco"))
    for better, worse in pairwise(found):
        is_worse(worse, better, keys)
    is_worse(found[1], found[0], ("psnr_disco",))  # beyond 16 levels it wraps, and means nothing


def test_metrics_of_people(adaface_weights: Path, tmp_path: Path) -> None:
    (tmp_path / adaface_weights.name).symlink_to(adaface_weights)
    truth = dancer(3)
    found = [score(noisy(truth, levels), truth, weights_dir=tmp_path) for levels in (0, 8, 110)]
    is_ideal(found[0], ("pose_accuracy", "face_det", "face_cos", "flicker", "warping_error"))
    is_worse(found[1], found[0], ("face_cos", "flicker", "warping_error"))
    is_worse(found[2], found[0], ("pose_accuracy", "face_det"))


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        (("lpips_disco", "lpips"), 2),
        (("fid", "fid_clean"), 3),
        (("fid_vid",), 17),
        pytest.param(("fvd",), 17, marks=pytest.mark.slow),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_metrics_of_networks_and_threads(
    keys: tuple[str, ...], count: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    weights = request.getfixturevalue(WEIGHTS[keys[0]])
    (tmp_path / weights.name).symlink_to(weights)
    cv2, truth = load_cv2(), moving(count)
    threads = torch.get_num_threads(), cv2.getNumThreads()
    ideal = score(truth, truth, weights_dir=tmp_path)
    is_ideal(ideal, keys)
    result = noisy(truth, 12)
    try:
        found = []
        for number in (1, 3):
            torch.set_num_threads(number)
            cv2.setNumThreads(number)
            found.append(score(result, truth, weights_dir=tmp_path))
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    is_worse(found[0], ideal, keys)
    assert set(found[0]) == set(found[1])
    for key in set(found[0]) - {"not_computed"}:
        assert found[1][key] == pytest.approx(found[0][key], rel=1e-4), key


def test_the_order_in_which_files_were_written_changes_nothing(tmp_path: Path) -> None:
    truth = moving(6)
    result = noisy(truth, 9)
    expected = score(result, truth, quick=True)
    for side, frames in (("a", result), ("b", truth)):
        (tmp_path / side).mkdir()
        numbers = list(range(6))
        random.Random(side).shuffle(numbers)
        for number in numbers:
            save_picture(tmp_path / side / f"clip_{number:04d}.png", frames[number])
    assert score(tmp_path / "a", tmp_path / "b", quick=True) == expected


def test_the_order_of_clips_changes_nothing() -> None:
    nobody = [FramePose.empty()] * 4
    person = np.zeros((4, 40, 48), bool)
    records = [
        make_record(noisy(moving(4), levels), moving(4), nobody, nobody, person) for levels in (1, 6, 20)
    ]
    for key, (_, mean) in MEANS.items():
        value, again = mean(records), mean(records[::-1])
        assert (value is None) == (again is None)
        assert value is None or again == pytest.approx(value, rel=1e-12), key
