"""Cleaning: short gaps filled, trembling taken out, motion and cuts left alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicpose_cli.pose.clean import clean
from magicpose_cli.pose.sequence import POINT_COUNTS, PoseSequence

WRIST = 7


def sequence_of(frames: int, fps: float = 25, path=None, **parts: np.ndarray) -> PoseSequence:
    """A person of 40 by 170 px, all points seen, that goes along a path (f 2), px."""
    rng = np.random.default_rng(0)
    path = np.zeros((frames, 2)) if path is None else path
    made = {}
    for part, count in POINT_COUNTS.items():
        points = np.ones((frames, count, 3), np.float32)
        points[..., :2] = rng.uniform((100, 100), (140, 270), (count, 2)) + path[:, None]
        made[part] = points
    return PoseSequence(**made | parts, width_px=400, height_px=400, fps=Fraction(fps))


def without(points: np.ndarray, frames) -> np.ndarray:
    changed = points.copy()
    changed[frames] = 0
    return changed


def parabola(frames: int) -> np.ndarray:
    time = np.arange(frames, dtype=float)
    return np.stack([2 * time - 0.1 * time**2, 0.05 * time**2], axis=1)


def test_motion_along_a_parabola_stays_as_it_is():
    poses = sequence_of(20, path=parabola(20))
    cleaned, filled = clean(poses)
    for part in POINT_COUNTS:
        np.testing.assert_allclose(getattr(cleaned, part), getattr(poses, part), atol=1e-3)
    assert not any(filled.values())
    assert (cleaned.width_px, cleaned.height_px, cleaned.fps, cleaned.source) == (400, 400, 25, poses.source)


def test_trembling_becomes_less_and_nothing_lags():
    path = 60 * np.sin(np.arange(100) / 8)[:, None] * (1.0, 0.3)
    still = sequence_of(100, path=path)
    rng = np.random.default_rng(1)
    trembling = {
        part: getattr(still, part)
        + np.float32([1, 1, 0]) * rng.normal(0, 1, (100, count, 1)).astype(np.float32)
        for part, count in POINT_COUNTS.items()
    }
    cleaned, _ = clean(sequence_of(100, **trembling))
    for part, most in (("body", 0.65), ("left_hand", 0.75), ("face", 0.75)):
        truth, before, after = getattr(still, part), trembling[part], getattr(cleaned, part)
        assert np.abs(after - truth).mean() < most * np.abs(before - truth).mean()
        # a filter that lags would fit the truth of a frame before better
        assert np.abs(after[1:-1] - truth[1:-1]).mean() < np.abs(after[1:-1] - truth[:-2]).mean()


def test_a_short_gap_is_filled_between_its_ends_and_a_long_one_is_left(capsys):
    poses = sequence_of(30, path=parabola(30))
    face = without(poses.face, slice(4, 9))  # 0.2 s
    body = without(poses.body, (slice(12, 18), 10))  # 0.24 s, one knee
    cleaned, filled = clean(sequence_of(30, path=parabola(30), face=face, body=body))
    assert filled == {"body": 0, "left_hand": 0, "right_hand": 0, "face": 5}
    assert not cleaned.body[12:18, 10].any()
    on_a_line = np.linspace(poses.face[3], poses.face[9], 7)
    assert np.abs(cleaned.face[4:9] - on_a_line[1:-1]).max() < 1
    assert "face in 5 of 30 frames" in capsys.readouterr().err


def test_a_hand_is_filled_beside_its_wrist():
    """On a line between its ends it would miss the arm, which swings out meanwhile."""
    path = np.zeros((20, 2))
    path[8:13, 0] = (20, 40, 50, 40, 20)
    poses = sequence_of(20)
    hand, body = poses.left_hand.copy(), poses.body.copy()
    hand[..., :2] += path[:, None]
    body[:, WRIST, :2] += path
    cleaned, filled = clean(sequence_of(20, body=body, left_hand=without(hand, slice(9, 12))))
    assert filled["left_hand"] == 3
    assert np.abs(cleaned.left_hand[10, :, 0] - hand[10, :, 0]).max() < 10
    body[10, WRIST] = 0
    cleaned, _ = clean(
        sequence_of(20, body=without(body, (10, WRIST)), left_hand=without(hand, slice(9, 12)))
    )
    assert cleaned.left_hand[10, :, 2].all()


def test_nothing_is_filled_or_smoothed_across_a_cut():
    path = np.zeros((20, 2))
    path[10:] = 150, 0
    poses = sequence_of(20, path=path, left_hand=without(sequence_of(20, path=path).left_hand, slice(9, 11)))
    cleaned, filled = clean(poses)
    np.testing.assert_allclose(cleaned.body, poses.body, atol=1e-3)
    assert filled["left_hand"] == 0


def test_frames_lost_at_a_cut_are_not_filled():
    """A skeleton that slides from one person to another would be worse than none for a moment."""
    path = np.zeros((20, 2))
    path[12:] = 100, 0
    parts = {part: without(getattr(sequence_of(20, path=path), part), slice(8, 12)) for part in POINT_COUNTS}
    cleaned, filled = clean(sequence_of(20, **parts))
    assert not any(filled.values())
    np.testing.assert_allclose(cleaned.body, parts["body"], atol=1e-3)


def test_a_single_point_that_jumps_is_not_smoothed_over_its_jump():
    body = sequence_of(20).body.copy()
    body[10:, WRIST, 0] += 120
    cleaned, _ = clean(sequence_of(20, body=body))
    np.testing.assert_allclose(cleaned.body, body, atol=1e-3)


def test_hands_are_cleaned_where_little_of_the_body_is_seen():
    poses = sequence_of(20)
    body = without(poses.body, (slice(None), slice(2, None)))
    hand = without(poses.left_hand, slice(9, 11))
    assert clean(sequence_of(20, body=body, left_hand=hand))[1]["left_hand"] == 2


def test_at_few_frames_a_second_fast_hands_stay_where_they_are():
    path = 40 * np.sin(np.arange(24))[:, None] * (1, 1)
    poses = sequence_of(24, fps=12, path=path)
    cleaned, _ = clean(poses)
    np.testing.assert_array_equal(cleaned.left_hand, poses.left_hand)
    np.testing.assert_array_equal(cleaned.face, poses.face)


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_very_short_videos_stay_as_they_are(frames):
    poses = sequence_of(frames)
    np.testing.assert_allclose(clean(poses)[0].body, poses.body, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 40), fps=st.sampled_from([5, 12, 25, 30, 60]))
def test_what_was_found_stays_found_as_surely_as_before(seed, frames, fps):
    rng = np.random.default_rng(seed)
    parts = {}
    for part, count in POINT_COUNTS.items():
        points = rng.uniform(0, 400, (frames, count, 3)).astype(np.float32)
        points[..., 2] = rng.uniform(0.1, 1, (frames, count))
        points[rng.random((frames, count)) < 0.3] = 0
        parts[part] = points
    poses = sequence_of(frames, fps=fps, **parts)
    cleaned, filled = clean(poses)
    for part, before in parts.items():
        after, found = getattr(cleaned, part), before[..., 2] > 0
        np.testing.assert_array_equal(after[..., 2][found], before[..., 2][found])
        assert filled[part] == int(((after[..., 2] > 0) & ~found).any(axis=1).sum())
