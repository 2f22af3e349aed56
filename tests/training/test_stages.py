"""What the losses look at: weights by place, pose maps without faces, and each stage's rates."""

from __future__ import annotations

import pytest
import torch

from magicpose_cli.recipe import Recipe
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.losses import place_weight
from magicpose_cli.training.stages import TrainPose, TrainVae, without_face

from ..tiny import TINY, make_tiny


def _map() -> torch.Tensor:
    """A limb in its darker colour, a hand point, a face point, ``(1 3 64 64)``."""
    drawn = torch.zeros(1, 3, 64, 64)
    drawn[0, 0, 60:62, 0:4] = 0.6
    drawn[0, 2, 40:42, 40:42] = 1
    drawn[0, :, 10:12, 10:12] = 1
    return drawn


def test_faces_count_most_then_hands_then_the_rest():
    weight = place_weight(_map(), hand=1.0, face=4.0)[0, 0]
    assert float(weight.mean()) == pytest.approx(1, abs=1e-5)
    ground = weight[63, 30]
    assert weight[61, 1] == ground
    torch.testing.assert_close(weight[41, 41] / ground, torch.tensor(2.0))
    torch.testing.assert_close(weight[11, 11] / ground, torch.tensor(6.0))


def test_without_weights_every_place_counts_the_same():
    assert (place_weight(_map()[..., :30, :50], hand=0.0, face=0.0) == 1).all()


def test_a_face_is_masked_and_nothing_else():
    left = without_face(_map())
    assert not left[0, :, 10:12, 10:12].any()
    assert torch.equal(left[0, :, 30:], _map()[0, :, 30:])


def test_the_recipe_says_how_many_faces_are_masked(clips):
    pipeline = make_tiny()
    read = load_clips(clips, "train", 32, 32)  # its strokes are white
    for share, masked in ((0.0, 0.0), (0.999, 1.0)):
        settings = Recipe.model_validate({**TINY, "pose": {**TINY["pose"], "mask_face": share}}).pose
        maps = TrainPose(settings, pipeline, read, read).batch(0, 0)["pose_maps"]
        empty = (maps.flatten(1).amax(1) == 0).float().mean()
        assert float(empty) == masked


def test_outer_layers_have_their_own_rate(clips):
    pipeline = make_tiny()
    settings = Recipe.model_validate({**TINY, "vae": {**TINY["vae"], "outer_rate": 0.1}}).vae
    read = load_clips(clips, "train", 32, 32)
    inner, outer = TrainVae(settings, pipeline, read, read).rates()
    assert outer["lr"] == pytest.approx(0.1 * inner["lr"])
    assert any(p is pipeline.vae.decoder.conv_out.weight for p in outer["params"])
    assert len(inner["params"]) + len(outer["params"]) == len(list(pipeline.vae.parameters()))
