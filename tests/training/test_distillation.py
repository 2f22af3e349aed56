"""Distillation: the steps are DDIM's, the aim is what lands, and a student of few steps nears its teacher."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler
from torch import nn

from magicpose_cli.recipe import Recipe, Schedule, find_recipe, read_recipe
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.distill_stage import TrainDistill
from magicpose_cli.training.distillation import DistillLoss, Leaps

from ..tiny import TINY

SD = DDIMScheduler(**read_recipe(find_recipe("sd15")).schedule.model_dump())
ZERO_SNR = DDIMScheduler(
    **Schedule(
        prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
    ).model_dump()
)
CLEAN = DDIMScheduler(
    **Schedule(prediction_type="sample", timestep_spacing="trailing", set_alpha_to_one=True).model_dump()
)


def _draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


EACH = pytest.mark.parametrize("scheduler", [SD, ZERO_SNR, CLEAN], ids=["sd", "zero-snr", "clean"])


@EACH
def test_the_students_steps_are_those_of_ddim(scheduler):
    leaps = Leaps(scheduler, student_steps=4, teacher_steps=4)
    solver = DDIMScheduler.from_config(scheduler.config)
    solver.set_timesteps(4)
    assert leaps.times[:, 0].tolist() == solver.timesteps.tolist()
    noisy, prediction = _draw(4, 1, 2, 3, 3), _draw(4, 1, 2, 3, 3, seed=1)
    starts, stops = leaps.times.unbind(1)
    pictures = leaps.picture(prediction, noisy, starts, scheduler.config.prediction_type)
    moved = leaps.move(pictures, noisy, starts, stops)
    for row, timestep in enumerate(solver.timesteps):
        expected = solver.step(prediction[row], timestep, noisy[row])
        torch.testing.assert_close(pictures[row], expected.pred_original_sample, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(moved[row], expected.prev_sample, atol=1e-4, rtol=1e-4)


@EACH
def test_small_steps_part_each_large_one(scheduler):
    large = Leaps(scheduler, student_steps=4, teacher_steps=4).times
    small = Leaps(scheduler, student_steps=4, teacher_steps=48).times
    assert torch.equal(small[:, [0, -1]], large)
    assert (small.diff(dim=1) <= 0).all()
    assert (small[:, :-1] >= 0).all()  # nothing is asked of the picture's own timestep, which is none
    # SD's last large step goes from 1 to the picture and has no room for twelve
    assert (small.diff(dim=1) < 0).all(1).tolist() == [True, True, True, scheduler is not SD]


@EACH
def test_the_aim_lands_where_it_should(scheduler):
    leaps = Leaps(scheduler, student_steps=4, teacher_steps=4)
    start, stop = leaps.times.unbind(1)
    noisy, landed = _draw(4, 1, 2, 3, 3), _draw(4, 1, 2, 3, 3, seed=1)
    aimed = leaps.aim(landed, noisy, start, stop)
    torch.testing.assert_close(leaps.move(aimed, noisy, start, stop), landed, atol=1e-4, rtol=1e-4)


def _stage(clips, *, motion: bool = True, **changes) -> TrainDistill:
    from ..tiny import make_tiny

    pipeline = make_tiny(motion=True)
    if not motion:
        parts = {**pipeline.components, "motion_adapter": None}
        embeds = pipeline.prompt_embeds
        pipeline = type(pipeline)(**parts, sampling=pipeline.sampling.model_dump())
        pipeline.prompt_embeds = embeds
    settings = Recipe.model_validate({**TINY, "distill": {**TINY["distill"], **changes}}).distill
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    return TrainDistill(settings, pipeline, read, read)


@pytest.mark.parametrize("motion", [True, False])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
@torch.no_grad()
def test_where_teacher_and_student_step_alike_the_aim_is_the_guided_prediction(clips, guidance, motion):
    stage = _stage(clips, motion=motion, teacher_steps=2, guidance_scale=guidance)
    batch, pipeline = stage.batch(0, 0), stage.pipeline
    start = stage.leaps.times[batch["leap"], 0]
    noisy = stage.leaps.mix(batch["latents"], batch["noise"], start)
    maps = batch["pose_maps"][0] / 255
    given = (noisy[0], int(start), batch["reference"], maps, pipeline.prompt_embeds)
    pictures = [
        stage.leaps.picture(
            pipeline.predict_noise(*given, guidance_scale=scale)[None], noisy, start, "v_prediction"
        )
        for scale in (1.0, guidance)
    ]
    error = (pictures[0] - pictures[1]).abs() / stage.leaps.shares(start)[1]
    expected = ((error**2 + 1e-6).sqrt() - 1e-3).mean()
    torch.testing.assert_close(stage.module(**batch), expected, atol=1e-5, rtol=1e-3)
    assert (guidance == 1) == (float(expected) < 1e-5)


def test_the_teacher_stays_what_it_was(clips):
    stage = _stage(clips)
    loss = stage.module
    before = [p.clone() for p in loss.teacher_unet.parameters()]
    optimizer = torch.optim.SGD(stage.trained(), lr=1.0)
    first = loss(**stage.batch(0, 0))
    first.backward()
    optimizer.step()
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


class _TwoPoints(nn.Module):
    """Stands for the network: what is best believed of a picture whose latents are all 1 or -1, with equal odds."""

    def __init__(self, leaps: Leaps, correction: nn.Module | None = None) -> None:
        super().__init__()
        self.leaps, self.correction, self.unet = leaps, correction, nn.Identity()

    def read_reference(self, *_: torch.Tensor) -> dict[str, torch.Tensor]:
        return {}

    def forward(self, noisy, time, *_):
        alpha, sigma = self.leaps.shares(time)
        belief = torch.tanh(alpha * noisy / sigma**2)
        if self.correction is None:
            return belief
        share = (time / 1000)[:, None, None, None, None].expand_as(noisy)
        seen = torch.stack([noisy, share, belief, belief * share], dim=-1)
        return belief + self.correction(seen)[..., 0]


def _sample(network: nn.Module, leaps: Leaps, noise: torch.Tensor) -> torch.Tensor:
    latents = noise
    times = leaps.times.flatten().unique().flip(0)
    for start, stop in pairwise(times):
        both = start.expand(len(noise)), stop.expand(len(noise))
        latents = leaps.move(network(latents, both[0]), latents, *both)
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
    many, few = Leaps(scheduler, steps, 32), Leaps(scheduler, steps, steps)
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
            rows = torch.randint(0, steps, (512,))
            optimizer.zero_grad()
            loss(
                pictures, torch.randn_like(pictures), rows, pictures[:, 0], torch.zeros(512, 1, 3, 1, 1)
            ).backward()
            optimizer.step()
    noise = _draw(1000, 1, 1, 1, 1)
    with torch.no_grad():
        wanted = _sample(teacher, many, noise)
        before = (_sample(teacher, few, noise) - wanted).abs().mean()
        after = (_sample(student, few, noise) - wanted).abs().mean()
    assert wanted.abs().mean() > 0.95  # the teacher's many steps find the points
    assert after < 0.5 * before
