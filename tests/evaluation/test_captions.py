"""Words under a picture."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.evaluation.captions import captioned


@pytest.mark.parametrize("size", [(16, 11), (64, 64), (512, 384)])
def test_the_picture_is_kept_and_words_stand_below_it(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = captioned(picture, ["method", "frame 3   21.42 dB"])
    assert np.array_equal(found[: size[0]], picture)
    assert found.dtype == np.uint8 and found.shape[1] == size[1]
    bare, other = captioned(picture, ["", ""]), captioned(picture, ["method", "frame 4   21.42 dB"])
    assert found.shape == bare.shape == other.shape
    assert bare[size[0] :].std() == 0
    if min(size) > 11:
        assert not np.array_equal(found, bare) and not np.array_equal(found, other)


def test_a_long_line_is_written_smaller_and_not_cut() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    band = captioned(picture, ["a method with a rather long name of its own"])[64:]
    assert np.ptp(band[:, :2]) == 0 and np.ptp(band[:, -2:]) == 0  # nothing at the edges
    assert np.ptp(band) > 0
