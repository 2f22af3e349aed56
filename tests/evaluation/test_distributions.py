"""The Frechet distance against three other programs', and against what it must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.errors import InputError
from magicpose_cli.evaluation.distributions import frechet_distance

from .golden import arrays, golden

CASES = ("full_rank_16", "full_rank_64", "rank_deficient_128", "relu_like_256", "same_16")


def features(count: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_other_programs_find_the_same(case: str) -> None:
    expected, sets = golden()["frechet"][case], arrays("frechet_features")
    found = frechet_distance(sets[f"{case}__gen"], sets[f"{case}__gt"])
    for program in ("disco_fid_from_feats", "pytorch_fid", "clean_fid", "closed_form_svd"):
        assert found == pytest.approx(expected[program], rel=1e-6, abs=1e-6 if case == "same_16" else 0)


def test_one_dimension_is_the_textbooks_formula() -> None:
    a, b = features(50, 1, 0), 3 * features(70, 1, 1) + 2
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-5)


@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 8), st.integers(0, 99))
def test_a_distance_between_sets(ours: int, theirs: int, width: int, seed: int) -> None:
    a, b = features(ours, width, seed), features(theirs, width, seed + 1)
    found = frechet_distance(a, b)
    assert found >= 0
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(b, a) == pytest.approx(found, rel=1e-9, abs=1e-9)
    order = np.random.default_rng(seed).permutation(ours)
    assert frechet_distance(a[order], b) == pytest.approx(found, rel=1e-9, abs=1e-9)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * width, rel=1e-5)


def test_what_has_no_distance_is_told() -> None:
    a = features(4, 3, 0)
    with pytest.raises(InputError, match=r"at least 2 samples on each side.*found 1"):
        frechet_distance(a, a[:1])
    with pytest.raises(InputError, match="NaN or infinity"):
        frechet_distance(a * np.nan, a)
    with pytest.raises(ValueError, match="one width"):
        frechet_distance(a, a[:, :2])
