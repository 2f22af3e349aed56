"""Joints that agree, openings of a face, and their correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.evaluation import people
from magicpose_cli.pose.sequence import FramePose


def standing(height_px: float = 100.0) -> FramePose:
    """Eighteen joints on a line from head to foot, all found."""
    body = np.zeros((18, 3), np.float32)
    body[:, 0], body[:, 1], body[:, 2] = 50, np.linspace(10, 10 + height_px, 18), 1
    return FramePose.empty()._replace(body=body)


def moved(pose: FramePose, by_px: float) -> FramePose:
    return pose._replace(body=pose.body + np.array([by_px, 0, 0], np.float32))


def test_joints_agree_within_a_twentieth_of_the_height() -> None:
    truth = standing()
    height_px = people.person_height_px([truth])
    assert height_px == pytest.approx(100)
    assert people.points_that_agree(truth, truth, height_px) == (18, 18)
    assert people.points_that_agree(moved(truth, 4.9), truth, height_px) == (18, 18)
    assert people.points_that_agree(moved(truth, 5.1), truth, height_px) == (0, 18)
    assert people.points_that_agree(FramePose.empty(), truth, height_px) == (0, 18)


def test_joints_that_the_truth_lacks_do_not_count() -> None:
    truth = standing()
    truth.body[9:] = 0
    assert people.points_that_agree(standing(), truth, 100) == (9, 9)


def test_hands_and_face_have_their_own_shares() -> None:
    hand = np.full((21, 3), 20, np.float32)
    truth = standing()._replace(left_hand=hand, face=face().face)
    assert people.points_that_agree(truth, truth, 100, "hands") == (21, 21)
    assert people.points_that_agree(truth, truth, 100, "face") == (70, 70)
    assert people.points_that_agree(standing(), truth, 100, "hands") == (0, 21)
    swapped = standing()._replace(right_hand=hand)
    assert people.points_that_agree(swapped, truth, 100, "hands") == (0, 21)
    clip = people.points_of_clip([truth, swapped], [truth, truth])
    assert clip == {"body": [(18, 18)] * 2, "hands": [(21, 21), (0, 21)], "face": [(70, 70), (0, 70)]}
    assert people.share_that_agrees([clip["hands"], []]) == 0.5
    assert people.share_that_agrees([[], [(0, 0)]]) is people.share_that_agrees([]) is None


def test_a_persons_height_is_the_median_of_frames_with_joints() -> None:
    clip = [standing(90), standing(100), standing(300), FramePose.empty()]
    assert people.person_height_px(clip) == pytest.approx(100)
    assert people.person_height_px([FramePose.empty()]) is None


def face(mouth_px: float = 0.0, lid_px: float = 4.0, brow_px: float = 10.0, scale: float = 1.0) -> FramePose:
    """A face whose openings are known: 60 px from bridge to chin, eyes 20 px wide."""
    points = np.zeros((70, 3), np.float32)
    points[:, 2] = 1
    points[8, :2], points[27, :2] = (0, 60), (0, 0)
    points[62, :2], points[66, :2] = (0, 40 - mouth_px / 2), (0, 40 + mouth_px / 2)
    for left, right, lids in ((36, 39, ((37, 41), (38, 40))), (42, 45, ((43, 47), (44, 46)))):
        points[left, :2], points[right, :2] = (0, 0), (20, 0)
        for upper, lower in lids:
            points[upper, :2], points[lower, :2] = (10, -lid_px / 2), (10, lid_px / 2)
    points[17:27, :2] = (10, -brow_px)
    points[:, :2] *= scale
    return FramePose.empty()._replace(face=points)


@given(st.floats(0, 30), st.floats(0, 15), st.floats(0, 30), st.floats(0.5, 4))
def test_openings_are_the_faces_own_shares(mouth: float, lid: float, brow: float, scale: float) -> None:
    found = people.openings(face(mouth, lid, brow, scale))
    assert found == pytest.approx({"mouth": mouth / 60, "eyes": lid / 20, "brows": brow / 60}, abs=1e-5)


def test_no_face_has_no_openings() -> None:
    assert people.openings(FramePose.empty()) is None
    assert people.face_height_px(FramePose.empty()) == 0
    assert people.face_height_px(face()) >= 60


def test_correlation_is_within_clips() -> None:
    rising = [(0.1 * i, 0.2 * i) for i in range(8)]
    assert people.correlation_within([rising]) == pytest.approx(1)
    assert people.correlation_within([[(a, -b) for a, b in rising]]) == pytest.approx(-1)
    # two faces that each stand still at their own level, as a copied reference does, earn nothing
    still = [[(0.3, 0.1 * i) for i in range(8)], [(0.7, 0.2 * i) for i in range(8)]]
    assert people.correlation_within(still) is None
    assert people.correlation_within([rising[:7]]) is None  # too few frames to tell
    assert people.correlation_within([]) is None
