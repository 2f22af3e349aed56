"""What the losses look at: weights by place, pose maps without faces, and each stage's rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from magicpose_cli.recipe import Recipe
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.distill_stage import TrainDistill
from magicpose_cli.training.losses import NoiseLoss, place_weight
from magicpose_cli.training.stage import Share
from magicpose_cli.training.stages import TrainAppearance, TrainBase, TrainMotion, TrainPose
from magicpose_cli.training.vae_stage import TrainVae

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


def test_the_recipe_says_how_many_faces_are_masked(clips):
    pipeline = make_tiny()
    read = load_clips(clips, "train", 32, 32, cell_px=4)  # its strokes are white
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
        "pose_maps": (_map()[None] * 255).byte(),
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
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    inner, outer = TrainVae(settings, pipeline, read, read).rates()
    assert outer["lr"] == pytest.approx(0.1 * inner["lr"])
    assert any(p is pipeline.vae.decoder.conv_out.weight for p in outer["params"])
    assert len(inner["params"]) + len(outer["params"]) == len(list(pipeline.vae.parameters()))


STAGES = {
    # stage: its class, what trains
    "base": (TrainBase, {"unet"}),
    "appearance": (TrainAppearance, {"appearance_unet"}),
    "pose": (TrainPose, {"appearance_unet", "pose_controlnet"}),
    "motion": (TrainMotion, {"motion_adapter"}),
    "distill": (TrainDistill, {"unet", "motion_adapter"}),
}


def _stage(name, clips, **changes):
    frozen = {"train_unet": False} if name in ("appearance", "pose") else {}
    recipe = Recipe.model_validate({**TINY, name: {**TINY[name], **frozen, **changes}})
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    return STAGES[name][0](getattr(recipe, name), make_tiny(motion=True), read, read)


@pytest.mark.parametrize("name", STAGES)
def test_each_stage_trains_what_the_paper_trains(clips, name):
    stage = _stage(name, clips)
    trained = {id(p) for p in stage.trained()}
    parts = ("vae", "unet", "appearance_unet", "pose_controlnet", "motion_adapter")
    owners = {part for part in parts for p in getattr(stage.pipeline, part).parameters() if id(p) in trained}
    assert owners == STAGES[name][1]
    stage.module(**stage.batch(0, 0)).backward()
    assert all(p.grad is not None for p in stage.trained())


@pytest.mark.parametrize("name", ["appearance", "pose"])
def test_the_unet_trains_too_where_the_recipe_says_so(clips, name):
    stage = _stage(name, clips, train_unet=True)
    trained = {id(p) for p in stage.trained()}
    assert {id(p) for p in stage.pipeline.unet.parameters()} <= trained


@pytest.mark.parametrize("name", STAGES)
@torch.no_grad()
def test_shares_of_a_batch_are_the_whole(clips, name):
    changes = {"drop_conditions": 0.5, "train_unet": True} if name in ("appearance", "pose") else {}
    changes |= {"hand_weight": 1.0, "face_weight": 2.0, "mask_face": 0.5} if name == "pose" else {}
    stage = _stage(name, clips, batch_size=4, **changes)
    for step in range(3):
        whole = stage.batch(7, step)
        parts = [stage.batch(7, step, Share(index, 4)) for index in range(4)]
        for key in ("latents", "noise", "timestep", "reference"):
            assert torch.equal(torch.cat([part[key] for part in parts]), whole[key])
        if name != "distill":
            assert sum(part["conditional"] for part in parts) == whole["conditional"]
        losses = torch.stack([stage.module(**part) for part in parts])
        torch.testing.assert_close(losses.mean(), stage.module(**whole))


def test_the_vaes_shares_are_the_whole(clips):
    settings = Recipe.model_validate({**TINY, "vae": {**TINY["vae"], "batch_size": 4}}).vae
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    stage = TrainVae(settings, make_tiny(), read, read)
    whole, parts = stage.batch(0, 1), [stage.batch(0, 1, Share(index, 2)) for index in range(2)]
    assert torch.equal(torch.cat([part["pixels"] for part in parts]), whole["pixels"])


def test_after_the_base_stage_the_other_networks_start_from_the_unet(clips):
    stage = _stage("base", clips)
    with torch.no_grad():
        for parameter in stage.pipeline.unet.parameters():
            parameter.add_(0.1)
    stage.finish()
    unet = stage.pipeline.unet.state_dict()
    for name, tensor in stage.pipeline.appearance_unet.state_dict().items():
        assert torch.equal(tensor, unet[name])
    pose = stage.pipeline.pose_controlnet.state_dict()
    assert torch.equal(pose["mid_block.resnets.0.conv1.weight"], unet["mid_block.resnets.0.conv1.weight"])
    assert "controlnet_mid_block.weight" in pose


def test_the_motion_stage_shows_neighbouring_frames(clips):
    grid = _stage("motion", clips).samples()
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    assert grid.shape == (
        2 * 3 * 32,
        (1 + 6) * 32,
        3,
    )  # two clips, all of their six frames after the reference
    for clip, top in ((0, 0), (1, 96)):
        numbers = np.arange(6 * clip, 6 * clip + 6)
        maps, made, truth = (grid[top + 32 * row : top + 32 * (row + 1)] for row in range(3))
        for row, pictures in ((maps, read.pose_maps(numbers)), (truth, read.pictures(numbers))):
            assert np.array_equal(row[:, 32:], np.concatenate(list(pictures), axis=1))
            assert np.array_equal(row[:, :32], read.pictures(numbers)[0])
        assert not np.array_equal(made[:, 32:64], made[:, 64:96])


@pytest.mark.parametrize("name", STAGES)
def test_checkpointing_changes_memory_and_no_gradient(clips, name):
    grads = []
    for saves in (False, True):
        stage = _stage(name, clips, gradient_checkpointing=saves)
        assert stage.pipeline.network.unet.is_gradient_checkpointing == saves
        stage.module(**stage.batch(0, 0)).backward()
        grads.append([p.grad for p in stage.trained()])
    for plain, saved in zip(*grads, strict=True):
        torch.testing.assert_close(saved, plain, atol=1e-6, rtol=1e-4)
