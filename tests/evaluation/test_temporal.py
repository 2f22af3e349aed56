"""Flicker of the background, and change beside the truth's."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.evaluation import temporal
from magicpose_cli.evaluation.clips import frames_by_video
from magicpose_cli.media.pictures import load_picture

from .golden import GOLDEN, golden


def test_background_keeps_away_from_the_person() -> None:
    person = np.zeros((40, 40), bool)
    person[20, 20] = True
    still = temporal.background(person)
    assert not still[20, 20] and not still[20, 27] and still[20, 28]
    assert temporal.background(np.zeros((4, 4), bool)).all()
    assert not temporal.background(np.ones((4, 4), bool)).any()


def test_flicker_is_the_mean_change_where_nothing_should_move() -> None:
    before = np.full((8, 8, 3), 100, np.uint8)
    after = before.copy()
    after[:4] += 6
    after[4:] -= 100  # where the person moves
    still = np.zeros((8, 8), bool)
    still[:4] = True
    assert temporal.flicker(before, after, still) == pytest.approx(6)
    assert temporal.flicker(before, before, still) == 0
    assert temporal.flicker(before, after, np.zeros((8, 8), bool)) is None


def test_golden_dtssd() -> None:
    expected = golden()["dtssd"]
    sides = [
        [
            [(number, load_picture(path)) for number, path in frames]
            for frames in frames_by_video((GOLDEN / "frames" / side).iterdir()).values()
        ]
        for side in ("gen", "gt")
    ]
    values = [value for ours, theirs in zip(*sides, strict=True) for value in temporal.dtssd(ours, theirs)]
    assert len(values) == 17 + 8 + 17, "the second video lacks a frame"
    assert np.mean(values) == pytest.approx(expected, rel=1e-7)


def test_dtssd_sees_change_and_nothing_else() -> None:
    truth = list(enumerate(np.random.default_rng(0).integers(0, 200, (4, 20, 24, 3), dtype=np.uint8)))
    assert temporal.dtssd(truth, truth) == [0, 0, 0]
    brighter = [(number, frame + 9) for number, frame in truth]
    assert temporal.dtssd(brighter, truth) == pytest.approx([0, 0, 0], abs=1e-6)
    flickering = [(number, frame + 9 * (number % 2 == 1)) for number, frame in truth]
    flickering = [(number, frame.astype(np.uint8)) for number, frame in flickering]
    assert temporal.dtssd(flickering, truth) == pytest.approx([81, 81, 81], rel=1e-5)
    assert temporal.dtssd(truth[:2] + truth[3:], truth[:2] + truth[3:]) == [0]
    with pytest.raises(ValueError, match="frame 0 stands beside frame 1"):
        temporal.dtssd(truth[:3], truth[1:])
