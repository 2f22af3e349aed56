"""The report beside a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.jobs import hashes as hashes_of
from magicpose_cli.jobs import report as report_of
from magicpose_cli.jobs.alignment import Aligned
from magicpose_cli.jobs.hashes import Hashes
from magicpose_cli.jobs.plan import RetargetOptions, make_plan
from magicpose_cli.jobs.report import Found, describe, hash_inputs
from magicpose_cli.media.files import sha256_of
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
    hashes = {"reference": "a", "driving": "b", "model": "c"}
    report = describe(
        plan, options, hashes, 2, Found(FramePose.empty(), "mediapipe", Aligned("alike"), 0), {}
    )
    assert set(report["versions"]) == {"python", "numpy"}


def test_each_input_is_hashed_once_where_it_lies_and_none_for_a_plan(inputs, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(hashes_of, "sha256_of", lambda path, *_: read.append(path.name) or sha256_of(path))
    make_tiny(motion=True).motion_adapter.save_pretrained(tmp_path / "motion")
    (tmp_path / "again.png").symlink_to(inputs / "person.png")
    options = RetargetOptions(
        model=str(inputs / "model"),
        device="cpu",
        also=(tmp_path / "again.png", inputs / "person.png"),
        motion_module=tmp_path / "motion",
    )
    plan = make_plan(inputs / "person.png", inputs / "dance.npz", tmp_path / "out.mp4", options)
    assert read == []
    found = hash_inputs(plan, options)
    assert sorted(read) == ["dance.npz", "model", "motion", "person.png"]
    assert set(found) == {"reference", "driving", "model", "also 1", "also 2", "motion_module"}
    assert found["also 1"] == found["also 2"] == found["reference"] == sha256_of(inputs / "person.png")
    assert found["motion_module"] == sha256_of(tmp_path / "motion")


def test_what_takes_long_to_hash_is_shown(inputs, monkeypatch, capsys):
    expected = sha256_of(inputs / "model")
    assert Hashes().of(inputs / "model") == expected
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(hashes_of, "LARGE_BYTES", 100)
    assert Hashes().of(inputs / "model") == expected
    assert "Hashing model: " in capsys.readouterr().err
