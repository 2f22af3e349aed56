"""Distillation: one step of DDIM without guidance that lands where several with it do.

The target of progressive distillation (Salimans and Ho 2022) over a whole student step at once, with guidance taken in
(Meng et al. 2023). The student's steps part the noise schedule; from the beginning of each part the teacher goes
through it in small steps:

    noisy ── teacher, guided ──> ── teacher, guided ──> ... ──> landed
      └────────────────────── student, alone ───────────────────^

Nothing is learnt from the student's own predictions, as consistency distillation does, which is cheaper a step. The
paper has nothing like it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from ..diffusion.network import MagicPoseNetwork
from .losses import NetworkLoss, as_unit

_HUBER = (
    1e-3  # where the loss turns from squared to absolute error (Luo et al. 2023, latent consistency models)
)
_DROWNED = 1e-3  # what a prediction moves the landing by, below which the landing says nothing of it


class DistillSchedule(nn.Module):
    """The student's steps, the teacher's small ones in each, and DDIM's arithmetic for samples of several timesteps.

    Args:
        scheduler: the noise schedule and spacing that the student will be sampled with.
        student_steps: parts of the schedule; it divides the number of its timesteps.
        teacher_steps: small steps in all parts together, a multiple of `student_steps`.
    """

    timesteps: Tensor
    """``(student_steps, n + 1)``, falling; a part's last is the next one's first, and -1 that of clean latents."""
    alphas_cumprod: Tensor
    """By timestep; the last is that of -1."""

    def __init__(self, scheduler: DDIMScheduler, student_steps: int, teacher_steps: int) -> None:
        super().__init__()
        solver = DDIMScheduler.from_config(scheduler.config)
        solver.set_timesteps(student_steps)
        stride = solver.config.num_train_timesteps // student_steps
        parts = [
            # as DDIM finds the timestep before
            torch.linspace(first, first - stride, teacher_steps // student_steps + 1).round().long()
            for first in solver.timesteps.tolist()
        ]
        self.register_buffer("timesteps", torch.stack(parts), persistent=False)
        alphas = torch.cat([solver.alphas_cumprod, solver.final_alpha_cumprod.reshape(1)])
        self.register_buffer("alphas_cumprod", alphas.float(), persistent=False)

    def alpha_sigma(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """Deviations of clean latents and of noise at timesteps ``(b,)``, each ``(b 1 1 1 1)``."""
        alphas = self.alphas_cumprod[timestep][:, None, None, None, None]
        return alphas.sqrt(), (1 - alphas).sqrt()

    def add_noise(self, latents: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """Noisy latents ``(b f c h w)``."""
        alpha, sigma = self.alpha_sigma(timestep)
        return alpha * latents + sigma * noise

    def original(self, prediction: Tensor, noisy: Tensor, timestep: Tensor, kind: str) -> Tensor:
        """The clean latents that a prediction of a kind (``epsilon``, ``v_prediction``, ``sample``) means."""
        alpha, sigma = self.alpha_sigma(timestep)
        if kind == "sample":
            return prediction
        if kind == "v_prediction":
            return alpha * noisy - sigma * prediction
        return (noisy - sigma * prediction) / alpha

    def step(self, original: Tensor, noisy: Tensor, timestep: Tensor, previous: Tensor) -> Tensor:
        """DDIM's step (Song et al. 2021, Eq. 12, without noise) to `previous` timesteps, by predicted clean latents."""
        alpha, sigma = self.alpha_sigma(timestep)
        return self.add_noise(original, (noisy - alpha * original) / sigma, previous)

    def original_that_lands(
        self, landed: Tensor, noisy: Tensor, timestep: Tensor, previous: Tensor, otherwise: Tensor
    ) -> Tensor:
        """The clean latents by which DDIM's step lands there; `otherwise` where noise drowns what they would change."""
        alpha, sigma = self.alpha_sigma(timestep)
        alpha_previous, sigma_previous = self.alpha_sigma(previous)
        ratio = sigma_previous / sigma
        effect = alpha_previous - ratio * alpha
        is_told = effect > _DROWNED
        return torch.where(is_told, (landed - ratio * noisy) / effect.clamp(min=_DROWNED), otherwise)


