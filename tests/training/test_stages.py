"""What the losses look at: weights by place, pose maps without faces, and each stage's rates."""

from __future__ import annotations

import pytest
import torch

from magicpose_cli.recipe import Recipe
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.losses import NoiseLoss, place_weight
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


def test_an_error_at_a_face_costs_more_where_the_recipe_says_so():
    pipeline = make_tiny()
    parts = (pipeline.network, pipeline.scheduler, pipeline.prompt_embeds)
    draw = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(1, 1, 4, 16, 16, generator=draw) for _ in range(2))
    batch = {
        "latents": latents,
        "noise": noise,
        "timestep": torch.tensor([500]),
        "reference": latents[0],
        "pose_maps": _map()[None],
        "conditional": 1,
    }
    errors = {}
    with torch.no_grad():
        for face in (0.0, 4.0):
            errors[face] = float(NoiseLoss(*parts, 0.0, face)(**batch))
        bank = pipeline.network.read_reference(latents[0], batch["timestep"], parts[2])
        noisy = pipeline.scheduler.add_noise(latents[0], noise[0], batch["timestep"])
        made = pipeline.network(noisy[None], batch["timestep"], parts[2], bank, _map()[None])
    wanted = pipeline.scheduler.get_velocity(latents[0], noise[0], batch["timestep"])
    error = (made[0] - wanted).square()
    weight = place_weight(_map(), 0.0, 4.0).unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2))
    assert errors[0.0] == pytest.approx(float(error.mean()), rel=1e-5)
    assert errors[4.0] == pytest.approx(float((error * weight).mean()), rel=1e-5)
    assert errors[4.0] != pytest.approx(errors[0.0], rel=1e-3)


def test_outer_layers_have_their_own_rate(clips):
    pipeline = make_tiny()
    settings = Recipe.model_validate({**TINY, "vae": {**TINY["vae"], "outer_rate": 0.1}}).vae
    read = load_clips(clips, "train", 32, 32)
    inner, outer = TrainVae(settings, pipeline, read, read).rates()
    assert outer["lr"] == pytest.approx(0.1 * inner["lr"])
    assert any(p is pipeline.vae.decoder.conv_out.weight for p in outer["params"])
    assert len(inner["params"]) + len(outer["params"]) == len(list(pipeline.vae.parameters()))
