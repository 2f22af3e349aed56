"""A model made from nothing: what it sees of the reference before it has learnt anything."""

from __future__ import annotations

import pytest
import torch

from magicpose_cli.diffusion import fresh
from magicpose_cli.recipe import Recipe

from ..tiny import TINY

SHAPE = TINY["unet"] | {"block_out_channels": [32, 64], "attention_head_dim": 16, "norm_num_groups": 8}
SIDE = 16


def _model(position_channels: int):
    recipe = TINY | {"unet": SHAPE | {"position_channels": position_channels}}
    recipe |= {"sampling": {"width_px": 4 * SIDE, "height_px": 4 * SIDE}}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return fresh.new_model(Recipe.model_validate(recipe))


@torch.no_grad()
def _share_of_a_change(pipeline) -> float:
    """What part of a prediction's change lies in the quarter in which the reference was changed."""
    draw = torch.Generator().manual_seed(1)
    latents, reference, other = torch.randn(3, 1, 4, SIDE, SIDE, generator=draw)
    changed = reference.clone()
    changed[..., : SIDE // 2, : SIDE // 2] = other[..., : SIDE // 2, : SIDE // 2]
    before, after = (
        pipeline.predict_noise(latents, 900, given, None, guidance_scale=1) for given in (reference, changed)
    )
    change = (after - before).square()
    return float(change[..., : SIDE // 2, : SIDE // 2].sum() / change.sum())


def test_a_net_that_is_told_places_sees_the_reference_where_it_is(monkeypatch):
    woken = _share_of_a_change(_model(16))
    monkeypatch.setattr(fresh, "wake_attention", lambda unet: None)
    asleep = _share_of_a_change(_model(16))
    assert woken > 0.4
    assert asleep < 0.3  # a quarter is what chance gives


def test_all_three_networks_start_alike_and_a_seed_gives_the_same():
    first, again = _model(16), _model(16)
    for name, weight in first.unet.state_dict().items():
        assert torch.equal(weight, first.appearance_unet.state_dict()[name])
        assert torch.equal(weight, again.unet.state_dict()[name])
    controlnet = first.pose_controlnet.state_dict()
    shared = [name for name in first.unet.state_dict() if "attn1" in name and name in controlnet]
    assert shared
    assert all(torch.equal(first.unet.state_dict()[name], controlnet[name]) for name in shared)


@pytest.mark.parametrize("channels", [0, 4])
def test_any_number_of_position_channels_will_do(channels):
    pipeline = _model(channels)
    assert all(torch.isfinite(weight).all() for weight in pipeline.unet.parameters())
    assert 0 < _share_of_a_change(pipeline) < 1