class DistillLoss(NetworkLoss):
    """How far the student's clean latents are from those that land where its teacher does: pseudo-Huber, as velocities.

    Appearance net and ControlNet are the teacher's and the student's alike, and do not train.

    Args:
        student: the network that trains; its appearance net reads the reference for both.
        teacher: frozen, with the same appearance net and ControlNet.
        schedule: the student's steps and the teacher's.
        kind: what both predict (``epsilon``, ``v_prediction``, ``sample``).
        prompt_embeds: ``(1 n d)``; None where each batch brings its own.
        guidance_scale: the teacher's, in each of its steps.
        channel_weights: as `losses.pixel_weights` gives them, of squared errors; None counts all alike.
        noisy_reference: whether the reference gets its first target's noise and the same timestep.
    """

    def __init__(
        self,
        student: MagicPoseNetwork,
        teacher: MagicPoseNetwork,
        schedule: DistillSchedule,
        kind: str,
        prompt_embeds: Tensor | None,
        guidance_scale: float,
        *,
        channel_weights: Tensor | None = None,
        noisy_reference: bool = False,
    ) -> None:
        super().__init__(student, prompt_embeds, channel_weights)
        self.schedule, self.kind, self.guidance_scale = schedule, kind, guidance_scale
        self.noisy_reference = noisy_reference
        # Of the teacher the UNet alone is a part of this module, and so of its state, which is the only file that has
        # it; in a tuple torch does not see the rest, which is the student's too
        self.teacher_unet, self._teacher = teacher.unet, (teacher,)

    def train(self, mode: bool = True) -> DistillLoss:
        """As torch's, but for the teacher, which never trains."""
        super().train(mode)
        self.teacher_unet.eval()
        return self

    def forward(
        self,
        latents: Tensor,
        noise: Tensor,
        timestep: Tensor,
        reference: Tensor,
        pose_maps: Tensor,
        embeds: Tensor | None = None,
    ) -> Tensor:
        """Loss of a batch.

        Args:
            latents: clean ``(b f c h w)``.
            noise: ``(b f c h w)``.
            timestep: ``(b,)``, each the first of one of the student's steps.
            reference: clean reference latents ``(b c h w)``.
            pose_maps: uint8 or [0, 1] ``(b f 3 H W)``.
            embeds: ``(b n d)``, each sample's own in the prompt's place.

        Raises:
            ValueError: no embedding at all.
        """
        embeds = self.embeds_for(len(latents), embeds)
        maps, schedule = as_unit(pose_maps), self.schedule
        part = (timestep[:, None] == schedule.timesteps[:, 0]).long().argmax(1)
        timesteps = schedule.timesteps[part].unbind(1)
        noisy = schedule.add_noise(latents.float(), noise.float(), timestep)
        with torch.no_grad():
            bank = self._read(reference, noise, timestep, embeds)
            first = self._guided(noisy, timestep, embeds, bank, maps)
            landed = schedule.step(first, noisy, *timesteps[:2])
            for here, previous in pairwise(timesteps[1:]):
                there = self._guided(landed, here, embeds, self._read(reference, noise, here, embeds), maps)
                landed = schedule.step(there, landed, here, previous)
            self._teacher[0].link.forget()
            wanted = schedule.original_that_lands(landed, noisy, timestep, timesteps[-1], first)
        made = schedule.original(
            self.network(noisy, timestep, embeds, bank, maps).float(), noisy, timestep, self.kind
        )
        error = (made - wanted) / schedule.alpha_sigma(timestep)[1]
        if self.channel_weights is not None:
            error = error * self.channel_weights.sqrt()
        return ((error.square() + _HUBER**2).sqrt() - _HUBER).mean()

    def _read(self, reference: Tensor, noise: Tensor, timestep: Tensor, embeds: Tensor) -> dict[str, Tensor]:
        if self.noisy_reference:
            reference = self.schedule.add_noise(reference[:, None], noise[:, :1], timestep)[:, 0]
        return self.network.read_reference(reference, timestep, embeds)

    def _guided(
        self, noisy: Tensor, timestep: Tensor, embeds: Tensor, bank: dict[str, Tensor], maps: Tensor
    ) -> Tensor:
        """The teacher's clean latents, by Image-CFG (paper 5.2)."""
        (teacher,) = self._teacher
        made = teacher(noisy, timestep, embeds, bank, maps).float()
        if self.guidance_scale != 1:
            plain = teacher(noisy, timestep, embeds).float()
            made = plain + self.guidance_scale * (made - plain)
        return self.schedule.original(made, noisy, timestep, self.kind)
