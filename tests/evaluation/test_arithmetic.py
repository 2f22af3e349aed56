"""What the published numbers mean, on pictures of which the answer is known."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.evaluation.arithmetic import as_markdown, published_arithmetic


def test_random_pictures_score_as_well_as_published_methods() -> None:
    random, *constant = published_arithmetic()["psnr"]
    # the mean of d * d mod 256 over all 256 differences
    wrapped = sum(d * d % 256 for d in range(256)) / 256
    assert random["published"] == pytest.approx(27.9, abs=0.05)
    assert 10 ** (-random["published"] / 10) * 255**2 == pytest.approx(wrapped, rel=0.01)
    assert random["corrected"] == pytest.approx(7.75, abs=0.05)
    by_levels = {row["l1"]: row["published"] for row in constant}
    assert by_levels[16] == 100 and by_levels[17] > by_levels[15]
    assert all(a["corrected"] > b["corrected"] for a, b in pairwise(constant))


def test_the_published_l1_depends_on_the_size() -> None:
    levels = {row["method"]: (row["size_px"], row["levels"]) for row in published_arithmetic()["l1"]}
    assert levels["MagicPose"] == (512, pytest.approx(21.2, abs=0.05))
    assert levels["DisCo, HAP and CFG"] == (256, pytest.approx(24.8, abs=0.05))
    text = as_markdown(published_arithmetic())
    assert "| MagicPose | 0.81E-04 | 512 | 21.2 |" in text and "27.9" in text


def test_another_seed_says_the_same() -> None:
    assert published_arithmetic(1)["psnr"][0]["published"] == pytest.approx(27.9, abs=0.05)


def test_one_command_prints_both() -> None:
    runner = CliRunner()
    text = runner.invoke(app, ["study", "published"])
    assert text.exit_code == 0 and "27.9" in text.output and "21.2" in text.output
    found = json.loads(runner.invoke(app, ["study", "published", "--json"]).output)
    assert set(found) == {"psnr", "l1"}
