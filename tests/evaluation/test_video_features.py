"""FID-VID's and FVD's networks with deterministic weights against the published code's features."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.errors import MissingDependencyError, ModelError
from magicpose_cli.evaluation.clips import frames_by_video
from magicpose_cli.evaluation.distributions import frechet_distance
from magicpose_cli.evaluation.video_features import VideoNetwork, load_i3d, load_resnet, video_features
from magicpose_cli.media.pictures import load_picture

from .golden import GOLDEN, arrays, golden

Frames = list[tuple[int, Path]]


def read(frames: Frames) -> Iterator[tuple[int, np.ndarray]]:
    return ((number, load_picture(path)) for number, path in frames)


def videos(side: str) -> list[Frames]:
    golden()
    return list(frames_by_video((GOLDEN / "frames" / side).iterdir()).values())


@pytest.fixture(scope="module")
def resnet(resnet_weights: Path) -> VideoNetwork:
    return load_resnet(resnet_weights)


@pytest.fixture(scope="module")
def i3d(i3d_weights: Path) -> VideoNetwork:
    return load_i3d(i3d_weights)


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    assert found.shape == expected.shape and found.dtype == np.float32
    return bool(np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected))


@pytest.mark.parametrize(
    ("name", "mode"),
    [("resnet", "FVD-3DRN50"), pytest.param("i3d", "FVD-3DInception", marks=pytest.mark.slow)],
)
def test_golden_features_and_distances(request: pytest.FixtureRequest, name: str, mode: str) -> None:
    network: VideoNetwork = request.getfixturevalue(name)
    found = {side: video_features(network, map(read, videos(side))) for side in ("gen", "gt")}
    for side, features in found.items():
        assert close(features, arrays()[f"{mode}_feat_{side}"])
    distance, expected = frechet_distance(found["gen"], found["gt"]), golden()["clips"][mode]
    assert distance == pytest.approx(expected["frechet_detweights_closed_form"], rel=1e-6)
    # six clips in 2048 dimensions: the published root is off by this much
    assert distance == pytest.approx(expected["frechet_detweights_disco"], rel=1e-5)


def test_golden_fvd_of_one_clip(i3d: VideoNetwork) -> None:
    first = videos("gt")[0][:16]
    assert close(video_features(i3d, [read(first)]), arrays()["FVD-3DInception_feat_gt"][:1])


def test_golden_count_of_tensors(i3d: VideoNetwork) -> None:
    assert len(i3d.network.state_dict()) == golden()["n_state_keys"]["i3d"]


def test_batches_and_order_change_nothing(resnet: VideoNetwork) -> None:
    draw = np.random.default_rng(0)
    made = [list(enumerate(draw.integers(0, 256, (18, 24, 20, 3), dtype=np.uint8))) for _ in range(2)]
    features = partial(video_features, resnet)
    found = features(made)
    assert close(features(made, batch_size=1), found)
    again = features(made[::-1], batch_size=5)
    assert close(again[[3, 4, 5, 0, 1, 2]], found)
    assert frechet_distance(again, found) == pytest.approx(0, abs=1e-6 * float(np.sum(found.var(axis=0))))
    assert features([made[0][:15]]).shape == (0, 2048), "fifteen frames are no clip"


def test_other_files_are_told(tmp_path: Path, resnet_weights: Path, i3d_weights: Path) -> None:
    tensors = torch.load(i3d_weights, weights_only=True)
    del tensors["Mixed_4b.b1a.bn.weight"]
    torch.save(tensors, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"1 missing \(Mixed_4b.b1a.bn.weight\)"):
        load_i3d(tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"344 tensors of I3D.* 287 missing .* 320 unknown"):
        load_i3d(resnet_weights)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, resnet_weights: Path) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets.resnet", None)
    with pytest.raises(MissingDependencyError, match=r"eval extra: pip install -e '\.\[eval\]'"):
        load_resnet(resnet_weights)
