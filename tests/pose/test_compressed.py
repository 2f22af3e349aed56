"""Maps come as they were drawn, and of those that can be drawn again only the last are held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.pose.compressed import CompressedMaps


def _map(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (8, 6, 3), np.uint8)


@given(st.lists(st.integers(0, 19), max_size=60), st.sampled_from([None, 1, 4, 20]))
def test_each_map_is_as_it_was_drawn_in_whatever_order(numbers: list[int], last: int | None) -> None:
    maps = CompressedMaps(20, _map, last)
    assert len(maps) == 20
    for number in numbers:
        assert np.array_equal(maps[number], _map(number))


@pytest.mark.parametrize(("last", "draws"), [(None, 20), (8, 20), (5, 56)])
def test_the_last_are_not_drawn_again(last: int | None, draws: int) -> None:
    drawn: list[int] = []
    maps = CompressedMaps(20, lambda i: drawn.append(i) or _map(i), last)
    for start in range(0, 20, 6):  # stretches of six, three steps each
        for _ in range(3):
            for number in range(start, min(start + 6, 20)):
                maps[number]
    assert len(drawn) == draws
    assert sum(bool(kept) for kept in maps._kept) <= (last or 20)


def test_maps_that_are_there_are_all_kept() -> None:
    maps = CompressedMaps.drawn(_map(i) for i in range(5))
    assert [np.array_equal(maps[i], _map(i)) for i in range(5)] == [True] * 5
