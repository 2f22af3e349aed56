"""Properties of one noise prediction; its numbers are held against the reference's in test_reference.py."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from magicpose_cli.diffusion.bank import BankLink, join_references
from magicpose_cli.diffusion.network import position_channels

from ..tiny import make_tiny

SHAPE = {
    "sample_size": 16,
    "block_out_channels": (32, 64, 64, 64),
    "attention_head_dim": 8,
    "cross_attention_dim": 64,
}


@torch.no_grad()
def test_silent_motion_module_changes_nothing():
    plain, moving = make_tiny(), make_tiny(motion=True)
    for name in ("unet", "appearance_unet", "pose_controlnet"):
        getattr(moving, name).load_state_dict(getattr(plain, name).state_dict())
    for name, parameter in moving.motion_adapter.named_parameters():
        if "proj_out" in name:
            parameter.zero_()
    latents, maps = torch.randn(5, 4, 8, 8), torch.rand(5, 3, 32, 32)
    reference = torch.randn(1, 4, 8, 8)
    expected = plain.predict_noise(latents, 400, reference, maps)
    torch.testing.assert_close(moving.predict_noise(latents, 400, reference, maps), expected)


@torch.no_grad()
def test_motion_module_lets_frames_see_each_other_and_the_plain_model_does_not(tiny, tiny_motion):
    latents, reference = torch.randn(4, 4, 8, 8), torch.randn(1, 4, 8, 8)
    other = latents.clone()
    other[3] += 1
    for pipeline, interacts in ((tiny, False), (tiny_motion, True)):
        change = pipeline.predict_noise(latents, 300, reference, None) - pipeline.predict_noise(
            other, 300, reference, None
        )
        assert (change[0].abs().max() > 1e-6) == interacts


@torch.no_grad()
def test_motion_norm_takes_each_frame_by_itself(tiny_motion):
    norms = [
        module
        for name, module in tiny_motion.network.unet.named_modules()
        if "motion_modules" in name and isinstance(module, torch.nn.GroupNorm)
    ]
    assert norms
    clip = torch.randn(2, norms[0].num_channels, 3, 4, 4) * torch.tensor([1.0, 10, 100])[:, None, None]
    whole = norms[0](clip)
    for frame in range(3):
        alone = norms[0](clip[:, :, frame : frame + 1])
        torch.testing.assert_close(whole[:, :, frame : frame + 1], alone)


@torch.no_grad()
def test_guidance_is_between_its_branches(tiny):
    latents, reference, maps = torch.randn(2, 4, 8, 8), torch.randn(1, 4, 8, 8), torch.rand(2, 3, 32, 32)

    def at(scale):
        return tiny.predict_noise(latents, 700, reference, maps, guidance_scale=scale)

    torch.testing.assert_close(at(3.0), at(0.0) + 3 * (at(1.0) - at(0.0)), atol=1e-5, rtol=1e-4)
    # the unconditional branch knows neither reference nor pose
    other = tiny.predict_noise(latents, 700, -reference, 1 - maps, guidance_scale=0.0)
    torch.testing.assert_close(at(0.0), other)


@torch.no_grad()
def test_a_second_picture_of_the_person_counts(tiny):
    latents, two = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    one = tiny.predict_noise(latents, 500, two[:1], None, guidance_scale=1.0)
    both = tiny.predict_noise(latents, 500, two, None, guidance_scale=1.0)
    twice = tiny.predict_noise(latents, 500, two[[0, 0]], None, guidance_scale=1.0)
    assert (one - both).abs().max() > 1e-4
    assert torch.isfinite(twice).all()


@torch.no_grad()
def test_a_timestep_for_each_frame(tiny, tiny_motion):
    latents, reference = torch.randn(2, 4, 8, 8), torch.randn(1, 4, 8, 8)
    mixed = tiny.predict_noise(latents, torch.tensor([100, 900]), reference, None)
    torch.testing.assert_close(mixed[:1], tiny.predict_noise(latents[:1], 100, reference, None))
    torch.testing.assert_close(mixed[1:], tiny.predict_noise(latents[1:], 900, reference, None))
    with pytest.raises(ValueError, match="3 timesteps for 2 frames"):
        tiny.predict_noise(latents, torch.tensor([100, 100, 100]), reference, None)
    with pytest.raises(ValueError, match="share one timestep"):
        tiny_motion.predict_noise(latents, torch.tensor([100, 900]), reference, None)


@torch.no_grad()
def test_the_bank_is_attention_over_both_pictures_tokens(tiny):
    """Eq. 3 by explicit softmax, for one layer."""
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    attn = tiny.unet.get_submodule(name)
    own, reference = torch.randn(2, 6, 16), torch.randn(1, 5, 16)
    attn.processor.tokens = reference
    out = attn(own)
    tokens = torch.cat([own, reference.expand(2, -1, -1)], dim=1)

    def heads(x):
        return x.view(2, -1, attn.heads, 16 // attn.heads).transpose(1, 2)

    query, key, value = heads(attn.to_q(own)), heads(attn.to_k(tokens)), heads(attn.to_v(tokens))
    weights = (query @ key.transpose(-1, -2) / (16 // attn.heads) ** 0.5).softmax(-1)
    expected = attn.to_out[0]((weights @ value).transpose(1, 2).reshape(2, 6, 16))
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)


def test_removing_the_link_gives_stock_attention_back(tiny):
    link = tiny.network.link
    link.remove()
    kinds = {type(p).__name__ for p in tiny.unet.attn_processors.values()}
    assert kinds == {"AttnProcessor2_0"}
    with torch.no_grad():
        BankLink(tiny.appearance_unet, tiny.unet)
    assert any(type(p).__name__ == "ReadBank" for p in tiny.unet.attn_processors.values())


def test_networks_of_different_layers_do_not_join(tiny):
    odd = UNet2DConditionModel(**{**SHAPE, "block_out_channels": (32, 32)}, down_block_types=("DownBlock2D",) * 2,
                               up_block_types=("UpBlock2D",) * 2)  # fmt: skip
    with pytest.raises(ValueError, match="differ in their self-attention"):
        BankLink(tiny.appearance_unet, odd)


def test_position_channels_tell_places_apart():
    waves = position_channels(8, 16, 16).flatten(1).T
    assert waves.abs().max() <= 1
    assert torch.cdist(waves, waves).fill_diagonal_(9).min() > 0.05
    with pytest.raises(ValueError, match="fours"):
        position_channels(6, 4, 4)
    assert position_channels(
        8, 4, 4, "meta"
    ).is_meta  # made where they are used, so that no device waits for a copy


def test_join_references_lays_tokens_side_by_side():
    bank = join_references({"a": torch.arange(12.0).view(2, 3, 2)})
    assert bank["a"].shape == (1, 6, 2)
    assert bank["a"].flatten().tolist() == list(range(12))
