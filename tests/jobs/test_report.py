"""The report beside a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.jobs import report as report_of
from magicpose_cli.jobs.alignment import Aligned
from magicpose_cli.jobs.plan import RetargetOptions, make_plan
from magicpose_cli.jobs.report import Found, describe
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.pose.sequence import FramePose, PoseSequence

from ..tiny import make_tiny


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_tiny().save_pretrained(folder / "model")
    save_picture(folder / "person.png", np.zeros((32, 32, 3), np.uint8))
    PoseSequence.from_frames([FramePose.empty()] * 2, 32, 32, 8).save(folder / "dance.npz")
    return folder


def test_a_package_that_is_not_installed_ends_no_run(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(report_of, "_PACKAGES", ("numpy", "no-such-package"))
    options = RetargetOptions(model=str(inputs / "model"), device="cpu")
    plan = make_plan(inputs / "person.png", inputs / "dance.npz", tmp_path / "out.mp4", options)
    report = describe(plan, options, 2, Found(FramePose.empty(), "mediapipe", Aligned("alike"), 0), {})
    assert set(report["versions"]) == {"python", "numpy"}
