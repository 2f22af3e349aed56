"""Distillation: the steps are DDIM's, the aim is what lands, and a student of few steps nears its teacher."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler
from torch import nn

from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.errors import RecipeError
from magicpose_cli.recipe import Recipe, Schedule, find_recipe, read_recipe
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.distill_stage import TrainDistill
from magicpose_cli.training.distillation import DistillLoss, DistillSchedule

from ..tiny import TINY, make_tiny
from .conftest import write_recipe


def _scheduler(recipe: str) -> DDIMScheduler:
    values = read_recipe(find_recipe(recipe)).schedule.model_dump()
    return DDIMScheduler(**{**values, "timestep_spacing": "trailing"})


def _draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


EACH = pytest.mark.parametrize("recipe", ["sd15", "smoke", "mini"])
"""SD's noise schedule, one without any signal at its end, and one whose first half is nothing but noise."""


@EACH
@pytest.mark.parametrize("steps", [1, 4, 5])
def test_the_students_steps_are_those_of_ddim(recipe, steps):
    scheduler = _scheduler(recipe)
    schedule = DistillSchedule(scheduler, student_steps=steps, teacher_steps=steps)
    solver = DDIMScheduler.from_config(scheduler.config)
    solver.set_timesteps(steps)
    here, previous = schedule.timesteps.unbind(1)
    assert here.tolist() == solver.timesteps.tolist()
    assert [*here[1:], -1] == previous.tolist()
    noisy, prediction = _draw(steps, 1, 2, 3, 3), _draw(steps, 1, 2, 3, 3, seed=1)
    originals = schedule.original(prediction, noisy, here, scheduler.config.prediction_type)
    moved = schedule.step(originals, noisy, here, previous)
    for row, timestep in enumerate(solver.timesteps):
        expected = solver.step(prediction[row], timestep, noisy[row])
        torch.testing.assert_close(originals[row], expected.pred_original_sample, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(moved[row], expected.prev_sample, atol=1e-4, rtol=1e-4)


@EACH
def test_small_steps_part_each_large_one(recipe):
    large = DistillSchedule(_scheduler(recipe), student_steps=4, teacher_steps=4).timesteps
    small = DistillSchedule(_scheduler(recipe), student_steps=4, teacher_steps=48).timesteps
    assert torch.equal(small[:, [0, -1]], large)
    assert (small.diff(dim=1) < 0).all()
    assert small.min() == small[-1, -1] == -1


@EACH
def test_what_should_land_there_does_or_noise_drowns_it(recipe):
    """By DDIM in double precision: for each step either what is aimed at lands, or nothing could be told apart."""
    schedule = DistillSchedule(_scheduler(recipe), student_steps=4, teacher_steps=4)
    here, previous = schedule.timesteps.unbind(1)
    truth, noise, otherwise = (_draw(4, 1, 2, 8, 8, seed=seed) for seed in range(3))
    noisy = schedule.add_noise(truth, noise, here)
    landed = schedule.step(truth, noisy, here, previous)
    aimed = schedule.original_that_lands(landed, noisy, here, previous, otherwise)
    alphas = schedule.alphas_cumprod.double()
    effect = alphas[previous].sqrt() - ((1 - alphas[previous]) / (1 - alphas[here]) * alphas[here]).sqrt()
    for row in range(4):
        expected = truth[row] if effect[row] > 1e-3 else otherwise[row]
        torch.testing.assert_close(aimed[row], expected, atol=5e-3, rtol=1e-2)
    assert bool(effect[0] > 1e-3) == (recipe != "mini")
    assert effect[-1] > 1e-3


def _stage(
    clips, *, motion: bool = True, sees: bool = False, noised: bool = False, **changes
) -> TrainDistill:
    whole = make_tiny(motion=True, sees=sees)
    sampling = whole.sampling.model_copy(update={"reference": "noised" if noised else "clean"})
    parts = dict(whole.components) if motion else {**whole.components, "motion_adapter": None}
    pipeline = MagicPosePipeline(**parts, sampling=sampling.model_dump())
    pipeline.prompt_embeds = whole.prompt_embeds
    settings = Recipe.model_validate({**TINY, "distill": {**TINY["distill"], **changes}}).distill
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    return TrainDistill(settings, pipeline, read, read)


@pytest.mark.parametrize(
    ("guidance", "changes"),
    [
        (1.0, {}),
        (3.0, {}),
        (3.0, {"motion": False}),
        (3.0, {"sees": True}),
        (3.0, {"noised": True}),
        (3.0, {"pixel_weights": True}),
    ],
    ids=["alone", "guided", "without motion", "sees", "noised reference", "pixel weights"],
)
@torch.no_grad()
def test_the_target_is_where_the_guided_model_goes_in_several_steps(clips, guidance, changes):
    stage = _stage(clips, teacher_steps=6, guidance_scale=guidance, **changes)
    batch, pipeline, schedule = stage.batch(0, 0), stage.pipeline, stage.schedule
    latents, noise, embeds = batch["latents"], batch["noise"], batch.get("embeds")
    (row,) = (schedule.timesteps[:, 0] == batch["timestep"]).nonzero()[0].tolist()
    steps = [timestep[None] for timestep in schedule.timesteps[row]]

    def original(noisy: torch.Tensor, timestep: torch.Tensor, scale: float) -> torch.Tensor:
        made = pipeline.predict_noise(
            noisy[0],
            int(timestep),
            batch["reference"],
            batch["pose_maps"][0] / 255,
            pipeline.prompt_embeds if embeds is None else embeds,
            scale,
            reference_noise=noise[:, 0] if changes.get("noised") else None,
        )
        return schedule.original(made[None], noisy, timestep, "v_prediction")

    noisy = moved = schedule.add_noise(latents, noise, steps[0])
    for here, previous in pairwise(steps):
        moved = schedule.step(original(moved, here, guidance), moved, here, previous)
    wanted = schedule.original_that_lands(moved, noisy, steps[0], steps[-1], torch.zeros_like(noisy))
    error = (original(noisy, steps[0], 1.0) - wanted) / schedule.alpha_sigma(steps[0])[1]
    if changes.get("pixel_weights"):
        error = error * stage.pixel_weights()[:, None, None].sqrt()
    expected = ((error**2 + 1e-6).sqrt() - 1e-3).mean()
    assert expected > 1e-3
    torch.testing.assert_close(stage.module(**batch), expected, atol=1e-5, rtol=1e-3)


def test_the_teacher_stays_what_it_was(clips):
    stage = _stage(clips)
    loss = stage.module
    before = [p.clone() for p in loss.teacher_unet.parameters()]
    optimizer = torch.optim.SGD(stage.trained(), lr=1.0)
    first = loss(**stage.batch(0, 0))
    first.backward()
    optimizer.step()
    loss.train()
    assert loss.training and not loss.teacher_unet.training
    assert all(torch.equal(a, b) for a, b in zip(before, loss.teacher_unet.parameters(), strict=True))
    assert loss(**stage.batch(0, 0)).item() != first.item()


def test_hidden_states_computed_again_give_the_same_gradients(clips):
    gradients = []
    for again in (False, True):
        stage = _stage(clips, gradient_checkpointing=again)
        stage.module(**stage.batch(0, 0)).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in stage.trained()]))
    torch.testing.assert_close(*gradients)


