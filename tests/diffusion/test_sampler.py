"""The denoising loop against the reference's, and its noise."""

from __future__ import annotations

import errno
import os
import random

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from magicpose_cli.diffusion import sampler
from magicpose_cli.diffusion.facts import check_steps
from magicpose_cli.diffusion.sampler import denoise, frame_noise, make_solver
from magicpose_cli.diffusion.windows import circular_windows, shifted_windows
from magicpose_cli.errors import MagicPoseError, OptionError
from magicpose_cli.recipe import find_recipe, read_recipe
from magicpose_cli.sampling import SamplingBlock

REFERENCE_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


@pytest.mark.parametrize("name", ["f16", "f20", "f37"])
def test_overlapping_windows_equal_the_reference_where_frames_interact(golden, name):
    toy = {k.removeprefix(f"{name}_"): v for k, v in golden["overlap_toy"].items() if k.startswith(name)}
    frames, offsets = len(toy["x_T"]), toy["offsets"].tolist()
    place = (torch.arange(16) / 15)[:, None, None, None]

    def predict(x, timestep, numbers):
        mean = x.mean(0, keepdim=True)
        pose = toy["pose"][list(numbers)].mean((1, 2, 3))[:, None, None, None]
        conditional = 0.5 * x + 0.2 * mean + 0.1 * x.roll(1, 0) + 0.05 * place * x.tanh() + 0.1 * pose
        unconditional = 0.45 * x + 0.1 * mean
        return unconditional + 7 * (conditional - unconditional)

    out = denoise(
        toy["x_T"],
        predict,
        DDIMScheduler(**REFERENCE_SCHEDULE),
        len(offsets),
        lambda step: circular_windows(frames, 16, 4, offsets[step]),
    )
    torch.testing.assert_close(out, toy["latents"], atol=1e-5, rtol=0)


def test_where_frames_do_not_interact_windows_do_not_matter():
    noise = frame_noise(30, (4, 4, 4), 0, shared=False)

    def predict(x, timestep, numbers):
        return x.tanh() * timestep / 1000

    scheduler = DDIMScheduler(**REFERENCE_SCHEDULE)
    whole = denoise(noise, predict, scheduler, 5, lambda step: [list(range(30))])
    parts = denoise(noise, predict, scheduler, 5, lambda step: shifted_windows(30, 16, 4, step))
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)


def test_latents_too_large_for_memory_lie_in_a_file_and_are_the_same(monkeypatch, capsys):
    def make():
        noise = frame_noise(30, (4, 4, 4), 0, shared=False)
        return denoise(
            noise,
            lambda x, timestep, numbers: x.tanh() * timestep / 1000,
            DPMSolverMultistepScheduler.from_config(DDIMScheduler(**REFERENCE_SCHEDULE).config),
            5,
            lambda step: shifted_windows(30, 16, 4, step),
        )

    whole = make()
    monkeypatch.setattr(sampler, "LARGE_BYTES", 1000)
    monkeypatch.setattr(sampler, "STEPPED_TOGETHER", 7)  # a solver that remembers, in parts
    spilled = make()
    assert "latents of 30 frames" in capsys.readouterr().err
    torch.testing.assert_close(spilled, whole)


def test_progress_counts_each_frame_once_a_step():
    seen = []
    denoise(
        torch.zeros(30, 4, 2, 2),
        lambda x, timestep, numbers: x,
        DDIMScheduler(**REFERENCE_SCHEDULE),
        5,
        lambda step: shifted_windows(30, 16, 4, step),
        seen.append,
    )
    assert sum(seen) == 30 * 5


def test_a_frames_noise_depends_on_seed_and_number_alone():
    few, many = (frame_noise(count, (4, 2, 2), 7, shared=False) for count in (3, 20))
    assert torch.equal(few, many[:3])
    assert not torch.equal(many[0], many[1])
    assert not torch.equal(few, frame_noise(3, (4, 2, 2), 8, shared=False))
    shared = frame_noise(3, (4, 2, 2), 7, shared=True)
    assert torch.equal(shared[0], shared[2])
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    frame_noise(3, (4, 2, 2), 7, shared=False)
    assert torch.equal(before, torch.random.get_rng_state())


