"""Alignment: a known scale and shift is found again, and what hides or shortens limbs does not change it much."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from magicpose_cli.pose.align import Alignment, find_alignment
from magicpose_cli.pose.sequence import MOST_PX, FramePose, PoseSequence

_STANDING = (
    (100, 40), (100, 70), (80, 70), (70, 105), (65, 140), (120, 70), (130, 105), (135, 140),
    (88, 140), (86, 190), (84, 240), (112, 140), (114, 190), (116, 240),
    (96, 36), (104, 36), (91, 39), (109, 39),
)  # fmt: skip


def _person(change=lambda body: body) -> FramePose:
    body = np.ones((18, 3), np.float32)
    body[:, :2] = _STANDING
    return FramePose.empty()._replace(body=change(body))


def _video(*poses: FramePose) -> PoseSequence:
    return PoseSequence.from_frames(poses, 200, 260, 25, "a.mp4", "0" * 64)


def _found(driving: PoseSequence, reference: FramePose) -> tuple[Alignment, float]:
    found = find_alignment(driving, reference)
    assert found is not None
    return found


_SCALES, _SHIFTS = st.floats(0.05, 20), st.floats(-500, 500)


@given(scale=_SCALES, x=_SHIFTS, y=_SHIFTS, missing=st.sets(st.integers(2, 17)))
def test_a_known_scale_and_shift_is_found_again(scale, x, y, missing):
    def hide(body):
        body[list(missing)] = 0
        return body

    driving = _video(*[_person(hide)] * 3)
    assume(find_alignment(driving, driving[0]) is not None)
    moved = Alignment(scale, x, y).apply(driving, 300, 400)
    alignment, moved_px = _found(driving, moved[0])
    assert alignment.scale == pytest.approx(scale, rel=1e-3)
    assert (alignment.shift_x_px, alignment.shift_y_px) == pytest.approx((x, y), abs=0.1 + 1e-3 * scale)
    assert moved_px >= 0
    again = alignment.apply(driving, 300, 400)
    np.testing.assert_allclose(again.body, moved.body, atol=0.1 + 1e-3 * scale)


def _turned(share: float):
    def turn(body):
        body[:, 0] = 100 + (body[:, 0] - 100) * share
        return body

    return turn


def test_what_points_at_the_camera_changes_little():
    def seated(body):
        body[[9, 12], 1] = 150  # thighs point at the camera
        body[[10, 13], 1] = 200
        return body

    alone = _video(*[_person()] * 5)
    for change in (seated, _turned(0.3)):
        assert _found(alone, _person(change))[0].scale == pytest.approx(1, abs=0.12)


def test_a_bust_that_turns_is_not_smaller():
    def bust(share: float) -> FramePose:
        pose = _person(_turned(share))
        pose.body[8:14] = 0
        pose.face[8], pose.face[27] = (100, 52, 1), (100, 36, 1)  # chin and bridge of the nose
        return pose

    for share in (0.9, 0.7, 0.5):
        assert _found(_video(bust(1)), bust(share))[0].scale == pytest.approx(1, abs=0.1)
        assert _found(_video(bust(share)), bust(1))[0].scale == pytest.approx(1, abs=0.1)


def test_a_bone_counts_by_how_much_of_the_video_shows_it():
    def near(pose: FramePose) -> FramePose:
        pose.body[:, :2] *= 4
        pose.body[8:14] = 0
        return pose

    # seen whole and far away for an eighth of the time: what is seen all the time decides
    mixed = _video(*[_person()] * 10, *[near(_person()) for _ in range(70)])
    assert _found(mixed, _person())[0].scale == pytest.approx(0.25, rel=0.05)


def test_feet_stand_on_the_same_ground_and_those_without_are_placed_by_hips_neck_or_nose():
    def squatting(body):
        body[:8, 1] += 60
        body[[8, 11], 1] += 60
        return body

    def without(*points):
        def hide(body):
            body[list(points)] = 0
            return body

        return hide

    alone = _video(_person())
    alignment, moved_px = _found(alone, _person(squatting))
    assert (alignment.shift_y_px, moved_px) == pytest.approx((240 - alignment.scale * 240, 0), abs=0.1)
    for hidden, point in (((10, 13), 8), ((10, 13, 8), 1), ((10, 13, 8, 1), 0)):
        reference = _person(without(*hidden))
        shown = reference.body[:, 2] > 0
        reference.body[shown, :2] += (30, -20)
        alignment, moved_px = _found(alone, reference)
        assert moved_px == pytest.approx(np.hypot(30, 20), rel=1e-3)
        moved = alignment.apply(alone, 200, 260).body[0, point, :2]
        np.testing.assert_allclose(moved, np.add(_STANDING[point], (30, -20)), atol=0.5)


def test_who_stands_on_the_hands_stays_in_the_picture():
    def upside_down(body):
        body[:, 1] = 280 - body[:, 1]  # the hips stay where they are
        return body

    for driving, reference in ((upside_down, lambda body: body), (lambda body: body, upside_down)):
        alignment, moved_px = _found(_video(_person(driving)), _person(reference))
        assert alignment.scale == pytest.approx(1)
        assert (alignment.shift_x_px, alignment.shift_y_px, moved_px) == pytest.approx((0, 0, 0), abs=1e-6)


def test_nothing_in_common_is_no_alignment():
    def only(*points):
        def hide(body):
            kept = np.zeros_like(body)
            kept[list(points)] = body[list(points)]
            return kept

        return hide

    assert find_alignment(_video(_person(only(0, 14, 15))), _person(only(8, 9, 10, 11))) is None
    assert find_alignment(_video(_person()), FramePose.empty()) is None
    assert find_alignment(_video(_person(only(0))), _person()) is None  # a place, and no size
    assert find_alignment(_video(_person()), _person(only(0, 14, 15))) is None  # eyes alone tell none
    seldom = _video(_person(), *[FramePose.empty()] * 19)
    assert find_alignment(seldom, _person()) is None


def test_all_parts_move_and_what_was_missing_stays_so(random_pose):
    sequence = _video(random_pose(0, 200, 260), random_pose(1, 200, 260))
    moved = Alignment(2, 5, -7).apply(sequence, 300, 400)
    assert (moved.width_px, moved.height_px, moved.fps, moved.source) == (300, 400, 25, sequence.source)
    for part in FramePose._fields:
        before, after = getattr(sequence, part), getattr(moved, part)
        shown = before[..., 2] > 0
        np.testing.assert_allclose(after[shown][:, :2], before[shown][:, :2] * 2 + (5, -7), rtol=1e-5)
        np.testing.assert_array_equal(after[..., 2], before[..., 2])
        assert not after[~shown].any()


def test_points_that_leave_all_pictures_are_missing():
    def far(body):
        body[4] = MOST_PX, 0, 1
        return body

    moved = Alignment(2, 0, 0).apply(_video(_person(far)), 200, 260)
    assert not moved.body[0, 4].any()
    assert moved.body[0, 3, 2] == 1
