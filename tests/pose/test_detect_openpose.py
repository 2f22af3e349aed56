"""OpenPose: finding its weights, reading its results; the network itself with random weights."""

from __future__ import annotations

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from magicpose_cli.errors import ModelError
from magicpose_cli.pose.detect import open_detector
from magicpose_cli.pose.detect_openpose import (
    OpenposePoseDetector,
    find_weights,
    to_frame_pose,
)

NAMES = ("body_pose_model.pth", "hand_pose_model.pth", "facenet.pth")


def point(x: float, y: float, score: float = 1.0) -> SimpleNamespace:
    return SimpleNamespace(x=x, y=y, score=score)


def test_results_become_a_pose_in_pixels():
    keypoints = [point(10, 20, 0.8), None, point(30, 40, 1.02)] + [None] * 15
    hand = [point(0.25, 0.5)] + [point(-1 / 64, -1 / 48)] * 20
    pose = to_frame_pose(SimpleNamespace(keypoints=keypoints), None, hand, None, (2.0, 3.0), (64, 48))
    np.testing.assert_allclose(pose.body[:3], [[20, 60, 0.8], [0, 0, 0], [60, 120, 1]])
    np.testing.assert_allclose(pose.right_hand[:2], [[16, 24, 1], [0, 0, 0]])
    assert not pose.left_hand.any() and not pose.face.any()


@pytest.fixture
def named_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MAGICPOSE_OPENPOSE_DIR", str(tmp_path))
    return tmp_path


def test_a_named_folder_must_hold_all_three_files(named_folder):
    (named_folder / NAMES[0]).write_bytes(b"")
    with pytest.raises(ModelError, match=r"no hand_pose_model\.pth and no facenet\.pth"):
        find_weights()
    for name in NAMES:
        (named_folder / name).write_bytes(b"")
    assert [path.name for path in find_weights()] == list(NAMES)


def test_the_hub_cache_is_looked_up_without_the_network(monkeypatch, tmp_path):
    monkeypatch.delenv("MAGICPOSE_OPENPOSE_DIR", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_weights() is None
    snapshot = tmp_path / "models--lllyasviel--Annotators" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (tmp_path / "models--lllyasviel--Annotators" / "refs").mkdir()
    (tmp_path / "models--lllyasviel--Annotators" / "refs" / "main").write_text("0" * 40)
    (snapshot / NAMES[0]).write_bytes(b"")
    (snapshot / NAMES[1]).write_bytes(b"")
    assert find_weights() is None
    (snapshot / NAMES[2]).write_bytes(b"")
    assert find_weights() == tuple(snapshot / name for name in NAMES)


class Surprise:
    """What a hostile file would hold."""

    def __reduce__(self):
        return (math.sqrt, (2,))


def test_files_that_are_no_weights_are_refused_and_nothing_in_them_runs(named_folder):
    for name in NAMES:
        torch.save({"a": torch.zeros(1)}, named_folder / name)
    torch.save({"a": Surprise()}, named_folder / NAMES[1])
    with pytest.raises(ModelError, match=r"openpose weights at .*hand_pose_model\.pth"):
        open_detector("openpose")
    (named_folder / NAMES[0]).write_bytes(b"not weights")
    with pytest.raises(ModelError, match=r"openpose weights at .*body_pose_model\.pth"):
        open_detector("auto")


@pytest.fixture
def random_weights(named_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from controlnet_aux.open_pose.face import FaceNet
        from controlnet_aux.open_pose.model import bodypose_model, handpose_model
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, make in zip(NAMES[:2], (bodypose_model, handpose_model), strict=True):
            state = {key.split(".", 1)[1]: value for key, value in make().state_dict().items()}
            torch.save(state, named_folder / name)
        torch.save(FaceNet().state_dict(), named_folder / NAMES[2])


@pytest.mark.slow
def test_the_network_runs_and_auto_takes_it(random_weights, capfd):
    detector = open_detector("auto")
    assert detector.name == "openpose"
    picture = np.random.default_rng(0).integers(0, 255, (700, 650, 3), np.uint8)
    pose = detector.detect(picture)
    assert [part.shape for part in pose] == [(18, 3), (21, 3), (21, 3), (70, 3)]
    assert all(np.isfinite(part).all() for part in pose)
    captured = capfd.readouterr()
    assert captured.err.strip() == "Pose detector: openpose."
    detector.close()


@pytest.mark.slow
def test_of_several_people_the_largest_is_taken_at_the_size_of_the_picture(random_weights, monkeypatch):
    """The network with random weights sees nobody, so its candidates are put in its place."""
    detector = OpenposePoseDetector(torch.device("cpu"))
    small, large = np.full((2, 20), -1.0)
    candidates = []
    for person, size_px in ((small, 20.0), (large, 200.0)):
        for joint, (x, y) in {0: (0, 0), 8: (1, 2)}.items():
            person[joint] = len(candidates)
            candidates.append((100 + x * size_px, 100 + y * size_px, 0.9, len(candidates)))
    body = detector._openpose.body_estimation
    monkeypatch.setattr(
        type(body), "__call__", lambda self, picture: (np.array(candidates), np.stack([small, large]))
    )
    pose = detector.detect(np.zeros((1208, 1208, 3), np.uint8))  # searched at 604
    np.testing.assert_allclose(pose.body[8], [600, 1000, 0.9], rtol=1e-5)
    assert detector.several_people == 1
