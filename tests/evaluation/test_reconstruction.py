"""L1, PSNR and SSIM against numbers that other projects' code gave."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from magicpose_cli.errors import MissingDependencyError
from magicpose_cli.evaluation import reconstruction
from magicpose_cli.media.pictures import load_picture

GOLDEN = Path(__file__).parents[2].parent / "shared" / "fixtures" / "eval-golden"
SETS = ("noise", "shift", "identical", "resize", "full256", "full512", "blackwhite", "diff16", "diff128")

FRAME = arrays(np.uint8, (12, 13, 3))


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    if not GOLDEN.is_dir():
        pytest.skip("../shared/fixtures is not beside this checkout")
    return json.loads((GOLDEN / "golden.json").read_text())["images"]


def pairs(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """(generated in the true size, true) of one golden set."""
    found = []
    for path in sorted((GOLDEN / "images" / name / "gt").glob("*.png")):
        truth = load_picture(path)
        generated = load_picture(GOLDEN / "images" / name / "gen" / path.name)
        found.append((reconstruction.resized_like(generated, truth), truth))
    return found


@pytest.mark.parametrize("name", SETS)
def test_published_metrics_match_the_published_code(golden: dict[str, Any], name: str) -> None:
    for (generated, truth), expected in zip(pairs(name), golden[name]["per_image"], strict=True):
        assert reconstruction.l1_disco(generated, truth) == pytest.approx(expected["L1"], rel=1e-12)
        assert reconstruction.psnr_disco(generated, truth) == pytest.approx(
            expected["PSNR_overflow"], rel=1e-12
        )
        assert reconstruction.psnr(generated, truth) == pytest.approx(expected["PSNR_fixed"], rel=1e-12)
        assert reconstruction.ssim_disco(generated, truth) == pytest.approx(expected["SSIM"], abs=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_corrected_metrics(golden: dict[str, Any], name: str) -> None:
    for (generated, truth), expected in zip(pairs(name), golden[name]["aux_per_image"], strict=True):
        assert reconstruction.l1(generated, truth) == pytest.approx(
            expected["L1_mean_abs_01"] * 255, rel=1e-12
        )
        assert reconstruction.ssim(generated, truth) == pytest.approx(expected["SSIM_rgb_gauss"], abs=1e-9)


@given(FRAME, FRAME)
def test_bounds_and_symmetry(a: np.ndarray, b: np.ndarray) -> None:
    for metric, low, high in (
        (reconstruction.l1, 0, 255),
        (reconstruction.psnr, 0, 100),
        (reconstruction.psnr_disco, 0, 100),
        (reconstruction.ssim, -1, 1),
        (reconstruction.ssim_disco, -1, 1),
    ):
        assert low - 1e-9 <= metric(a, b) <= high + 1e-9
        # the wrapped one too: (-d)^2 and d^2 are the same modulo 256
        assert metric(a, b) == pytest.approx(metric(b, a), abs=1e-9)


@given(FRAME)
def test_equal_frames_are_best(frame: np.ndarray) -> None:
    assert reconstruction.l1(frame, frame) == reconstruction.l1_disco(frame, frame) == 0
    assert reconstruction.psnr(frame, frame) == reconstruction.psnr_disco(frame, frame) == 100
    assert reconstruction.ssim(frame, frame) == pytest.approx(1)
    assert reconstruction.ssim_disco(frame, frame) == pytest.approx(1)


@given(FRAME, st.integers(1, 15))
def test_psnr_wraps_only_beyond_fifteen(frame: np.ndarray, most: int) -> None:
    near = np.clip(
        frame.astype(int) + np.random.default_rng(0).integers(-most, most + 1, frame.shape), 0, 255
    )
    near = near.astype(np.uint8)
    assert reconstruction.psnr(near, frame) == pytest.approx(reconstruction.psnr_disco(near, frame))


def test_the_published_l1_falls_with_the_size() -> None:
    small, large = np.zeros((16, 16, 3), np.uint8), np.zeros((32, 32, 3), np.uint8)
    assert reconstruction.l1(small + 8, small) == reconstruction.l1(large + 8, large) == 8
    assert reconstruction.l1_disco(small + 8, small) == 4 * reconstruction.l1_disco(large + 8, large)


def test_ssim_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(MissingDependencyError, match=r"eval extra: pip install -e '\.\[eval\]'"):
        reconstruction.check_dependencies()


def test_an_opencv_that_cannot_be_loaded_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match="opencv-python-headless"):
        reconstruction.check_dependencies()
    frames = np.zeros((16, 16, 3), np.uint8), np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(MissingDependencyError, match="opencv-python-headless"):
        reconstruction.resized_like(*frames)
    with pytest.raises(MissingDependencyError, match="opencv-python-headless"):
        reconstruction.ssim_disco(frames[0], frames[0])
