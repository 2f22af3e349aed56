"""Distillation: one step of DDIM that lands where many guided ones do.

Progressive distillation (Salimans and Ho 2022) in one leap, with guidance taken in (Meng et al. 2023). The student's
steps part the noise schedule; from the beginning of each part the teacher goes through it in small steps:

    noisy ── teacher, guided ──> ── teacher, guided ──> ... ──> landed
      └────────────────────── student, alone ───────────────────^

Nothing is learnt from the student's own predictions. Consistency distillation does that, and is cheaper a step; tried
on a mixture whose right answers are known, it ran away with four steps. The paper has nothing like it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from ..diffusion.network import MagicPoseNetwork
from .losses import as_unit

_HUBER = (
    1e-3  # where the loss turns from squared to absolute error (Luo et al. 2023, latent consistency models)
)


class Leaps(nn.Module):
    """The student's steps, the teacher's small ones in each, and what is left of picture and noise at their ends.

    Args:
        scheduler: the model's noise schedule; the student's timesteps are those that DDIM takes over it.
        student_steps: parts of the schedule.
        teacher_steps: small steps in all parts together, a multiple of `student_steps`.
    """

    times: Tensor
    """Timesteps ``(student_steps, n + 1)``, falling; -1, the last of all, is the picture."""
    kept: Tensor

    def __init__(self, scheduler: DDIMScheduler, student_steps: int, teacher_steps: int) -> None:
        super().__init__()
        solver = DDIMScheduler.from_config(scheduler.config)
        solver.set_timesteps(student_steps)
        stride = solver.config.num_train_timesteps // student_steps
        times = []
        for first in solver.timesteps.tolist():
            small = (
                torch.linspace(first, max(first - stride, -1), teacher_steps // student_steps + 1)
                .round()
                .long()
            )
            # a part may have fewer timesteps than small steps, SD's last begins at 1: some of its steps then stay there
            small[:-1].clamp_(min=0)
            times.append(small)
        self.register_buffer("times", torch.stack(times), persistent=False)
        kept = torch.cat(
            [solver.alphas_cumprod, solver.final_alpha_cumprod.reshape(1)]
        )  # the last is that of -1
        self.register_buffer("kept", kept.float(), persistent=False)

    def shares(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """What a noisy latent at timesteps ``(b,)`` has of picture and noise, each ``(b 1 1 1 1)``."""
        kept = self.kept[time][:, None, None, None, None]
        return kept.sqrt(), (1 - kept).sqrt()

    def mix(self, picture: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Noisy latents ``(b f c h w)``."""
        alpha, sigma = self.shares(time)
        return alpha * picture + sigma * noise

    def move(self, picture: Tensor, noisy: Tensor, start: Tensor, stop: Tensor) -> Tensor:
        """DDIM's step from `start` to `stop` by a prediction of the picture."""
        alpha, sigma = self.shares(start)
        return self.mix(picture, (noisy - alpha * picture) / sigma, stop)

    def aim(self, landed: Tensor, noisy: Tensor, start: Tensor, stop: Tensor) -> Tensor:
        """The prediction of the picture by which DDIM's step lands there."""
        alpha, sigma = self.shares(start)
        alpha_stop, sigma_stop = self.shares(stop)
        ratio = sigma_stop / sigma
        return (landed - ratio * noisy) / (alpha_stop - ratio * alpha)

    def picture(self, prediction: Tensor, noisy: Tensor, time: Tensor, kind: str) -> Tensor:
        """The picture that a prediction of a kind (``epsilon``, ``v_prediction``, ``sample``) means."""
        alpha, sigma = self.shares(time)
        if kind == "sample":
            return prediction
        if kind == "v_prediction":
            return alpha * noisy - sigma * prediction
        return (noisy - sigma * prediction) / alpha


