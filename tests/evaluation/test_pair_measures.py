"""People and change in two videos, with MediaPipe itself on a rendered dancer."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.evaluation import score
from magicpose_cli.evaluation.person_mask import PersonMasks
from magicpose_cli.evaluation.protocol import compare
from magicpose_cli.media.pictures import save_picture

from .dancer import SIDE_PX, dancer, noisy


@pytest.fixture(scope="module")
def ideal() -> dict[str, object]:
    return score(dancer(10), dancer(10))


def test_the_truth_itself_is_ideal(ideal: dict[str, object]) -> None:
    assert ideal["pose_accuracy"] == 1
    assert ideal["face_det"] == 1
    assert ideal["flicker"] == ideal["flicker_of_truth"]
    assert ideal["warping_error"] == ideal["warping_error_of_truth"]
    if "expression" in ideal:
        assert ideal["expression"] == pytest.approx(1)
    else:
        assert "40 px tall" in ideal["not_computed"]["expression"]  # type: ignore[index]


def test_another_pose_no_face_and_flicker_are_seen(ideal: dict[str, object]) -> None:
    truth = dancer(10)
    result = np.roll(truth, SIDE_PX // 6, axis=2)
    result = noisy(result, 3)
    compared = compare(result, truth)
    found = compared.values
    assert found["pose_accuracy"] < 0.6
    assert found["flicker"] > found["flicker_of_truth"] + 2
    assert found["warping_error"] > found["warping_error_of_truth"] + 2
    assert found["flicker_of_truth"] == ideal["flicker_of_truth"]
    assert compared.per_frame["flicker"][0] is None and len(compared.per_frame["flicker"]) == 10
    assert compared.detector.startswith("mediapipe")
    assert compared.samples["face_det"][1] == 10
    nobody = np.full_like(truth, 128)
    lost = compare(nobody, truth)
    assert lost.values["pose_accuracy"] == lost.values["face_det"] == 0
    assert lost.values["flicker"] == 0 and "expression" in lost.not_computed
    empty = compare(truth, nobody)
    assert "finds nobody in the truth" in empty.not_computed["pose_accuracy"]
    assert "no face in the truth" in empty.not_computed["face_det"]


def test_quick_needs_neither_detector_nor_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions", None)
    truth = dancer(3)
    found = score(truth, truth, quick=True)
    for key in ("pose_accuracy", "flicker", "face_det", "lpips", "fid", "face_cos"):
        assert "left out (quick): it needs a" in found["not_computed"][key]
    assert found["not_computed"]["face_cos"].endswith("it needs a network and a detector.")
    absent = score(truth, truth)
    assert "mediapipe 0.10.21" in absent["not_computed"]["flicker"]
    assert "warping_error" in absent and "psnr" in absent


def test_masks_find_the_dancer_and_no_one_in_grey() -> None:
    masks = PersonMasks()
    try:
        found = masks.find(dancer(1)[0])
        assert found.shape == (SIDE_PX, SIDE_PX) and found.dtype == bool
        assert 0.05 < found.mean() < 0.6
        assert not found[:, :8].any() and found[SIDE_PX // 2, SIDE_PX // 2 - 20 : SIDE_PX // 2 + 20].any()
        assert not masks.find(np.full((64, 64, 3), 128, np.uint8)).any()
    finally:
        masks.close()


def test_videos_of_one_folder_are_kept_apart(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    still = draw.integers(0, 256, (3, 40, 48, 3), dtype=np.uint8)
    # two videos that stand still, one of every second frame, one that lacks frame 3
    names = ["a_0000", "a_0002", "a_0004", "b_1", "b_2", "b_4"]
    for number, name in enumerate(names):
        save_picture(tmp_path / f"{name}.png", still[0 if number < 3 else 1 if number < 5 else 2])
    compared = compare(tmp_path, tmp_path)
    for key in ("flicker", "warping_error"):
        assert compared.per_frame[key] == [None, 0, 0, None, 0, None], key
        assert compared.values[f"{key}_of_truth"] == 0
    (tmp_path / "c").mkdir()
    for name in ("x", "y"):  # names that tell no videos: all frames are one
        save_picture(tmp_path / "c" / f"{name}.png", still[0])
    assert compare(tmp_path / "c", tmp_path / "c").per_frame["flicker"] == [None, 0]
