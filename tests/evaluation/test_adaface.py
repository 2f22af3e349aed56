"""Faces: their crops, and AdaFace's network with deterministic weights against the published code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from magicpose_cli.errors import ModelError
from magicpose_cli.evaluation.adaface import AdaFace, embed_faces, load_adaface
from magicpose_cli.evaluation.face_crop import TEMPLATE_PX, crop_face
from magicpose_cli.media.pictures import load_picture

from .golden import GOLDEN, arrays, deterministic, golden

FACES = ("frontal", "rotated")


def crops() -> list[np.ndarray]:
    return [arrays()[f"adaface_crop_{name}"] for name in FACES]


@pytest.fixture(scope="module", params=["ir_50", "ir_101"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, AdaFace]:
    path = tmp_path_factory.mktemp("weights") / f"adaface_{request.param}.ckpt"
    tensors = deterministic(AdaFace(request.param).state_dict())
    state = {f"model.{name}": value for name, value in tensors.items()}
    torch.save({"state_dict": state | {"head.kernel": torch.zeros(2)}}, path)
    loaded = load_adaface(path, request.param)
    path.unlink()
    return request.param, loaded


def test_golden_crops() -> None:
    expected = golden()["adaface_detweights"]
    assert np.abs(TEMPLATE_PX - expected["reference_points_112"]).max() < 1e-8
    frame = load_picture(GOLDEN / "images" / "face" / "input_180x200.png")
    for name, crop in zip(FACES, crops(), strict=True):
        assert np.array_equal(crop_face(frame, np.array(expected[f"points_{name}"])), crop)


def test_a_face_that_lies_right_is_cut_out_as_it_is() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (160, 140, 3), dtype=np.uint8)
    assert np.array_equal(crop_face(frame, np.add(TEMPLATE_PX, (7, 20))), frame[20:132, 7:119])
    with pytest.raises(ValueError, match="one place"):
        crop_face(frame, np.full((5, 2), 30.0))
    with pytest.raises(ValueError, match=r"\(5 2\)"):
        crop_face(frame, TEMPLATE_PX[:4])


def test_golden_embeddings(network: tuple[str, AdaFace]) -> None:
    kind, loaded = network
    expected = golden()["adaface_detweights"]
    assert len(loaded.state_dict()) == golden()["n_state_keys"][f"adaface_{kind}"]
    found = embed_faces(loaded, crops())
    assert np.abs(found - arrays()[f"adaface_{kind}_emb"]).max() < 1e-4
    assert found[0] @ found[1] == pytest.approx(expected[f"{kind}_cos_frontal_rotated"], abs=1e-4)


def test_batches_change_nothing(network: tuple[str, AdaFace]) -> None:
    found = embed_faces(network[1], crops())
    for number, crop in enumerate(crops()):
        assert np.abs(embed_faces(network[1], [crop])[0] - found[number]).max() < 1e-4
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert embed_faces(network[1], []).shape == (0, 512)


def test_another_network_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {f"model.{name}": t for name, t in nn.Linear(1, 1).state_dict().items()}}, path)
    with pytest.raises(ModelError, match=r"tensors of AdaFace in .* missing .*, 2 unknown \(weight\)"):
        load_adaface(path)
