"""Windows cover the video, overlap as asked, and never join its ends unless the reference's are wanted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.diffusion.windows import WindowPlan, circular_windows, fading, shifted_windows

shapes = st.tuples(st.integers(1, 200), st.integers(1, 24), st.integers(0, 23), st.integers(0, 500)).filter(
    lambda s: s[2] < s[1]
)


@given(shapes)
def test_shifted_windows_cover_each_frame_in_order(shape):
    num_frames, window, overlap, offset = shape
    windows = shifted_windows(num_frames, window, overlap, offset)
    assert set().union(*windows) == set(range(num_frames))
    for frames in windows:
        assert 1 <= len(frames) <= window
        assert frames == list(range(frames[0], frames[-1] + 1))
    for left, right in pairwise(windows):
        assert right[0] - left[0] <= window - overlap


@given(st.integers(1, 16), st.integers(0, 50))
def test_a_short_video_is_one_window(num_frames, offset):
    assert shifted_windows(num_frames, 16, 4, offset) == [list(range(num_frames))]


def test_neighbours_share_the_overlap():
    first, second = shifted_windows(28, 16, 4, 0)[:2]
    assert len(set(first) & set(second)) == 4


def test_offsets_move_the_seams():
    seams = {tuple(w[0] for w in shifted_windows(60, 16, 4, offset)) for offset in range(12)}
    assert len(seams) == 12


def test_circular_windows_are_the_reference_implementations(golden):
    toy = golden["overlap_toy"]
    for name in ("f16", "f20", "f37"):
        frames = toy[f"{name}_x_T"].shape[0]
        for offset, starts in zip(
            toy[f"{name}_offsets"].tolist(), toy[f"{name}_starts"].tolist(), strict=True
        ):
            windows = circular_windows(frames, 16, 4, offset)
            assert windows == [[(start + k) % frames for k in range(16)] for start in starts]


def test_an_overlap_as_long_as_the_window_is_refused():
    with pytest.raises(ValueError, match="overlap of 16"):
        shifted_windows(20, 16, 16)


@given(length=st.integers(1, 24), fade=st.integers(0, 23))
def test_a_window_fades_at_both_ends_alike_and_never_to_nothing(length, fade):
    weights = fading(range(5, 5 + length), 40, fade)
    assert len(weights) == length
    assert weights == weights[::-1]
    assert 0 < min(weights) <= max(weights) <= 1
    assert fade or set(weights) == {1.0}


def test_at_the_ends_of_the_video_nothing_fades():
    assert fading(range(16), 16, 4) == [1.0] * 16
    assert fading(range(6), 40, 4) == pytest.approx([1, 1, 0.8, 0.6, 0.4, 0.2])
    assert fading(range(34, 40), 40, 4) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])


def test_where_two_windows_overlap_their_weights_make_one():
    weights = fading(range(12, 28), 40, 4)
    assert weights[4:12] == [1.0] * 8
    assert [a + b for a, b in zip(weights[:4], weights[12:], strict=True)] == pytest.approx([1.0] * 4)


@given(st.integers(4, 60), st.booleans(), st.booleans(), st.integers(0, 5))
def test_a_plan_is_the_same_each_time_and_covers_each_frame(frames, see_each_other, circular, seed):
    def plan(offsets=None):
        return WindowPlan(
            frames,
            16,
            4,
            see_each_other=see_each_other,
            batch=7,
            circular=circular,
            offsets=offsets,
            seed=seed,
        )

    first = plan().of(0)
    assert plan().of(0) == first
    assert plan([3, 5]).of(1) == circular_windows(frames, 16, 4, 5)
    if not see_each_other:  # each is made once
        assert [frame for window in first for frame in window] == list(range(frames))
        assert max(map(len, first)) <= 7
    elif not circular:
        assert set().union(*first) == set(range(frames))
    assert plan().fade == (4 if see_each_other and not circular else 0)
    assert plan([0]).fade == 0