def test_the_student_samples_without_guidance_whatever_its_teacher_did(clips):
    stage = _stage(clips)
    stage.finish()
    sampling = stage.pipeline.sampling
    assert (sampling.num_inference_steps, sampling.guidance_scale, sampling.solver) == (2, 1.0, "ddim")
    assert sampling.presets["draft"].num_inference_steps == 2
    assert "paper" not in sampling.presets
    assert stage.pipeline.config.sampling == sampling.model_dump()


def test_a_students_schedule_begins_with_nothing_but_noise(clips, tmp_path):
    stage = _stage(clips)
    stage.pipeline.scheduler = DDIMScheduler(**read_recipe(find_recipe("sd15")).schedule.model_dump())
    student = TrainDistill(stage.settings, stage.pipeline, stage.clips, stage.held_out)
    assert student.schedule.timesteps[:, 0].tolist() == [999, 499]
    student.finish()
    stage.pipeline.save_pretrained(tmp_path)
    assert MagicPosePipeline.from_pretrained(tmp_path).scheduler.config.timestep_spacing == "trailing"


def test_frames_that_will_share_their_noise_share_it_in_training(clips):
    stage = _stage(clips)
    for own, shares in (("shared", True), ("independent", False)):
        stage.pipeline.sampling = stage.pipeline.sampling.model_copy(update={"noise": own})
        noise = stage.batch(0, 0)["noise"]
        assert torch.equal(noise[:, 0], noise[:, 1]) == shares


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"distill": {"student_steps": 3, "teacher_steps": 6}}, "1000 timesteps"),
        ({"distill": {"student_steps": 2, "teacher_steps": 2000}}, "1000 timesteps"),
        ({"schedule": {"prediction_type": "epsilon"}}, "zero SNR"),
        ({"schedule": {"clip_sample": True}}, "clip_sample"),
    ],
)
def test_what_a_student_cannot_learn_over_is_an_error_of_the_recipe(tmp_path, changes, sentence):
    with pytest.raises(RecipeError, match=sentence):
        read_recipe(write_recipe(tmp_path / "odd.toml", **changes))


