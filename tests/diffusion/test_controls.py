"""The knobs beside guidance: what each does at its ends, between them, and when it is out of range."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.nn import functional
from torch.testing import assert_close

from magicpose_cli.diffusion.bank import ReadBank
from magicpose_cli.diffusion.controls import Controls
from magicpose_cli.diffusion.facts import Swaps, read_facts
from magicpose_cli.diffusion.folder import load_model
from magicpose_cli.errors import ModelError, OptionError

from ..tiny import make_tiny

CPU = torch.device("cpu")


@pytest.fixture
def given():
    draw = torch.Generator().manual_seed(0)
    return {
        "latents": torch.randn(2, 4, 8, 8, generator=draw),
        "reference": torch.randn(1, 4, 8, 8, generator=draw),
        "maps": torch.rand(2, 3, 32, 32, generator=draw),
    }


def _predict(model, given, **options):
    return model.predict_noise(
        given["latents"], 500, given["reference"], given["maps"], guidance_scale=1.0, **options
    )


def test_an_appearance_scale_of_0_forgets_the_reference_and_1_is_the_papers(tiny, given):
    assert torch.equal(_predict(tiny, given, controls=Controls(appearance_scale=1)), _predict(tiny, given))
    none = _predict(tiny, given, controls=Controls(appearance_scale=0))
    assert_close(none, _predict(tiny, {**given, "reference": -given["reference"]}, controls=Controls(0.0)))
    half, full = (_predict(tiny, given, controls=Controls(appearance_scale=s)) for s in (0.5, 1))
    assert 0 < (half - none).abs().max() < (full - none).abs().max()


@torch.no_grad()
def test_the_appearance_scale_weighs_each_token_of_the_bank(tiny):
    """Against a softmax written out: weights of the bank's tokens times the scale, then normalised."""
    attn = tiny.unet.get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1")
    assert isinstance(attn.processor, ReadBank)
    own, bank, scale = torch.randn(1, 5, 16), torch.randn(1, 7, 16), 2.5
    attn.processor.tokens, attn.processor.scale = bank, scale
    both = torch.cat([own, bank], dim=1)

    def heads(x):
        return x.unflatten(2, (attn.heads, -1)).transpose(1, 2)

    query, key, value = heads(attn.to_q(own)), heads(attn.to_k(both)), heads(attn.to_v(both))
    weights = (query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])).exp()
    weights[..., 5:] *= scale
    mixed = functional.normalize(weights, p=1, dim=-1) @ value
    assert_close(attn(own), attn.to_out[0](mixed.transpose(1, 2).flatten(2)), atol=1e-5, rtol=1e-4)


def test_a_pose_scale_of_0_is_no_pose(tiny, given):
    none = _predict(tiny, {**given, "maps": None})
    assert torch.equal(_predict(tiny, given, controls=Controls(pose_scale=0)), none)
    assert torch.equal(_predict(tiny, given, controls=Controls(pose_scale=1)), _predict(tiny, given))
    assert not torch.equal(_predict(tiny, given, controls=Controls(pose_scale=0.5)), _predict(tiny, given))


@pytest.mark.parametrize(
    ("start", "end", "acting"),
    [(0, 1, [1, 1, 1, 1]), (0.5, 1, [0, 0, 1, 1]), (0, 0.5, [1, 1, 0, 0]), (0.25, 0.75, [0, 1, 1, 0])],
)
def test_the_pose_acts_in_its_part_of_the_steps(tiny, given, start, end, acting):
    controls = Controls(pose_scale=0.7, pose_start=start, pose_end=end)
    assert [controls.pose_scale_at(step, 4) for step in range(4)] == [0.7 * on for on in acting]
    seen = []
    forward = tiny.pose_controlnet.forward
    tiny.pose_controlnet.forward = lambda *a, **k: seen.append(int(a[1][0])) or forward(*a, **k)
    tiny.denoise(given["latents"], given["reference"], given["maps"], None, 4, controls=controls)
    assert len(seen) == sum(acting)


@pytest.mark.parametrize(
    "wrong",
    [
        {"appearance_scale": -1},
        {"pose_scale": -0.1},
        {"pose_start": 0.6, "pose_end": 0.5},
        {"pose_end": 1.1},
        {"appearance_scale": math.inf},
        {"pose_scale": math.nan},
    ],
)
def test_impossible_controls_are_refused(wrong):
    with pytest.raises(OptionError):
        Controls(**wrong)


def test_a_noisy_reference_is_noised_at_the_timestep(tiny, given):
    noise = torch.randn(1, 4, 8, 8)
    noised = tiny.scheduler.add_noise(given["reference"], noise, torch.tensor([500]))
    by_hand = _predict(tiny, {**given, "reference": noised})
    assert_close(_predict(tiny, given, reference_noise=noise), by_hand)
    assert not torch.equal(by_hand, _predict(tiny, given))


def test_a_picture_given_twice_counts_twice(tiny, given):
    """Tokens side by side: the same picture again doubles its weight, as an appearance scale of 2 does."""
    twice = {**given, "reference": given["reference"].repeat(2, 1, 1, 1)}
    assert_close(
        _predict(tiny, twice),
        _predict(tiny, given, controls=Controls(appearance_scale=2)),
        atol=1e-5,
        rtol=1e-4,
    )


def test_the_whole_pipeline_takes_them(tiny, capsys):
    draw = np.random.default_rng(0)
    pictures = draw.integers(0, 256, (2, 32, 32, 3), np.uint8)
    maps = draw.integers(0, 256, (20, 32, 32, 3), np.uint8)

    def make(**options):
        reference = options.pop("reference", pictures[0])
        return np.stack(list(tiny(reference, maps, num_inference_steps=2, **options)))

    plain = make()
    assert capsys.readouterr().err.count("no motion module") == 1
    for options in (
        {"reference": pictures},
        {"noise": "independent"},
        {"noisy_reference": True},
        {"controls": Controls(appearance_scale=0.2)},
        {"controls": Controls(pose_end=0.5)},
    ):
        assert not np.array_equal(make(**options), plain), options
    assert np.array_equal(make(noise="shared", noisy_reference=False, circular=False), plain)
    assert "no motion module" not in capsys.readouterr().err  # said once


def test_the_references_windows_by_name(tiny_motion):
    maps = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    picture = np.zeros((32, 32, 3), np.uint8)
    shifted, circular = (
        np.stack(list(tiny_motion(picture, maps, circular=circular, seed=5))) for circular in (False, True)
    )
    assert not np.array_equal(shifted, circular)
    again = np.stack(list(tiny_motion(picture, maps, circular=True, seed=5)))
    assert np.array_equal(circular, again)


def test_another_base_unet(tmp_path, given):
    make_tiny().save_pretrained(tmp_path / "model")
    other = make_tiny(seed=9)
    other.unet.save_pretrained(tmp_path / "other")
    swapped = load_model(tmp_path / "model", CPU, torch.float32, Swaps(base_unet=tmp_path / "other"))
    plain = load_model(tmp_path / "model", CPU, torch.float32)
    theirs = load_model(tmp_path / "model", CPU, torch.float32)
    theirs.unet.load_state_dict(other.unet.state_dict())
    assert not torch.equal(_predict(swapped, given), _predict(plain, given))
    assert_close(_predict(swapped, given), _predict(theirs, given))
    UNet2DConditionModel(block_out_channels=(32, 32, 32, 32)).save_pretrained(tmp_path / "odd")
    with pytest.raises(ModelError, match="block_out_channels"):
        read_facts(tmp_path / "model", Swaps(base_unet=tmp_path / "odd"))
