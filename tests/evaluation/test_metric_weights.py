"""Weight files: where they are looked for, and what is said where they are not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from magicpose_cli.errors import ModelError
from magicpose_cli.evaluation import metric_weights
from magicpose_cli.evaluation.metric_weights import (
    METRIC_WEIGHTS,
    fill,
    find_weights,
    read_weights,
    weights_of,
)
from magicpose_cli.evaluation.metrics import METRICS


@pytest.fixture
def torch_home(no_torch_home: Path) -> Path:
    folder = no_torch_home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_each_file_serves_metrics_that_there_are() -> None:
    keys = [key for weights in METRIC_WEIGHTS for key in weights.metrics]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= {metric.key for metric in METRICS}
    with pytest.raises(KeyError):
        weights_of("l1")


@pytest.mark.parametrize("key", [key for weights in METRIC_WEIGHTS for key in weights.metrics])
def test_an_absent_file_is_a_reason(key: str, tmp_path: Path, torch_home: Path) -> None:
    path, reason = find_weights(key, tmp_path)
    assert path is None
    for part in (weights_of(key).name, weights_of(key).source, str(tmp_path), str(torch_home)):
        assert part in reason


def test_a_place_at_home_is_shown_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    inside = find_weights("fvd", tmp_path / "weights")[1]
    assert "is not in ~/weights nor in" in inside
    monkeypatch.setenv("HOME", "/")
    assert str(tmp_path / "weights") in find_weights("fvd", tmp_path / "weights")[1]


def test_the_given_folder_comes_before_torchs(tmp_path: Path, torch_home: Path) -> None:
    name = weights_of("fvd").name
    (torch_home / name).write_bytes(b"torch's")
    assert find_weights("fvd", tmp_path) == (torch_home / name, "")
    (tmp_path / name).write_bytes(b"given")
    assert find_weights("fvd", tmp_path) == (tmp_path / name, "")
    assert find_weights("fvd") == (torch_home / name, "")


def test_another_file_of_that_name_is_not_taken(
    tmp_path: Path, torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vgg16 = weights_of("lpips")
    (tmp_path / vgg16.name).write_bytes(b"weights")
    path, reason = find_weights("lpips", tmp_path)
    assert path is None and "its SHA-256 differs" in reason
    known = replace(vgg16, sha256=hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setattr(metric_weights, "METRIC_WEIGHTS", (known,))
    assert find_weights("lpips", tmp_path) == (tmp_path / vgg16.name, "")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / vgg16.name).write_bytes(b"half")
    (torch_home / vgg16.name).write_bytes(b"weights")
    found = find_weights("lpips", tmp_path / "damaged")
    assert found == (torch_home / vgg16.name, ""), "a damaged file hides no good one"


def test_a_network_takes_its_own_weights_and_no_others(tmp_path: Path) -> None:
    network, path = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), tmp_path / "a.pth"
    state = {name: torch.full_like(value, 2) for name, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
    tensors = read_weights(path, "module.")
    old = {name: value for name, value in tensors.items() if "num_batches" not in name}
    for given in (tensors, old):
        fill(network, given, path)
        assert (network[0].weight == 2).all()
    with pytest.raises(ModelError, match=r"1 missing \(0.bias\), 1 unknown \(fc.bias\), 1 of another shape"):
        wrong = {**tensors, "fc.bias": torch.zeros(1), "0.weight": torch.zeros(1)}
        del wrong["0.bias"]
        fill(network, wrong, path)
