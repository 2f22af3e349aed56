"""Flicker of the background."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.evaluation import temporal


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
