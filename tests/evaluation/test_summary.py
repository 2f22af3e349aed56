"""How sure the values are: bootstrap intervals over clips, of one method and of the difference of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicpose_cli.evaluation.records import MEANS, interval
from magicpose_cli.evaluation.summary import sum_up
from magicpose_cli.evaluation.tables import best_of, cell, unit_and_direction

PSNR = MEANS["psnr"][1]
clip_values = st.lists(st.lists(st.floats(5, 50), min_size=1, max_size=4), min_size=5, max_size=7)


def records(psnr: list[list[float]]) -> list[dict[str, Any]]:
    """Clips with the values of PSNR given, and nobody in them."""
    nobody = [[[None] * 3] * 3, [[None] * 3] * 3]
    return [
        {
            "frames": {key: list(values) for key in MEANS if key in FRAME_KEYS},
            "points": {"body": [], "hands": [], "face": []},
            "openings": {"mouth": [], "eyes": [], "brows": []},
            "flicker": None,
            "colours": nobody,
        }
        for values in psnr
    ]


FRAME_KEYS = ("l1_disco", "psnr_disco", "ssim_disco", "l1", "psnr", "ssim")


def psnr_of(two: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """How far the second of two methods is ahead."""
    (pair,) = sum_up(two)["comparisons"]
    return pair["values"]["psnr"]


@settings(max_examples=8, deadline=None)
@given(clip_values, st.floats(-40, 40))
def test_an_interval_lies_within_the_clips_and_moves_with_them(values: list[list[float]], by: float) -> None:
    low, high = interval(PSNR, records(values))
    means = [np.mean(v) for v in values]
    assert min(means) - 1e-9 <= low <= high <= max(means) + 1e-9
    moved = interval(PSNR, records([[x + by for x in v] for v in values]))
    assert moved == pytest.approx((low + by, high + by), abs=1e-9)


def test_an_interval_is_scipys_percentile_bootstrap_over_clips() -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(3)
    clips = draw.normal(22, 3, 16)[:, None] + draw.normal(0, 0.1, (16, 23))
    theirs = stats.bootstrap(
        (clips.mean(1),), np.mean, n_resamples=20000, method="percentile", random_state=1
    ).confidence_interval
    # frames of a clip are alike: over frames the interval would be nearly five times as narrow
    assert interval(PSNR, records(clips.tolist())) == pytest.approx(tuple(theirs), abs=0.12)
    assert theirs.high - theirs.low > 2


@settings(max_examples=4, deadline=None)  # a thousand draws of each
@given(clip_values, st.floats(-9, 9))
def test_paired_differences(values: list[list[float]], by: float) -> None:
    ours = records(values)
    same = psnr_of({"a": ours, "b": ours})
    assert same["difference"] == 0 and same["interval"] == (0, 0)
    # a constant advantage is certain, however much the clips differ
    ahead = records([[x + by for x in v] for v in values])
    constant = psnr_of({"a": ours, "b": ahead})
    assert constant["difference"] == pytest.approx(by, abs=1e-9)
    assert constant["interval"] == pytest.approx((by, by), abs=1e-9)
    back = psnr_of({"b": ahead, "a": ours})
    low, high = constant["interval"]
    assert back["difference"] == pytest.approx(-constant["difference"])
    assert back["interval"] == pytest.approx((-high, -low))


def test_pairing_sees_what_two_intervals_hide() -> None:
    draw = np.random.default_rng(0)
    clips = draw.normal(20, 4, (12, 1))
    ours, theirs = records(clips.tolist()), records((clips + draw.normal(0.5, 0.1, (12, 1))).tolist())
    (_, high), (low, _) = interval(PSNR, ours), interval(PSNR, theirs)
    assert low < high, "the intervals overlap"
    assert psnr_of({"a": ours, "b": theirs})["interval"][0] > 0.3


def test_each_two_methods_are_compared_on_what_has_a_better_side() -> None:
    three = {name: records([[20.0], [21.0]]) for name in "abc"}
    found = sum_up(three)["comparisons"]
    assert [pair["methods"] for pair in found] == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert set(found[0]["values"]) == set(FRAME_KEYS)
    (one,) = sum_up({"a": three["a"][:1], "b": three["b"][:1]})["comparisons"]
    assert one["values"]["psnr"] == {"difference": 0, "interval": None, "clips": 1}


def test_few_clips_give_a_value_and_their_count_and_no_interval() -> None:
    two = {name: records([[20.0]] * 16) for name in "ab"}
    for name, error in (("a", 0.0), ("b", 0.4)):
        for clip, record in enumerate(two[name]):
            record["faces"] = {"found": [1.0], "face_dist_dlib": [None], "face_match_dlib": [0.0]}
            # in four clips three frames with a face, which are too few in one, and in a fifth one that moves nothing
            moving = [[t + error * (t - 0.2) ** 2, t] for t in (0.1, 0.2, 0.4)] if clip < 4 else []
            for part in ("mouth", "eyes", "brows"):
                record["openings"][part] = moving or ([[0.3, 0.3]] if clip == 4 else [None])
            if clip == 7:
                record["faces"]["face_dist_dlib"] = [0.3 + error]
    found = sum_up(two)
    ours, (pair,) = found["methods"]["b"], found["comparisons"]
    for key, clips in (("face_dist_dlib", 1), ("expression", 4)):
        assert key in ours["values"] and ours["clips"][key] == clips and ours["intervals"][key] is None
        assert pair["values"][key]["interval"] is None and pair["values"][key]["clips"] == clips
    assert cell(ours, "face_dist_dlib") == "0.700 (1 of 16 clips)"
    assert cell(ours, "psnr") == "20.00 (20.00..20.00)"
    assert ours["clips"]["psnr"] == 16 and ours["intervals"]["psnr"] == (20, 20)
    for name in "ab":  # with a fifth one they are enough
        two[name][4]["openings"] = two[name][0]["openings"]
    assert sum_up(two)["methods"]["b"]["intervals"]["expression"] is not None
    two["a"][3]["openings"] = two["a"][9]["openings"]  # both methods must have it
    (pair,) = sum_up(two)["comparisons"]
    assert pair["values"]["expression"]["interval"] is None and pair["values"]["expression"]["clips"] == 4


def test_each_metric_has_a_value_or_a_reason() -> None:
    found = sum_up({"a": records([[20.0], [21.0]])}, missing_weights={"fid": "no file: --weights DIR"})
    method, rest = found["methods"]["a"], found["not_computed"]
    assert "nobody" in method["not_computed"]["pose_accuracy"]
    assert "background" in method["not_computed"]["flicker"]
    assert "40 px" in method["not_computed"]["expression_eyes"]
    assert set(method["values"]) | set(method["not_computed"]) == set(MEANS)
    assert (
        "--weights" in rest["fid"]
        and "psnr" not in rest
        and "flicker" not in rest
        and "expression" not in rest
    )


def test_the_best_of_a_row() -> None:
    assert best_of([1.0, None, 3.0, 3.0], "higher") == [2, 3]
    assert best_of([1.0, None, 3.0], "lower") == [0]
    assert best_of([1.0, 2.0], "") == best_of([None], "higher") == []
    assert unit_and_direction("psnr_disco") == ("dB, wrapped", "higher")
    assert unit_and_direction("flicker_of_truth") == ("0..255", "")
    assert unit_and_direction("fid") == ("0 and up", "lower") and unit_and_direction("unheard of") == ("", "")


def test_what_was_measured_with_weights_that_are_gone_has_no_value() -> None:
    clips = records([[20.0], [30.0]])
    for record in clips:
        record["faces"] = {"found": [1.0], "face_dist_dlib": [0.3], "face_match_dlib": [1.0]}
    there = sum_up({"a": clips})["methods"]["a"]
    assert there["values"]["face_dist_dlib"] == pytest.approx(0.3) and there["samples"]["face_dist_dlib"] == (
        2,
        2,
    )
    gone = sum_up({"a": clips}, missing_weights={"face_dist_dlib": "it needs weights"})["methods"]["a"]
    assert "face_dist_dlib" not in gone["values"] and gone["intervals"]["face_dist_dlib"] is None
    assert gone["not_computed"]["face_dist_dlib"] == "it needs weights"
    assert gone["values"]["face_match_dlib"] == 1