class _NoLink:
    def forget(self) -> None:
        """Nothing is held."""


class _TwoPoints(nn.Module):
    """Stands for the network: what is best believed of a picture whose latents are all 1 or -1, with equal odds."""

    def __init__(self, schedule: DistillSchedule, correction: nn.Module | None = None) -> None:
        super().__init__()
        self.schedule, self.correction = schedule, correction
        self.unet, self.link = nn.Identity(), _NoLink()

    def read_reference(self, *_: torch.Tensor) -> dict[str, torch.Tensor]:
        return {}

    def forward(self, noisy, time, *_):
        alpha, sigma = self.schedule.alpha_sigma(time)
        belief = torch.tanh(alpha * noisy / sigma**2)
        if self.correction is None:
            return belief
        share = (time / 1000)[:, None, None, None, None].expand_as(noisy)
        seen = torch.stack([noisy, share, belief, belief * share], dim=-1)
        return belief + self.correction(seen)[..., 0]


def _sample(network: nn.Module, schedule: DistillSchedule, noise: torch.Tensor) -> torch.Tensor:
    latents = noise
    for here, previous in pairwise(schedule.timesteps.flatten().unique().flip(0)):
        both = here.expand(len(noise)), previous.expand(len(noise))
        latents = schedule.step(network(latents, both[0]), latents, *both)
    return latents


@pytest.mark.parametrize("steps", [2, 4])
def test_a_student_nears_what_its_teacher_makes_in_many_steps(steps):
    scheduler = DDIMScheduler(
        **Schedule(
            prediction_type="sample",
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
            set_alpha_to_one=True,
        ).model_dump()
    )
    many, few = DistillSchedule(scheduler, steps, 32), DistillSchedule(scheduler, steps, steps)
    teacher = _TwoPoints(many)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        correction = nn.Sequential(
            nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)
        )
        nn.init.zeros_(correction[-1].weight)
        student = _TwoPoints(many, correction)
        loss = DistillLoss(student, teacher, many, "sample", torch.zeros(1, 1, 1), 1.0)
        optimizer = torch.optim.Adam(correction.parameters(), lr=3e-3)
        for _ in range(400):
            pictures = torch.randint(0, 2, (512, 1, 1, 1, 1)) * 2.0 - 1
            timesteps = many.timesteps[torch.randint(0, steps, (512,)), 0]
            optimizer.zero_grad()
            loss(
                pictures, torch.randn_like(pictures), timesteps, pictures[:, 0], torch.zeros(512, 1, 3, 1, 1)
            ).backward()
            optimizer.step()
    noise = _draw(1000, 1, 1, 1, 1)
    with torch.no_grad():
        wanted = _sample(teacher, many, noise)
        before = (_sample(teacher, few, noise) - wanted).abs().mean()
        after = (_sample(student, few, noise) - wanted).abs().mean()
    assert wanted.abs().mean() > 0.95  # the teacher's many steps find the points
    assert after < 0.5 * before
