"""The truth's motion, and what does not follow it."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.evaluation.warping import flow_between, warping_error
from magicpose_cli.pose.opencv import load_cv2

from .dancer import noisy


def texture() -> np.ndarray:
    """uint8 ``(96 128 3)``, smooth enough for a flow."""
    cv2 = load_cv2()
    rough = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def test_a_shift_is_followed_to_where_it_came_from() -> None:
    before = texture()
    after = np.roll(before, 3, axis=1)
    flow = flow_between(before, after)
    middle = (slice(16, 80), slice(16, 112))
    assert flow.believed[middle].mean() > 0.9
    x = np.arange(16, 112)[None]
    assert np.abs(flow.source_x[middle] - x - 3)[flow.believed[middle]].mean() < 0.2
    assert not flow.believed[:, -2:].any(), "what leaves the picture cannot be followed"
    error = warping_error(before, after, flow)
    assert error is not None and error < 3 < np.abs(before.astype(int) - after).mean() / 2


def test_it_is_ideal_for_the_truth_and_worse_with_noise_and_without_motion() -> None:
    before = texture()
    after = np.roll(before, 3, axis=1)
    flow = flow_between(before, after)
    own = warping_error(before, after, flow)
    assert own is not None
    still = warping_error(before, before, flow)
    errors = [warping_error(*noisy(np.stack([before, after]), levels), flow) for levels in (4, 8, 16)]
    assert own < errors[0] < errors[1] < errors[2]
    assert still is not None and still > 3 * own, "a picture that stands does not move as the truth"
    assert warping_error(before, before, flow_between(before, before)) == pytest.approx(0, abs=1e-3)


def test_a_cut_gives_no_value() -> None:
    flow = flow_between(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3), np.uint8))
    flow.believed[:] = False
    assert warping_error(*np.zeros((2, 32, 32, 3), np.uint8), flow) is None


def test_threads_change_nothing() -> None:
    cv2 = load_cv2()
    before, count = np.tile(texture(), (4, 4, 1)), cv2.getNumThreads()
    after = np.roll(before, 5, axis=0)
    try:
        flows = []
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            flows.append(flow_between(before, after))
    finally:
        cv2.setNumThreads(count)
    assert np.array_equal(flows[0].source_x, flows[1].source_x)
    assert np.array_equal(flows[0].believed, flows[1].believed)


@pytest.mark.parametrize("shape", [(11, 11), (12, 64), (12, 400), (64, 11), (16, 16)])
def test_small_frames_have_a_flow_too(shape: tuple[int, int]) -> None:
    before = texture()[: shape[0]]
    before = np.tile(before, (1, 4, 1))[:, : shape[1]]
    flow = flow_between(before, before)
    assert flow.source_x.shape == flow.believed.shape == shape
    assert flow.believed.all() and warping_error(before, before, flow) == pytest.approx(0, abs=0.5)
