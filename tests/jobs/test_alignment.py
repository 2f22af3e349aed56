"""When poses are brought to the reference's person, what is said, and that it fits real people."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from magicpose_cli.jobs.alignment import align
from magicpose_cli.jobs.fit import place
from magicpose_cli.media.pictures import load_picture
from magicpose_cli.media.video import FrameReader
from magicpose_cli.pose.detect import open_detector
from magicpose_cli.pose.sequence import FramePose, PoseSequence

from ..pose.conftest import shared_media  # noqa: F401

SIZE = 64, 64


def _person(scale: float = 1, x: float = 0, y: float = 0, points: int = 12) -> FramePose:
    """Somebody of 110 px, from the top of a picture of 200 x 200 on."""
    pose = FramePose.empty()
    body = (100, 30), (100, 45), (88, 45), (80, 65), (78, 85), (112, 45), (120, 65), (122, 85)
    legs = (92, 85), (91, 112), (90, 140), (108, 85), (109, 112), (110, 140)
    for number, (left, top) in enumerate((body + legs)[:points]):
        pose.body[number] = left * scale + x, top * scale + y, 1
    return pose


def _driving(pose: FramePose, width_px: int = 200, height_px: int = 200) -> PoseSequence:
    return PoseSequence.from_frames([pose] * 4, width_px, height_px, Fraction(25))


def _said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


def _align(driving: PoseSequence, reference: FramePose, reference_px=(200, 200), fit="crop"):
    places = ((driving.width_px, driving.height_px), reference_px)
    return align(driving, reference, *(place(size_px, SIZE, fit) for size_px in places))


def test_people_alike_are_left_alone(capsys):
    for scale, x in ((1, 0), (1.15, -15), (0.9, 25)):
        found = _align(_driving(_person(scale, x)), _person())
        assert (found.outcome, found.poses) == ("alike", None)
        assert found.as_dict()["scale"] == pytest.approx(1 / scale, rel=1e-3)
    # the same picture at another resolution is the same
    assert _align(_driving(_person(3), 600, 600), _person()).outcome == "alike"
    assert _said(capsys) == ""


def test_another_size_or_place_is_brought_to_the_references_and_said(capsys):
    for driving, words in (
        (_driving(_person(0.5)), "is 0.5 times as large as the reference's"),
        (_driving(_person(6, -300), 600, 600), "is 2 times as large as the reference's"),
        (_driving(_person(x=60)), "stands elsewhere than the reference's"),
    ):
        found = _align(driving, _person())
        assert (found.outcome, found.outside) == ("aligned", 0)
        poses, alignment = found.poses, found.alignment
        np.testing.assert_allclose(poses.body[2], _person().body, atol=0.05)
        assert (poses.width_px, poses.height_px, len(poses)) == (200, 200, 4)
        said = _said(capsys)
        assert words in said and "--no-align" in said
    assert alignment.scale == 1


def test_how_both_come_to_the_models_size_counts():
    # a wide video and a tall picture, cropped to squares: the same person in the same place of both
    wide = _driving(_person(1, 100), 400, 200)
    assert _align(wide, _person(1, 0, 100), (200, 400)).outcome == "alike"
    # padded, both are half as large, and still alike; a square one beside the tall picture is not
    assert _align(wide, _person(1, 0, 100), (200, 400), "pad").outcome == "alike"
    assert _align(_driving(_person()), _person(1, 0, 100), (200, 400), "pad").outcome == "aligned"


def test_what_cannot_be_compared_stays_and_is_said(capsys):
    only_legs = FramePose.empty()
    only_legs.body[8:14] = _person(points=14).body[8:14]
    only_head = FramePose.empty()
    only_head.body[0] = 5, 5, 1
    for driving, reference, size_px, words in (
        (_driving(only_head), only_legs, (200, 200), "too little is seen"),
        (_driving(_person(0.01)), _person(), (200, 200), "differ by more than 50 times"),
        (_driving(_person(0.5)), _person(), (20_000, 1000), "a reference of 20000x1000 px is too large"),
    ):
        found = _align(driving, reference, size_px)
        assert found.poses is None and words in found.outcome
        assert words in _said(capsys)
    assert "nobody" in _align(_driving(_person()), FramePose.empty()).outcome
    assert _said(capsys) == ""  # said already


def test_frames_that_leave_the_references_picture_are_counted_and_said(capsys):
    walk = [_person(0.25, x) for x in (0, 75, 75, 75, 150)]
    found = _align(PoseSequence.from_frames(walk, 200, 200, 25), _person())
    assert found.as_dict()["outside_frames"] == found.outside == 2
    assert "outside of its picture in 2 of 5 frames" in _said(capsys)


def test_a_real_face_lands_on_a_real_face_of_another_size_and_place(shared_media):  # noqa: F811
    video = shared_media / "driving" / "drv_face_expressions_man.mp4"
    frames = list(itertools.islice(FrameReader(video), 4))
    detector = open_detector("mediapipe")
    poses = [detector.detect_still(frame) for frame in frames]
    height_px, width_px = frames[0].shape[:2]
    driving = PoseSequence.from_frames(poses, width_px, height_px, Fraction(30))
    for name in ("ref_full_man_yoga_beach.jpg", "ref_half_oldman_cap.jpg", "ref_half_man_suit_mirror.jpg"):
        picture = load_picture(shared_media / "refs" / name)
        reference = detector.detect_still(picture)
        found = _align(driving, reference, (picture.shape[1], picture.shape[0]))
        assert found.outcome == "aligned", name
        face_px = np.linalg.norm(
            reference.face[8, :2] - reference.face[27, :2]
        )  # chin to the bridge of the nose
        off_px = np.linalg.norm(found.poses.face[0, 27, :2] - reference.face[27, :2])
        assert off_px < 0.35 * face_px, name
    detector.close()
