"""FID's features with deterministic weights against pytorch-fid's own run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from magicpose_cli.errors import MissingDependencyError, ModelError
from magicpose_cli.evaluation.distributions import frechet_distance
from magicpose_cli.evaluation.inception import (
    clean_inception,
    clean_inception_features,
    for_clean_fid,
    inception_features,
    load_inception,
)
from magicpose_cli.media.pictures import load_picture

from .golden import GOLDEN, arrays, golden, no_download


@pytest.fixture(scope="module")
def network(inception_weights: Path) -> nn.Module:
    from pytorch_fid import inception

    with pytest.MonkeyPatch.context() as patch:
        no_download(patch)
        fetch, drawn = inception.load_state_dict_from_url, torch.get_rng_state()
        loaded = load_inception(inception_weights)
        assert inception.load_state_dict_from_url is fetch
        assert torch.equal(torch.get_rng_state(), drawn), "the global random numbers are somebody else's"
        return loaded


def frames(side: str) -> list[np.ndarray]:
    golden()
    folders = [GOLDEN / "images" / name / side for name in ("noise", "full256")]
    return [load_picture(path) for folder in folders for path in sorted(folder.iterdir())]


def test_golden(network: nn.Module) -> None:
    ours, theirs = (inception_features(network, frames(side)) for side in ("gen", "gt"))
    for found, side in ((ours, "gen"), (theirs, "gt")):
        expected = arrays()[f"pytorch_fid_inception_feat_{side}"]
        assert found.shape == expected.shape == (7, 2048) and found.dtype == np.float32
        assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
    assert frechet_distance(ours, theirs) == pytest.approx(
        golden()["pytorch_fid_detweights_closed_form"], rel=1e-4
    )


def test_batches_and_order_change_nothing(network: nn.Module) -> None:
    draw = np.random.default_rng(0)
    sizes = [(40, 30), (40, 30), (30, 40), (40, 30)]
    pictures = [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    found = inception_features(network, pictures)
    order = [2, 0, 3, 1]
    again = inception_features(network, [pictures[i] for i in order], batch_size=1)
    assert np.abs(again - found[order]).max() < 1e-4 * np.abs(found).max()
    assert frechet_distance(found, found[order]) == pytest.approx(0, abs=1e-9)
    assert inception_features(network, []).shape == (0, 2048)


def test_clean_preprocessing_is_pils_on_floats() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    found = for_clean_fid(frame) * 128 + 128
    assert found.shape == (299, 299, 3) and found.dtype == np.float32
    for channel in range(3):
        picture = (
            Image.fromarray(frame[..., channel]).convert("F").resize((299, 299), Image.Resampling.BICUBIC)
        )
        assert np.abs(found[..., channel] - np.asarray(picture)).max() < 1e-4
    assert found.min() < 0 and found.max() > 255, "neither rounded nor clipped"
    expected = arrays()["clean_resize_299_rows0_2"]
    # its README names gen/0001.png; the numbers are this picture's
    picture = load_picture(GOLDEN / "images" / "noise" / "gt" / "0000.png")
    assert np.abs(for_clean_fid(picture)[:2] * 128 + 128 - expected).max() < 1e-4


def test_clean_features_are_the_networks_without_its_own_resize(network: nn.Module) -> None:
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, 40, 30, 3), dtype=np.uint8))
    clean = clean_inception(network)
    found = clean_inception_features(clean, pictures)
    assert found.shape == (3, 2048)
    prepared = torch.from_numpy(np.stack([for_clean_fid(picture) for picture in pictures]))
    with torch.no_grad():
        # the network's own normalisation, x -> 2 x - 1, undone
        expected = network((prepared.permute(0, 3, 1, 2) + 1) / 2)[0].flatten(1).numpy()
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    assert np.abs(clean_inception_features(clean, pictures, batch_size=1) - found).max() < 1e-4 * found.max()
    other = inception_features(network, pictures)
    assert np.abs(found - other).max() > 1e-2 * np.abs(other).max(), "another preprocessing, another value"


def test_another_file_is_told(tmp_path: Path, inception_weights: Path) -> None:
    tensors = torch.load(inception_weights, weights_only=True)
    del tensors["fc.bias"]
    torch.save(tensors, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"tensors of pytorch-fid's Inception.*fc\.bias"):
        load_inception(tmp_path / "a.pth")


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, inception_weights: Path) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_fid", None)
    with pytest.raises(MissingDependencyError, match=r"eval extra: pip install -e '\.\[eval\]'"):
        load_inception(inception_weights)
