"""The walk through a video, with a detector of the test's own, and the choice of detectors."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from magicpose_cli.errors import ModelError, OptionError, PoseError
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.media.video import FrameReader
from magicpose_cli.pose.detect import detect_sequence, open_detector
from magicpose_cli.pose.sequence import FramePose


class Brightness:
    """Finds a nose where the picture's red says."""

    name = "brightness"

    def __init__(self) -> None:
        self.several_people = 0

    def detect(self, picture: np.ndarray) -> FramePose:
        pose = FramePose.empty()
        if red := int(picture[0, 0, 0]):
            pose.body[0] = red, 1, 1
            self.several_people += red > 200
        return pose

    detect_still = detect

    def close(self) -> None:
        """Nothing to free."""


def folder_of(tmp_path, reds):
    for index, red in enumerate(reds):
        save_picture(tmp_path / f"{index}.png", np.full((10, 20, 3), (red, 0, 0), np.uint8))
    return FrameReader(tmp_path)


def test_each_frame_gives_a_pose_in_order(tmp_path, capsys):
    sequence = detect_sequence(folder_of(tmp_path, [5, 0, 7, 250]), Brightness(), "clip", "ff")
    assert sequence.body[:, 0, 0].tolist() == [5, 0, 7, 250]
    assert (sequence.width_px, sequence.height_px, sequence.fps) == (20, 10, Fraction(25))
    assert sequence.source == ("clip", "ff")
    assert sequence.counts()["body"] == 3
    said = capsys.readouterr().err
    assert "Finding poses: 4 frames" in said
    assert "1 of 4 frames show several people" in said


def test_several_people_in_a_picture_before_are_not_the_videos(tmp_path, capsys):
    detector = Brightness()
    detector.detect_still(np.full((10, 20, 3), 250, np.uint8))
    detect_sequence(folder_of(tmp_path, [5, 7]), detector, "clip")
    assert "several people" not in capsys.readouterr().err


def test_nobody_in_any_frame_is_an_error(tmp_path):
    with pytest.raises(PoseError, match=r"a person in clip, found nobody in any of 3 frames") as error:
        detect_sequence(folder_of(tmp_path, [0, 0, 0]), Brightness(), "clip")
    assert error.value.exit_code == 2


def test_an_unknown_detector_is_refused():
    with pytest.raises(OptionError, match="auto, mediapipe, openpose"):
        open_detector("alphapose")


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    monkeypatch.delenv("MAGICPOSE_OPENPOSE_DIR", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))


def test_auto_takes_mediapipe_where_openpose_has_no_weights_and_says_so(no_weights, capsys):
    detector = open_detector("auto")
    detector.close()
    assert detector.name == "mediapipe"
    assert "Pose detector: mediapipe (no openpose weights are installed)" in capsys.readouterr().err


def test_openpose_without_weights_tells_how_to_get_them(no_weights):
    with pytest.raises(ModelError, match=r"hf download lllyasviel/Annotators body_pose_model\.pth") as error:
        open_detector("openpose")
    assert "--detector mediapipe" in error.value.remedy
