"""OpenPose's JSON files, ours and those of others."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from magicpose_cli.errors import OptionError, OutputExistsError, PoseError
from magicpose_cli.pose.openpose_json import is_openpose_folder
from magicpose_cli.pose.sequence import POINT_COUNTS, FramePose, PoseSequence


def person(points: int = 18, offset: float = 10.0, size: float = 50.0) -> dict:
    rng = np.random.default_rng(points)
    body = np.column_stack([offset + size * rng.random((points, 2)), np.full(points, 0.9)])
    return {"pose_keypoints_2d": body.ravel().tolist()}


def write(folder, *documents, name="dance_{}_keypoints.json"):
    folder.mkdir(exist_ok=True)
    for index, document in enumerate(documents):
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / name.format(index)).write_text(text)
    return folder


def test_what_is_written_reads_back(tmp_path, random_pose):
    frames = [random_pose(seed, 640, 360) for seed in range(12)] + [FramePose.empty()]
    sequence = PoseSequence.from_frames(frames, 640, 360, Fraction(30), "some dance.mp4")
    sequence.to_openpose_json(tmp_path / "json")
    assert (tmp_path / "json" / "some dance_000000000011_keypoints.json").is_file()
    again = PoseSequence.from_openpose_json(tmp_path / "json", fps=30)
    assert (again.width_px, again.height_px, again.fps, len(again)) == (640, 360, 30, 13)
    for part in POINT_COUNTS:
        np.testing.assert_allclose(getattr(again, part), getattr(sequence, part), atol=1e-4)


def test_a_long_name_of_the_video_is_cut(tmp_path, random_pose):
    name = "\N{CJK UNIFIED IDEOGRAPH-821E}" * 83 + ".mp4"  # 253 bytes
    sequence = PoseSequence.from_frames([random_pose(0, 64, 64)], 64, 64, 25, name)
    sequence.to_openpose_json(tmp_path / "json")
    (written,) = (tmp_path / "json").iterdir()
    assert name.startswith(written.name.removesuffix("_000000000000_keypoints.json"))
    assert len(PoseSequence.from_openpose_json(tmp_path / "json")) == 1


def test_the_files_are_openposes(tmp_path, random_pose):
    sequence = PoseSequence.from_frames([random_pose(0, 64, 64, found=1), FramePose.empty()], 64, 64, 25)
    sequence.to_openpose_json(tmp_path / "json")
    full, nobody = (json.loads(path.read_text()) for path in sorted((tmp_path / "json").iterdir()))
    assert nobody["people"] == []
    lengths = {key: len(value) for key, value in full["people"][0].items()}
    assert lengths == {
        "person_id": 1,
        "pose_keypoints_2d": 54,
        "hand_left_keypoints_2d": 63,
        "hand_right_keypoints_2d": 63,
        "face_keypoints_2d": 210,
    }


def test_body_25_loses_its_middle_hip_and_feet(tmp_path):
    folder = write(tmp_path / "j", {"people": [person(25)], "canvas_width": 100, "canvas_height": 90})
    given = np.reshape(person(25)["pose_keypoints_2d"], (25, 3))
    body = PoseSequence.from_openpose_json(folder).body[0]
    np.testing.assert_allclose(body[7], given[7], rtol=1e-6)  # left wrist, before the middle hip
    np.testing.assert_allclose(body[8], given[9], rtol=1e-6)  # right hip, after it
    np.testing.assert_allclose(body[17], given[18], rtol=1e-6)  # left ear


def test_frames_follow_the_numbers_in_their_names(tmp_path):
    documents = [{"people": [person(offset=float(index))]} for index in range(11)]
    folder = write(tmp_path / "j", *documents)  # dance_10 sorts before dance_2 as text
    left_px = PoseSequence.from_openpose_json(folder, 100, 100).body[:, :, 0].min(axis=1)
    assert (np.diff(left_px) > 0.9).all()


def test_of_several_people_the_largest_is_taken_and_that_is_said(tmp_path, capsys):
    folder = write(
        tmp_path / "j", {"people": [person(size=20), person(size=80), person(size=40)]}, {"people": []}
    )
    sequence = PoseSequence.from_openpose_json(folder, 100, 100)
    assert np.ptp(sequence.body[0, :, 0]) > 50
    assert not sequence[1].found("body")
    assert "1 of 2 frames show several people" in capsys.readouterr().err


def test_the_size_is_given_or_read_or_guessed_and_a_guess_is_said(tmp_path, capsys):
    with_canvas = write(tmp_path / "a", [{"people": [person()], "canvas_width": 300, "canvas_height": 200}])
    without = write(tmp_path / "b", {"people": [person()]})
    read = PoseSequence.from_openpose_json(with_canvas)
    assert (read.width_px, read.height_px) == (300, 200)
    given = PoseSequence.from_openpose_json(without, 111, 222)
    assert (given.width_px, given.height_px) == (111, 222)
    assert "extent" not in capsys.readouterr().err
    guessed = PoseSequence.from_openpose_json(without)
    assert guessed.body[0, :, 0].max() < guessed.width_px < 90
    assert f"taken as {guessed.width_px}x{guessed.height_px}" in capsys.readouterr().err.replace("\n", " ")


def test_fractions_of_the_picture_become_pixels(tmp_path):
    folder = write(tmp_path / "j", {"people": [person(offset=0.1, size=0.5)]})
    body = PoseSequence.from_openpose_json(folder, 1000, 500).body[0]
    assert body[:, 0].min() >= 100 and 300 < body[:, 0].max() <= 600
    assert body[:, 1].min() >= 50 and 150 < body[:, 1].max() <= 300
    with pytest.raises(PoseError, match="keypoints in pixels"):
        PoseSequence.from_openpose_json(folder)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "an OpenPose keypoints file"),
        ([1, 2], "no list of people"),
        ({"persons": []}, "no list of people"),
        ({"people": ["x"]}, "a person that is no object"),
        ({"people": [{"pose_keypoints_2d": [1, 2]}]}, "no list of x, y, confidence"),
        ({"people": [{"pose_keypoints_2d": {"x": 1}}]}, "no list of x, y, confidence"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 51}]}, "17 points in pose_keypoints_2d, not 18"),
        ({"people": [{"face_keypoints_2d": [1e300] * 210}]}, "no positions"),
        ('{"people": [{"face_keypoints_2d": [' + "NaN," * 209 + "NaN]}]}", "no positions"),
        ({"people": [], "canvas_width": "wide", "canvas_height": 3}, "a canvas of 'wide' x 3"),
    ],
)
def test_what_is_not_openposes_is_refused(tmp_path, document, message):
    with pytest.raises(PoseError, match=message):
        PoseSequence.from_openpose_json(write(tmp_path / "j", document), 10, 10)


def test_folders_without_such_files_are_refused(tmp_path):
    with pytest.raises(PoseError, match="found none"):
        PoseSequence.from_openpose_json(tmp_path)
    with pytest.raises(PoseError, match="no such folder"):
        PoseSequence.from_openpose_json(tmp_path / "absent")
    two_sizes = [{"people": [], "canvas_width": 10, "canvas_height": side} for side in (10, 20)]
    with pytest.raises(PoseError, match="10x10 and 10x20"):
        PoseSequence.from_openpose_json(write(tmp_path / "j", *two_sizes))


def test_a_single_file_is_told_to_be_one(tmp_path):
    (file,) = write(tmp_path / "j", {"people": [person()]}).iterdir()
    with pytest.raises(PoseError, match=r"found a single file\. Give the folder"):
        PoseSequence.from_openpose_json(file)


@pytest.mark.parametrize(("width_px", "height_px"), [(16_385, 16_385), (1000, 19), (10**9, 10**9)])
def test_a_canvas_that_no_picture_has_is_refused(tmp_path, width_px, height_px):
    document = {"people": [person()], "canvas_width": width_px, "canvas_height": height_px}
    with pytest.raises(
        PoseError, match=f"16384 px a side and 50:1, found {width_px}x{height_px}.*canvas_width"
    ):
        PoseSequence.from_openpose_json(write(tmp_path / "j", document))
    far = {"people": [{"pose_keypoints_2d": [1e6, 10.0, 1.0] * 18}]}
    with pytest.raises(PoseError, match="50:1"):
        PoseSequence.from_openpose_json(write(tmp_path / "guessed", far))


def test_a_folder_of_such_files_is_told_from_others(tmp_path):
    assert is_openpose_folder(write(tmp_path / "a", {"people": []}))
    assert not is_openpose_folder(write(tmp_path / "b", {"images": []}))
    assert not is_openpose_folder(write(tmp_path / "c", "no json"))
    assert not is_openpose_folder(write(tmp_path / "d", "x", name="{}.txt"))
    assert not is_openpose_folder(tmp_path / "absent")


def test_only_folders_of_keypoints_are_replaced_and_only_when_asked(tmp_path):
    sequence = PoseSequence.from_frames([FramePose.empty()], 8, 8, 25)
    folder = tmp_path / "json"
    PoseSequence.from_frames([FramePose.empty()] * 3, 8, 8, 25).to_openpose_json(folder)
    with pytest.raises(OutputExistsError):
        sequence.to_openpose_json(folder)
    sequence.to_openpose_json(folder, overwrite=True)
    assert len(list(folder.iterdir())) == 1
    (folder / "thesis.docx").write_text("precious")
    with pytest.raises(OptionError, match=r"thesis\.docx"):
        sequence.to_openpose_json(folder, overwrite=True)
    assert (folder / "thesis.docx").read_text() == "precious"
