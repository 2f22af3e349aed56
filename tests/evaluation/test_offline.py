"""The networks that come inside packages: dlib's of faces and EfficientNet-Lite0, with their real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.evaluation import score
from magicpose_cli.evaluation.dlib_faces import SAME_PERSON, load_dlib
from magicpose_cli.evaluation.faces import FacePairs
from magicpose_cli.evaluation.metric_weights import find_weights
from magicpose_cli.evaluation.networks import load_networks
from magicpose_cli.evaluation.stopwatch import Stopwatch
from magicpose_cli.media.pictures import load_picture
from magicpose_cli.media.reader import FrameReader
from magicpose_cli.pose.detect import open_detector

MEDIA = Path(__file__).parents[3] / "shared" / "media"
pytestmark = [
    pytest.mark.packaged_weights,
    pytest.mark.skipif(not MEDIA.is_dir(), reason="real pictures lie in ../shared, beside the project"),
]


@pytest.fixture(scope="module")
def people() -> list[np.ndarray]:
    """Two expressions of one man, and two women."""
    man = list(FrameReader(MEDIA / "driving/drv_face_expressions_man.mp4"))
    women = ["refs/ref_half_woman_suit_glasses.png", "refs/ref_half_woman_hand_on_cheek.jpg"]
    return [man[0], man[20], *(load_picture(MEDIA / name) for name in women)]


def test_dlib_knows_a_person_again(people: list[np.ndarray]) -> None:
    pytest.importorskip("dlib", reason="the offline extra is not installed")
    path, _ = find_weights("face_dist_dlib")
    assert path is not None
    watch = Stopwatch()
    pairs = FacePairs(load_dlib(path, watch))
    detector = open_detector("mediapipe")
    poses = [detector.detect_still(picture) for picture in people]
    detector.close()
    nobody = np.zeros((64, 64, 3), np.uint8)
    for other in range(4):
        pairs.see(people[other], people[0], poses[other], poses[0])
    pairs.see(nobody, people[0], type(poses[0]).empty(), poses[0])
    found = pairs.values()
    itself, smiling, *others = found["face_dist_dlib"][:4]
    assert itself == pytest.approx(0, abs=1e-6)
    assert 0.1 < smiling < SAME_PERSON < min(others)  # seen: 0.45, and 0.84 and 0.92
    assert found["face_match_dlib"] == [1, 1, 0, 0, 0], "a lost face is nobody's"
    assert found["face_dist_dlib"][4] is None
    assert watch.seconds > 0


def test_effnet_sees_noise_and_equals_and_no_batches() -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the offline extra is not installed")
    frames = np.stack(list(FrameReader(MEDIA / "driving/drv_face_expressions_man.mp4"))[:19])
    draw = np.random.default_rng(0)
    noise = draw.normal(0, 1, frames.shape)
    noisy = {level: np.clip(frames + level * noise, 0, 255).astype(np.uint8) for level in (8, 24)}
    found = {level: score(made, frames, "corrected")["fid_effnet_lite0"] for level, made in noisy.items()}
    assert 0 < found[8] < found[24]
    features = load_networks(["fid_effnet_lite0"]).of_videos["fid_effnet_lite0"]
    whole = features([enumerate(frames)])
    assert whole.shape == (19, 1280) and np.isfinite(whole).all()
    np.testing.assert_allclose(features([enumerate(frames[:3]), enumerate(frames[3:])]), whole, atol=1e-4)


def test_a_file_that_is_not_the_released_one_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magicpose_cli.evaluation.metric_weights.package_dir", lambda package: None)
    path = tmp_path / "dlib_face_recognition_resnet_model_v1.dat"
    path.write_bytes(b"another network")
    found = load_networks(["face_dist_dlib"], tmp_path)
    assert not found.of_faces and "SHA-256 differs" in found.missing["face_dist_dlib"]


def test_without_the_packages_it_is_said_how_to_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magicpose_cli.evaluation.metric_weights.package_dir", lambda package: None)
    for key in ("fid_effnet_lite0", "face_dist_dlib", "face_match_dlib"):
        path, reason = find_weights(key)
        assert path is None and ".[offline]" in reason
