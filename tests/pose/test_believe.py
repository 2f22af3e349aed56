"""Which of MediaPipe's points are believed."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.pose.believe import believable, content_box, inside

BOX = (0, 0, 400, 600)
NOSE, RIGHT_WRIST, LEFT_WRIST, RIGHT_KNEE, LEFT_ANKLE, RIGHT_EAR, LEFT_EAR = 0, 4, 7, 9, 13, 16, 17
NO_HANDS = (None, None)


@pytest.fixture
def dancer() -> np.ndarray:
    """Facing the camera in a picture of 400x600, all visible; the torso is 150 px long."""
    xy = [
        (200, 100), (200, 150), (150, 150), (120, 220), (110, 280), (250, 150), (280, 220), (290, 280),
        (170, 300), (165, 400), (160, 500), (230, 300), (235, 400), (240, 500),
        (190, 90), (210, 90), (175, 95), (225, 95),
    ]  # fmt: skip
    return np.column_stack([xy, np.full(18, 0.95)]).astype(np.float32)


def test_a_clear_view_is_believed(dancer):
    points = believable(dancer, BOX, NO_HANDS, face_found=True)
    np.testing.assert_array_equal(points[:, :2], dancer[:, :2])
    assert (np.delete(points[:, 2], [RIGHT_EAR, LEFT_EAR]) >= 0.7).all()


def test_ears_are_never_certain(dancer):
    assert 0 < believable(dancer, BOX, NO_HANDS, True)[[RIGHT_EAR, LEFT_EAR], 2].max() < 0.7


@pytest.mark.parametrize("joint", range(18))
@pytest.mark.parametrize("place", [(-60, 300), (460, 300), (200, -60), (200, 660)])
def test_what_is_far_outside_is_missing(dancer, joint, place):
    dancer[joint, :2] = place
    assert not believable(dancer, BOX, NO_HANDS, True)[joint].any()


def test_joints_in_the_black_bars_are_missing(dancer):
    points = believable(dancer, (0, 0, 400, 450), NO_HANDS, True)
    assert not points[[10, LEFT_ANKLE]].any()
    assert points[RIGHT_KNEE, 2] > 0.7


def test_a_guessed_joint_is_missing(dancer):
    dancer[RIGHT_WRIST, 2] = 0.2
    assert not believable(dancer, BOX, NO_HANDS, True)[RIGHT_WRIST].any()


def test_an_unclear_knee_at_the_edge_is_missing_but_not_in_the_middle(dancer):
    dancer[RIGHT_KNEE, 2] = 0.75
    assert believable(dancer, BOX, NO_HANDS, True)[RIGHT_KNEE, 2] > 0
    assert not believable(dancer, (0, 0, 400, 410), NO_HANDS, True)[RIGHT_KNEE].any()


def test_an_arm_that_leaves_the_picture_ends_at_its_edge_in_doubt(dancer):
    points = believable(dancer, (118, 0, 400, 600), NO_HANDS, True)  # the right wrist is at x = 110
    assert tuple(points[RIGHT_WRIST, :2]) == (118, 280)
    assert 0 < points[RIGHT_WRIST, 2] < 0.7


def test_a_found_hand_speaks_for_its_wrist_only_if_near(dancer):
    dancer[[RIGHT_WRIST, LEFT_WRIST], 2] = 0.5
    near, far = dancer[RIGHT_WRIST, :2] + 10, dancer[LEFT_WRIST, :2] + 100
    points = believable(dancer, BOX, (near, far), True)
    assert points[RIGHT_WRIST, 2] > 0.7 > points[LEFT_WRIST, 2]


def test_from_behind_there_is_no_face(dancer):
    dancer[:, 0] = 400 - dancer[:, 0]
    points = believable(dancer, BOX, NO_HANDS, face_found=False)
    assert not points[[NOSE, 14, 15]].any()
    assert points[1, 2] > 0.7
    assert believable(dancer, BOX, NO_HANDS, face_found=True)[NOSE, 2] > 0.7  # crossed over, but facing us


@pytest.mark.parametrize(
    ("nose_x", "hidden", "seen"), [(172, RIGHT_EAR, LEFT_EAR), (228, LEFT_EAR, RIGHT_EAR)]
)
def test_the_ear_behind_the_nose_is_missing(dancer, nose_x, hidden, seen):
    dancer[NOSE, 0] = nose_x
    points = believable(dancer, BOX, NO_HANDS, True)
    assert not points[hidden].any()
    assert points[seen, 2] > 0


def test_bars_are_cut_whatever_their_colour_and_a_little_noise():
    rng = np.random.default_rng(0)
    for color in (0, 255, 90):
        picture = np.full((200, 120, 3), color, np.uint8) ^ rng.integers(0, 4, (200, 120, 3), np.uint8)
        picture[50:150, 20:110] = rng.integers(0, 255, (100, 90, 3))
        assert content_box(picture) == (20, 50, 110, 150)
    assert content_box(rng.integers(0, 255, (30, 40, 3), np.uint8)) == (0, 0, 40, 30)
    assert content_box(np.zeros((30, 40, 3), np.uint8)) == (0, 0, 0, 0)


def test_hand_points_outside_are_missing():
    points = np.float32([[5, 5, 1], [-1, 5, 1], [5, 11, 1]])
    np.testing.assert_array_equal(inside(points, (0, 0, 10, 10)), [[5, 5, 1], [0, 0, 0], [0, 0, 0]])
