"""LPIPS with deterministic weights against the published code's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from magicpose_cli.errors import MissingDependencyError, ModelError
from magicpose_cli.evaluation import perceptual
from magicpose_cli.media.pictures import load_picture

from .golden import GOLDEN, golden, no_download

SETS = ("noise", "shift", "identical", "full256")


def frames(name: str) -> list[list[np.ndarray]]:
    golden()
    folders = [GOLDEN / "images" / name / side for side in ("gen", "gt")]
    return [[load_picture(folder / path.name) for folder in folders] for path in sorted(folders[0].iterdir())]


@pytest.fixture(scope="module")
def network(vgg16_weights: Path) -> nn.Module:
    with pytest.MonkeyPatch.context() as patch:
        no_download(patch)
        drawn = torch.get_rng_state()
        loaded = perceptual.load_lpips(vgg16_weights)
        assert torch.equal(torch.get_rng_state(), drawn), "the global random numbers are somebody else's"
        return loaded


@pytest.mark.parametrize("name", SETS)
def test_golden(network: nn.Module, name: str) -> None:
    expected = golden()["lpips_detweights_vgg"][name]
    for metric, key in ((perceptual.lpips_disco, "disco_0_1"), (perceptual.lpips, "corrected_-1_1")):
        found = float(np.mean([metric(network, ours, theirs) for ours, theirs in frames(name)]))
        assert found == pytest.approx(expected[key], rel=1e-4, abs=1e-12)


def test_equal_frames_are_best_and_order_is_nothing(network: nn.Module) -> None:
    a, b = np.random.default_rng(0).integers(0, 256, (2, 32, 40, 3), dtype=np.uint8)
    for metric in (perceptual.lpips, perceptual.lpips_disco):
        assert metric(network, a, a) == 0
        assert (
            metric(network, a, b) == pytest.approx(metric(network, b, a), rel=1e-5)
            and metric(network, a, b) > 0
        )


def test_another_file_is_told(tmp_path: Path, vgg16_weights: Path) -> None:
    tensors = torch.load(vgg16_weights, weights_only=True)
    del tensors["features.28.bias"]
    torch.save(tensors, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"1 missing \(slice5.28.bias\)"):
        perceptual.load_lpips(tmp_path / "a.pth")
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "b.pth")
    with pytest.raises(ModelError, match="none of them"):
        perceptual.load_lpips(tmp_path / "b.pth")
    with pytest.raises(ModelError, match="nothing there"):
        perceptual.load_lpips(tmp_path / "c.pth")


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, vgg16_weights: Path) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(MissingDependencyError, match=r"eval extra: pip install -e '\.\[eval\]'"):
        perceptual.load_lpips(vgg16_weights)
