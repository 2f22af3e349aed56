"""`score` with the metrics that need networks, on golden folders and with deterministic weights."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.evaluation import metric_weights, score
from magicpose_cli.evaluation.metrics import METRICS
from magicpose_cli.evaluation.networks import load_networks
from magicpose_cli.evaluation.protocol import compare
from magicpose_cli.evaluation.report import as_table, make_report
from magicpose_cli.media.files import sha256_of
from magicpose_cli.media.pictures import save_picture

from .golden import GOLDEN, golden, no_download


@pytest.fixture(autouse=True)
def any_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files by their names: deterministic weights have not the released ones' hashes."""
    known = tuple(replace(weights, sha256=None) for weights in metric_weights.METRIC_WEIGHTS)
    monkeypatch.setattr(metric_weights, "METRIC_WEIGHTS", known)
    no_download(monkeypatch)


def alone(path: Path, folder: Path) -> Path:
    """A folder in which only one of the weight files is."""
    folder.mkdir(exist_ok=True)
    (folder / path.name).symlink_to(path)
    return folder


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 20, 24, 3), dtype=np.uint8)


def test_golden_fid_vid_of_two_folders(resnet_weights: Path, tmp_path: Path) -> None:
    expected = golden()["clips"]["FVD-3DRN50"]
    ours, theirs = GOLDEN / "frames" / "gen", GOLDEN / "frames" / "gt"
    compared = compare(ours, theirs, "disco", alone(resnet_weights, tmp_path / "w"))
    assert compared.values["fid_vid"] == pytest.approx(expected["frechet_detweights_closed_form"], rel=1e-6)
    assert compared.samples == {"fid_vid": (6, 6)}, "no clip crosses from one video into the next"
    assert set(compared.not_computed) == {"lpips_disco", "fid", "face_cos"}
    report = json.loads(json.dumps(make_report(compared, ours, theirs, "disco")))
    path = tmp_path / "w" / resnet_weights.name
    assert report["weights"] == {path.name: {"path": str(path), "sha256": sha256_of(path)}}
    assert report["samples"] == {"fid_vid": [6, 6]} and report["versions"]["monai"]
    assert "fid_vid" in as_table(compared)


def test_golden_lpips_and_fid(vgg16_weights: Path, inception_weights: Path, tmp_path: Path) -> None:
    expected = golden()["lpips_detweights_vgg"]["noise"]
    folder = alone(inception_weights, alone(vgg16_weights, tmp_path / "w"))
    found = score(GOLDEN / "images" / "noise" / "gen", GOLDEN / "images" / "noise" / "gt", weights_dir=folder)
    assert found["lpips_disco"] == pytest.approx(expected["disco_0_1"], rel=1e-4)
    assert found["lpips"] == pytest.approx(expected["corrected_-1_1"], rel=1e-4)
    assert found["fid"] > 0
    keys = [metric.key for metric in METRICS if metric.key in found]
    assert [key for key in found if key not in ("frames", "not_computed")] == keys


def test_networks_are_where_they_are_asked_to_be(
    vgg16_weights: Path, resnet_weights: Path, tmp_path: Path
) -> None:
    folder = alone(resnet_weights, alone(vgg16_weights, tmp_path / "w"))
    found = load_networks(["lpips", "fid_vid"], folder, device="meta")
    networks = found.of_frames["lpips"].args[0], found.of_videos["fid_vid"].args[0].network
    assert {p.device.type for network in networks for p in network.parameters()} == {"meta"}


def test_equal_videos_are_best(vgg16_weights: Path, resnet_weights: Path, tmp_path: Path) -> None:
    folder = alone(resnet_weights, alone(vgg16_weights, tmp_path / "w"))
    found = score(noise(17), noise(17), weights_dir=folder)
    assert found["lpips"] == found["lpips_disco"] == 0
    assert found["fid_vid"] == pytest.approx(0, abs=1e-6)


def test_too_few_clips_and_odd_names_are_told(resnet_weights: Path, tmp_path: Path) -> None:
    folder = alone(resnet_weights, tmp_path / "w")
    found = score(noise(16), noise(16, 1), weights_dir=folder)
    assert "fid_vid" not in found
    assert found["not_computed"]["fid_vid"] == (
        "it needs 2 clips of 16 consecutive frames on each side, there are 1 and 1."
    )
    (tmp_path / "odd").mkdir()
    save_picture(tmp_path / "odd" / "cover.png", noise(1)[0])
    found = score(tmp_path / "odd", tmp_path / "odd", weights_dir=folder)
    assert "found cover.png" in found["not_computed"]["fid_vid"]


def test_an_absent_package_is_a_reason(
    i3d_weights: Path, resnet_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets.resnet", None)
    found = score(noise(2), noise(2), weights_dir=alone(i3d_weights, alone(resnet_weights, tmp_path / "w")))
    assert "Install the eval extra" in found["not_computed"]["fid_vid"]
    assert "there are 0 and 0" in found["not_computed"]["fvd"]
