"""Seams and drift, on changes and colours that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.diffusion.windows import shifted_windows
from magicpose_cli.evaluation.long_video import background_drift, person_drift, seam, window_borders
from magicpose_cli.pose.sequence import FramePose


def test_borders_stand_where_a_window_begins_or_has_ended() -> None:
    assert window_borders(16) == []
    # windows 0..15, 12..27, 24..39
    assert window_borders(40) == [12, 16, 24, 28]


@given(st.integers(1, 200), st.integers(2, 24), st.data())
def test_a_border_parts_frames_that_no_two_windows_share_alike(
    count: int, window: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    windows = [set(frames) for frames in shifted_windows(count, window, overlap)]
    for frame in range(1, count):
        alike = all((frame in one) == (frame - 1 in one) for one in windows)
        assert (frame in window_borders(count, window, overlap)) == (not alike)


def test_a_seam_is_change_across_borders_over_change_elsewhere() -> None:
    changes = np.full(39, 2.0)
    borders = window_borders(40)
    assert seam(list(changes), borders) == 1
    changes[[border - 1 for border in borders]] = 5
    assert seam(list(changes), borders) == 2.5
    assert seam([0.0] * 39, borders) is None
    assert seam(list(changes), []) is None


def test_drift_is_what_the_truth_does_not_do_itself() -> None:
    truth = np.full((70, 40, 40, 3), 120, np.uint8)
    truth += np.arange(70, dtype=np.uint8)[:, None, None, None] // 4  # dusk falls the other way
    still = np.ones(truth.shape[:3], bool)
    assert background_drift(truth, truth, still) == 0
    assert background_drift(truth + 20, truth, still) == pytest.approx(0, abs=0.5), (
        "always lighter is no drift"
    )
    redder = truth.copy()
    redder[..., 0] += np.arange(70, dtype=np.uint8)[:, None, None]
    half = truth.copy()
    half[..., 0] += np.arange(70, dtype=np.uint8)[:, None, None] // 2
    found = [background_drift(clip, truth, still) for clip in (half, redder)]
    assert found[0] is not None and found[1] is not None and 5 < found[0] < found[1]
    still[-7:] = False
    assert background_drift(redder, truth, still) is None
    assert person_drift(redder, truth, [FramePose.empty()] * 70) is None