def _seam(shifts: bool, fade: int) -> float:
    """Change across the last step's window borders over change elsewhere; a frame depends on its place alone."""
    frames, steps, draw = 100, 10, random.Random(0)
    pattern = torch.randn(16, 4, 4, 4, generator=torch.Generator().manual_seed(0)).cumsum(0) / 8
    last: list[list[int]] = []

    def windows(step):
        last[:] = shifted_windows(frames, 16, 4, draw.randrange(12) if shifts else 0)
        return last

    def predict(x, timestep, numbers):
        return 0.5 * x + pattern[: len(numbers)]

    noise = frame_noise(frames, (4, 4, 4), 0, shared=True)
    made = denoise(noise, predict, DDIMScheduler(**REFERENCE_SCHEDULE), steps, windows, fade=fade)
    changes = (made[1:] - made[:-1]).abs().mean((1, 2, 3))
    borders = {w[0] - 1 for w in last if w[0]} | {w[-1] for w in last if w[-1] < frames - 1}
    across = changes[sorted(borders)].mean()
    return float(across / changes[[i for i in range(frames - 1) if i not in borders]].mean())


def test_windows_that_fade_and_shift_leave_no_seam():
    assert _seam(shifts=False, fade=0) > 1.5
    assert _seam(shifts=False, fade=4) <= 1.1
    assert _seam(shifts=True, fade=4) <= 1.1


def test_latents_that_find_no_room_end_with_a_sentence(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sampler, "LARGE_BYTES", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(MagicPoseError, match=r"GB free in .* No space left.*TMPDIR"):
        sampler.latents_room((100, 4, 8, 8))

    def cannot(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", cannot)
    assert not sampler.latents_room((100, 4, 8, 8)).any()


@pytest.mark.parametrize("solver", ["ddim", "dpm++", "unipc"])
@pytest.mark.parametrize("steps", [1, 2, 3, 20, 50, 499, 500, 501, 998, 999, 1000])
def test_steps_that_a_schedule_cannot_take_are_refused(tmp_path, capsys, solver, steps):
    model = DDIMScheduler(**REFERENCE_SCHEDULE)
    model.save_pretrained(tmp_path / "scheduler")
    own = make_solver(model, solver)
    try:
        made = denoise(torch.randn(1, 4, 2, 2), lambda x, t, f: x / 10, own, steps, lambda _: [[0]])
        works = bool(made.isfinite().all())
    except (IndexError, AssertionError):
        works = False
    block = SamplingBlock(num_inference_steps=steps, solver=solver)
    if works:
        check_steps(tmp_path, block)
        assert ("begin at timestep" in capsys.readouterr().err) == (own.timesteps[0] < 750)
    else:
        with pytest.raises(OptionError, match="fewer steps"):
            check_steps(tmp_path, block)


@pytest.mark.parametrize("steps", [1, 2, 4, 6, 7, 12, 20, 24, 25, 30, 48, 50])
@pytest.mark.parametrize("recipe", ["mini", "smoke"])
def test_steps_that_leave_noise_in_the_frames_are_warned_of(tmp_path, capsys, recipe, steps):
    model = DDIMScheduler(**read_recipe(find_recipe(recipe)).schedule.model_dump())
    model.register_to_config(prediction_type="sample")
    model.save_pretrained(tmp_path / "scheduler")
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    made = denoise(noise, lambda x, t, f: 0 * x, make_solver(model, "ddim"), steps, lambda _: [[0]])
    check_steps(tmp_path, SamplingBlock(num_inference_steps=steps))
    said = " ".join(capsys.readouterr().err.split())
    assert ("leave noise" in said) == bool(made.std() > 0.1)
    if steps == 24:
        assert ("24 steps of ddim leave noise" in said and "20 and 25" in said) == (recipe == "mini")
