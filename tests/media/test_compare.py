"""Pictures side by side."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.media.compare import side_by_side


def plain(width_px: int, height_px: int, grey: int) -> np.ndarray:
    return np.full((height_px, width_px, 3), grey, np.uint8)


def test_pictures_of_one_size_are_unchanged() -> None:
    row = side_by_side([plain(10, 20, 50), plain(10, 20, 100), plain(10, 20, 150)])
    assert row.shape == (20, 38, 3)
    assert (row[:, :10] == 50).all() and (row[:, 14:24] == 100).all() and (row[:, 28:] == 150).all()


def test_pictures_come_to_the_height_of_the_tallest_in_their_aspect() -> None:
    row = side_by_side([plain(10, 20, 50), plain(30, 10, 100)])
    assert row.shape == (20, 10 + 4 + 60, 3)
    assert (row[:, 14:] == 100).all()


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="at least one"):
        side_by_side([])
    assert np.array_equal(side_by_side([plain(3, 3, 9)]), plain(3, 3, 9))
