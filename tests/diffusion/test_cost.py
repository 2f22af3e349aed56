"""Operations of the released model's networks, as counted independently at 512x512 (paper's sizes, batch 1)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from magicpose_cli.diffusion.controls import Controls
from magicpose_cli.diffusion.cost import count_costs
from magicpose_cli.diffusion.fresh import sd15_sized
from magicpose_cli.recipe import find_recipe, read_recipe
from magicpose_cli.sampling import SamplingBlock

from ..tiny import make_tiny


def test_sd15s_networks_cost_what_they_are_known_to():
    costs = count_costs(sd15_sized("meta", torch.float32), 512, 512)
    # of the UNet's 951.4 with a bank of its own, 25.6 are the bank's keys and values: here once for 16 frames
    unet = 951.4 - 25.6 * 15 / 16
    known = {"appearance_net": 803.2, "unet": unet, "unet_plain": 803.3, "pose_embedding": 14.7}
    for part, gflop in known.items():
        assert getattr(costs, part).total / 1e9 == pytest.approx(gflop, abs=0.1), part
    both = costs.pose_controlnet + costs.pose_embedding
    assert both.total / 1e9 == pytest.approx(283.3 - 0.3, abs=0.5)
    # the released order: appearance net and both ControlNets once for each frame; ours, at 16 frames
    plain = costs.appearance_net.total + 2 * both.total + 951.4e9 + costs.unet_plain.total
    video = costs.of_video(16, SamplingBlock(num_inference_steps=1))
    ours = sum(flops.total for part, flops in video.items() if part != "VAE") / 16
    assert plain / ours == pytest.approx(1.51, abs=0.01)


def test_presets_of_the_released_size_take_so_many_times_fewer_operations():
    costs = count_costs(sd15_sized("meta", torch.float32), 512, 512)
    block = read_recipe(find_recipe("sd15")).sampling

    def total(preset: str) -> float:
        video = costs.of_video(16, block.chosen(preset, None, None, None))
        return sum(flops.total for part, flops in video.items() if part not in ("VAE", "pose embedding"))

    times = {preset: total("paper") / total(preset) for preset in ("balanced", "fast", "draft")}
    assert times == pytest.approx({"balanced": 2.5, "fast": 5.0, "draft": 6.2}, abs=0.1)


def test_the_motion_module_is_counted_by_itself():
    plain, moving = (count_costs(make_tiny(motion=motion).to("meta"), 32, 32) for motion in (False, True))
    assert plain.motion_module.total == 0 < moving.motion_module.total
    for part in ("appearance_net", "unet", "unet_plain", "pose_controlnet", "decode"):
        assert getattr(plain, part).total == pytest.approx(getattr(moving, part).total), part


def test_a_video_takes_no_more_than_its_parts():
    costs = count_costs(make_tiny().to("meta"), 32, 32)
    five = SamplingBlock(num_inference_steps=5, guidance_scale=1)
    one, long = (costs.of_video(frames, five) for frames in (1, 100))
    assert long["UNet"].total == pytest.approx(100 * one["UNet"].total)
    assert long["appearance net"].total == 2 * one["appearance net"].total  # a stretch of 64, and the rest
    guided = five.model_copy(update={"guidance_scale": 7.0})
    assert costs.of_video(1, guided)["UNet"].total > one["UNet"].total


@pytest.mark.parametrize(
    ("guidance", "guided", "controls"),
    [
        (1.0, (0, 1), Controls()),
        (7.0, (0.25, 0.75), Controls()),
        (0.0, (0, 1), Controls()),
        (0.0, (0, 0.5), Controls()),
        (7.0, (0, 1), Controls(appearance_scale=0)),
        (7.0, (0, 1), Controls(pose_scale=0)),
        (7.0, (0, 1), Controls(pose_start=0.25, pose_end=0.75)),
    ],
)
def test_what_is_counted_is_what_a_video_runs(guidance, guided, controls):
    pipeline, references = make_tiny(), 2
    costs = count_costs(make_tiny().to("meta"), 32, 32)
    sampling = SamplingBlock(num_inference_steps=4, guidance_scale=guidance, guided=guided)
    told = costs.of_video(16, sampling, controls, references=references)
    pictures = np.zeros((references, 32, 32, 3), np.uint8)
    # the only way of attention that the counter sees on a CPU
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        list(
            pipeline(
                pictures,
                np.zeros((16, 32, 32, 3), np.uint8),
                num_inference_steps=4,
                guidance_scale=guidance,
                guided=guided,
                controls=controls,
            )
        )
    assert sum(part.total for part in told.values()) == counter.get_total_flops()
