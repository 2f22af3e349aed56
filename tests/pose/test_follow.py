"""Following one person among several."""

from __future__ import annotations

import numpy as np

from magicpose_cli.pose.follow import MOST_MISSED, Follower


def person(left: float, top: float, size: float) -> np.ndarray:
    return np.array([(left, top), (left + size / 2, top + size / 3), (left + size, top + size)])


def choices(*frames: list[np.ndarray]) -> list[int | None]:
    follower = Follower()
    return [follower.choose(people) for people in frames]


DANCER, BY = person(100, 100, 80), person(300, 50, 60)


def test_the_largest_is_followed_though_somebody_larger_comes_by():
    nearer = person(110, 95, 80)
    larger = person(300, 50, 200)
    assert choices([BY, DANCER], [larger, nearer], [larger, person(120, 90, 80)]) == [1, 1, 1]


def test_one_missed_frame_does_not_change_who_is_followed():
    both = [DANCER, BY]
    assert choices(both, both, [BY], both, both) == [0, 0, None, 0, 0]
    assert choices(both, [], both) == [0, None, 0]


def test_who_is_gone_for_long_is_followed_no_more():
    gone = [[BY]] * (MOST_MISSED + 1)
    assert choices([DANCER, BY], *gone, [DANCER, BY]) == [0] + [None] * MOST_MISSED + [0, 1]
    nobody: list[list[np.ndarray]] = [[]] * (MOST_MISSED + 1)
    assert choices([BY], *nobody, [BY, DANCER]) == [0] + [None] * (MOST_MISSED + 1) + [1]


def test_after_a_cut_the_largest_is_taken_at_once():
    assert choices([DANCER, BY], [person(400, 400, 50), person(10, 300, 90)]) == [0, 1]
    assert choices([]) == [None]
