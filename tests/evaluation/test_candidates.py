from __future__ import annotations

import json
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.errors import ModelError, OutputExistsError
from magicpose_cli.evaluation import candidates as candidates_module
from magicpose_cli.evaluation.benchmark import benchmark
from magicpose_cli.evaluation.candidates import (
    Candidate,
    as_markdown,
    as_plot,
    candidates,
    compare_candidates,
    front,
)
from magicpose_cli.evaluation.settings import BenchmarkOptions

from ..tiny import make_tiny
from .layouts import grey, write_magicpose_layout

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


@given(POINTS)
def test_nothing_beats_what_is_on_the_front_and_something_beats_the_rest(points):
    best = front(points)
    assert any(best)
    for (cost, quality), is_best in zip(points, best, strict=True):
        beaten = any(c <= cost and q >= quality and (c < cost or q > quality) for c, q in points)
        assert beaten != is_best


@pytest.mark.parametrize("guidance", [1.0, 7.0])
def test_the_papers_way_comes_first_and_no_way_twice(guidance):
    tried = candidates(guidance)
    assert (tried[0].steps, tried[0].solver, tried[0].guidance) == (50, "ddim", guidance)
    assert len({candidate.name for candidate in tried}) == len(tried)
    assert any(candidate.guided != (0, 1) for candidate in tried) == (guidance != 1)


def test_a_motion_module_sees_a_window_of_neighbours(tmp_path, monkeypatch):
    make_tiny(motion=True).save_pretrained(tmp_path / "model")
    write_magicpose_layout(tmp_path / "data", {"long": 24, "short": 9})
    monkeypatch.setattr(candidates_module, "candidates", lambda guidance: [Candidate(1)])
    asked = []
    call = MagicPosePipeline.__call__

    def watched(self, reference, maps, **settings):
        asked.append(maps[:, 0, 0, 0])
        return call(self, reference, maps, **settings)

    monkeypatch.setattr(MagicPosePipeline, "__call__", watched)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "presets.md").write_text("old")
    table = compare_candidates(
        dataset="synth", root=tmp_path / "data", model=str(tmp_path / "model"), out=tmp_path / "out",
        clips=None, device="cpu", dtype="fp32", force=True,
    )  # fmt: skip
    first, long, short = asked  # the first of all is not measured
    assert np.array_equal(first, long)
    assert long.tolist() == [grey(0, i, "poses") for i in range(1, 17)]
    assert short.tolist() == [grey(1, i, "poses") for i in range(1, 9)]
    assert table["frames"] == 24 and "24 consecutive frames of 2" in (tmp_path / "out/presets.md").read_text()


def test_all_ways_are_measured_on_the_same_frames(tmp_path):
    make_tiny().save_pretrained(tmp_path / "model")
    write_magicpose_layout(tmp_path / "data")
    table = compare_candidates(
        dataset="synth", root=tmp_path / "data", model=str(tmp_path / "model"), out=tmp_path / "out",
        clips=1, device="cpu", dtype="fp32",
    )  # fmt: skip
    assert json.loads((tmp_path / "out" / "presets.json").read_text()) == table
    assert table["frames"] == 4
    with pytest.raises(OutputExistsError, match=r"presets\.json exists.*--force"):
        compare_candidates(
            dataset="synth", root=tmp_path / "nowhere", model="none", out=tmp_path / "out",
            clips=1, device="cpu", dtype="fp32",
        )  # fmt: skip
    assert len(table["candidates"]) == len(candidates(2.0))
    assert all(row["seconds_per_frame"] > 0 and 0 < row["psnr"] < 60 for row in table["candidates"])
    assert as_markdown(table).count("**") == 2 * sum(row["on_front"] for row in table["candidates"])
    drawn = ElementTree.fromstring(as_plot(table))
    circles = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(table["candidates"])


@pytest.mark.parametrize("apart_db", [0, 0.3, 6, 40])
def test_the_plots_figures_leave_each_other_room(apart_db):
    table = {
        "model": "m",
        "candidates": [
            {"name": name, "seconds_per_frame": seconds, "psnr": psnr, "on_front": True}
            for name, seconds, psnr in (("a", 0.1, 20.1), ("b", 1.0, 20.1 + apart_db))
        ],
    }
    texts = ElementTree.fromstring(as_plot(table)).findall("{http://www.w3.org/2000/svg}text")
    beside = [float(text.get("y")) for text in texts if text.get("text-anchor") == "end"]
    assert len(beside) >= 2
    assert all(lower - upper > 12 for lower, upper in pairwise(beside))


def test_a_model_that_follows_no_pose_is_refused_before_anything(tmp_path):
    model = make_tiny()
    model.register_modules(pose_controlnet=None)
    model.save_pretrained(tmp_path / "model")
    given = {"dataset": "synth", "root": tmp_path, "clips": 1}
    with pytest.raises(ModelError, match="follows no pose"):
        compare_candidates(
            **given, model=str(tmp_path / "model"), out=tmp_path / "out", device="cpu", dtype="fp32"
        )
    with pytest.raises(ModelError, match="follows no pose"):
        benchmark(BenchmarkOptions(**given, model=str(tmp_path / "model")), tmp_path / "out")