class DistillLoss(nn.Module):
    """How far the student's picture is from the one that lands where its teacher does: pseudo-Huber, as velocities.

    Appearance net and ControlNet are the teacher's and the student's alike, and do not train.

    Args:
        student: the network that trains; its appearance net reads the reference for both.
        teacher: frozen, with the same appearance net and ControlNet.
        leaps: the student's steps and the teacher's.
        kind: what both predict (``epsilon``, ``v_prediction``, ``sample``).
        prompt_embeds: ``(1 n d)``; None where each batch brings its own.
        guidance_scale: the teacher's.
        channel_weights: as `losses.pixel_weights` gives them; None counts all alike.
        noisy_reference: whether the reference gets its first target's noise and the same timestep.
    """

    def __init__(
        self,
        student: MagicPoseNetwork,
        teacher: MagicPoseNetwork,
        leaps: Leaps,
        kind: str,
        prompt_embeds: Tensor | None,
        guidance_scale: float,
        *,
        channel_weights: Tensor | None = None,
        noisy_reference: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.leaps = student, leaps
        # a state holds the teacher's UNet, which no other file of the run does; what is shared only once
        self.teacher_unet, self._teacher = teacher.unet, (teacher,)
        self.kind, self.guidance_scale = kind, guidance_scale
        self.noisy_reference = noisy_reference
        weights = None if channel_weights is None else channel_weights[:, None, None]
        self.channel_weights: Tensor | None
        self.register_buffer("channel_weights", weights, persistent=False)
        stored = None if prompt_embeds is None else nn.Parameter(prompt_embeds, requires_grad=False)
        self.prompt_embeds: nn.Parameter | None
        self.register_parameter("prompt_embeds", stored)

    def forward(
        self,
        latents: Tensor,
        noise: Tensor,
        leap: Tensor,
        reference: Tensor,
        pose_maps: Tensor,
        embeds: Tensor | None = None,
    ) -> Tensor:
        """Loss of a batch.

        Args:
            latents: clean ``(b f c h w)``.
            noise: ``(b f c h w)``.
            leap: which of the student's steps, ``(b,)``.
            reference: clean reference latents ``(b c h w)``.
            pose_maps: uint8 or [0, 1] ``(b f 3 H W)``.
            embeds: ``(b n d)``, each sample's own in the prompt's place.

        Raises:
            ValueError: no embedding at all.
        """
        if embeds is None:
            if self.prompt_embeds is None:
                raise ValueError("a batch without embeds, and no prompt_embeds")
            embeds = self.prompt_embeds.expand(len(latents), -1, -1)
        maps, leaps = as_unit(pose_maps), self.leaps
        times = leaps.times[leap].unbind(1)
        start, stop = times[0], times[-1]
        noisy = leaps.mix(latents.float(), noise.float(), start)
        with torch.no_grad():
            landed = noisy
            for before, after in pairwise(times):
                bank = self._read(reference, noise, before, embeds)
                landed = leaps.move(self._guided(landed, before, embeds, bank, maps), landed, before, after)
            wanted = leaps.aim(landed, noisy, start, stop)
            bank = self._read(reference, noise, start, embeds)
        made = self.network(noisy, start, embeds, bank, maps).float()
        error = (leaps.picture(made, noisy, start, self.kind) - wanted) / leaps.shares(start)[1]
        distance = (error.square() + _HUBER**2).sqrt() - _HUBER
        if self.channel_weights is not None:
            distance = distance * self.channel_weights
        return distance.mean()

    def _read(self, reference: Tensor, noise: Tensor, time: Tensor, embeds: Tensor) -> dict[str, Tensor]:
        if self.noisy_reference:
            reference = self.leaps.mix(reference[:, None], noise[:, :1], time)[:, 0]
        return self.network.read_reference(reference, time, embeds)

    def _guided(
        self, noisy: Tensor, time: Tensor, embeds: Tensor, bank: dict[str, Tensor], maps: Tensor
    ) -> Tensor:
        """The teacher's picture, by Image-CFG (paper 5.2)."""
        (teacher,) = self._teacher
        made = teacher(noisy, time, embeds, bank, maps).float()
        if self.guidance_scale != 1:
            plain = teacher(noisy, time, embeds).float()
            made = plain + self.guidance_scale * (made - plain)
        return self.leaps.picture(made, noisy, time, self.kind)
