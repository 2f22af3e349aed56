"""The stages: what trains, what is frozen, which loss.

    stage    trains                                   frozen            loss
    vae      VAE                                      -                 reconstruction + KL
    pose     appearance net, pose ControlNet          UNet, VAE         Eq. 5, two frames of one video
             (and the UNet where the recipe says so)
    motion   motion module                            all else          Eq. 5 on 16 consecutive frames

A stage gives batches that depend on (seed, step) alone and a module whose forward is the loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from .. import console
from ..diffusion.pipeline import MagicPosePipeline
from ..recipe import MotionStage, Optimisation, PoseStage, VaeStage
from .data import Clips
from .losses import NoiseLoss, VaeLoss


class Stage(Protocol):
    """What the training loop asks of a stage."""

    @property
    def settings(self) -> Optimisation: ...

    @property
    def module(self) -> nn.Module:
        """Its forward takes a batch's tensors and returns the loss."""

    def trained(self) -> Iterable[nn.Parameter]: ...

    def rates(self) -> list[dict[str, Any]]:
        """The same parameters as the optimizer's groups, each with its learning rate."""

    def batch(self, seed: int, step: int) -> dict[str, Any]: ...

    def finish(self) -> None:
        """Write into the pipeline what only the trained weights can tell."""

    def samples(self) -> np.ndarray:
        """A grid of pictures to watch the stage learn, uint8 ``(H W 3)``."""


# vae


class TrainVae:
    """The stage that gives a model without SD its pictures-to-latents."""

    def __init__(
        self, settings: VaeStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings, self.pipeline, self.clips, self.held_out = settings, pipeline, clips, held_out
        self.module = VaeLoss(pipeline.vae.requires_grad_(True).train(), settings)

    def trained(self) -> Iterable[nn.Parameter]:
        return self.pipeline.vae.parameters()

    def rates(self) -> list[dict[str, Any]]:
        vae, rate = self.pipeline.vae, self.settings.learning_rate
        outer = {*vae.encoder.conv_in.parameters(), *vae.encoder.conv_out.parameters()}
        outer |= set(vae.decoder.conv_out.parameters())
        inner = [p for p in vae.parameters() if p not in outer]
        slow = [p for p in vae.parameters() if p in outer]
        return [{"params": inner, "lr": rate}, {"params": slow, "lr": rate * self.settings.outer_rate}]

    def batch(self, seed: int, step: int) -> dict[str, Any]:
        frames, pose_maps = self.clips.crops(seed, step, self.settings.batch_size, self.settings.crop_px)
        return {"pixels": _to_pixels(frames), "pose_maps": (_to_pixels(pose_maps) + 1) / 2}

    def finish(self) -> None:
        # SD's rule: latents of unit standard deviation
        numbers = np.linspace(0, len(self.clips.frames) - 1, 64).astype(int)
        self.pipeline.vae.register_to_config(scaling_factor=1.0)
        deviation = torch.cat([self.pipeline.encode(self.clips.frames[[n]]).cpu() for n in numbers]).std()
        self.pipeline.vae.register_to_config(scaling_factor=float(1 / deviation))

    def samples(self) -> np.ndarray:
        shown = [
            self.held_out.frames[self.held_out.starts[clip]] for clip in range(min(len(self.held_out), 6))
        ]
        again = [self.pipeline.decode(self.pipeline.encode(frame[None]))[0] for frame in shown]
        return np.concatenate([np.concatenate(shown, axis=1), np.concatenate(again, axis=1)])


# pose and motion


class _TrainNetwork:
    """What the pose and the motion stage share: latents made once, noise by (seed, step), sample grids."""

    settings: Optimisation

    def __init__(self, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips) -> None:
        self.pipeline, self.clips, self.held_out = pipeline, clips, held_out
        pipeline.vae.eval().requires_grad_(False)
        self.latents = encode_clips(pipeline, clips)
        if pipeline.prompt_embeds is None:
            raise ValueError("a model in training needs its prompt_embeds")
        self.module = NoiseLoss(
            pipeline.network,
            pipeline.scheduler,
            pipeline.prompt_embeds,
            *self.place_weights(),
            noisy_reference=pipeline.sampling.reference == "noised",
        )

    def place_weights(self) -> tuple[float, float]:
        """What hands and faces count more than the rest."""
        return 0.0, 0.0

    def trained(self) -> Iterable[nn.Parameter]:
        return [p for p in self.pipeline.network.parameters() if p.requires_grad]

    def rates(self) -> list[dict[str, Any]]:
        return [{"params": list(self.trained()), "lr": self.settings.learning_rate}]

    def finish(self) -> None:
        """Nothing to add: the weights say it all."""

    def _batch(
        self, references: np.ndarray, targets: np.ndarray, seed: int, step: int, conditional: int
    ) -> dict[str, Any]:
        draw = torch.Generator().manual_seed(seed * 1_000_003 + step)
        latents = self.latents[torch.from_numpy(targets)].float()
        count = len(references)
        # one timestep from each of `count` equal parts of the schedule: less noise between batches
        last = self.pipeline.scheduler.config.num_train_timesteps
        strata = (torch.randperm(count, generator=draw) + torch.rand(count, generator=draw)) / count
        maps = torch.from_numpy(self.clips.pose_maps[targets]).permute(0, 1, 4, 2, 3).float() / 255
        return {
            "latents": latents,
            "noise": torch.randn(latents.shape, generator=draw),
            "timestep": (strata * last).long().clamp(max=last - 1),
            "reference": self.latents[torch.from_numpy(references)].float(),
            "pose_maps": maps,
            "conditional": conditional,
        }

    def samples(self) -> np.ndarray:
        """Held-out clips in rows: reference, pose map, result, truth."""
        rows = []
        for clip in range(min(len(self.held_out), 6)):
            first, last = self.held_out.starts[clip], self.held_out.starts[clip + 1] - 1
            maps = self.held_out.pose_maps[last : last + 1]
            reference, truth = self.held_out.frames[first], self.held_out.frames[last]
            made = next(iter(self.pipeline(reference, maps, num_inference_steps=10, seed=clip)))
            rows.append(np.concatenate([reference, maps[0], made, truth], axis=1))
        half = (len(rows) + 1) // 2
        columns = [np.concatenate(rows[:half])]
        if len(rows) == 2 * half:
            columns.append(np.concatenate(rows[half:]))
        return np.concatenate(columns, axis=1)


class TrainPose(_TrainNetwork):
    """Appearance net and pose ControlNet (paper 4.3); the UNet too where the recipe says so."""

    settings: PoseStage

    def __init__(
        self, settings: PoseStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings = settings
        super().__init__(pipeline, clips, held_out)
        pipeline.unet.requires_grad_(settings.train_unet).train()
        pipeline.pose_controlnet.requires_grad_(True).train()
        pipeline.appearance_unet.requires_grad_(True).train()
        freeze_unreached(pipeline.appearance_unet)

    def place_weights(self) -> tuple[float, float]:
        return self.settings.hand_weight, self.settings.face_weight

    def batch(self, seed: int, step: int) -> dict[str, Any]:
        count = self.settings.batch_size
        references, targets = self.clips.pairs(seed, step, count, self.settings.targets_per_reference)
        draw = np.random.default_rng([seed, step, 1])
        dropped = draw.binomial(count, self.settings.drop_conditions)
        batch = self._batch(references, targets, seed, step, count - int(dropped))
        masked = torch.from_numpy(draw.random(count) < self.settings.mask_face)
        batch["pose_maps"][masked] = without_face(batch["pose_maps"][masked])
        return batch


class TrainMotion(_TrainNetwork):
    """The motion module on consecutive frames, all else frozen (paper appendix C)."""

    settings: MotionStage

    def __init__(
        self, settings: MotionStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        super().__init__(pipeline, clips, held_out)
        self.settings = settings
        pipeline.network.requires_grad_(False).train()
        pipeline.motion_adapter.requires_grad_(True).train()

    def batch(self, seed: int, step: int) -> dict[str, Any]:
        references, targets = self.clips.runs(seed, step, self.settings.batch_size, self.settings.frames)
        return self._batch(references, targets, seed, step, len(references))


def without_face(pose_maps: Tensor) -> Tensor:
    """Pose maps ``(... 3 H W)`` without face points: what is white or grey, which no other stroke is."""
    return pose_maps * (pose_maps.amin(-3, keepdim=True) < 0.1)


def freeze_unreached(appearance_unet: UNet2DConditionModel) -> None:
    """Freeze what the loss never reaches: all that follows the last self-attention's input.

    The bank's last entry is written before the last transformer block's attention; nothing reads what comes after
    (24 tensors at SD1.5's depth).
    """
    last = appearance_unet.up_blocks[-1].attentions[-1]
    block = last.transformer_blocks[-1]
    for dead in (block.attn1, block.norm2, block.attn2, block.norm3, block.ff, last.proj_out):
        dead.requires_grad_(False)
    appearance_unet.conv_norm_out.requires_grad_(False)
    appearance_unet.conv_out.requires_grad_(False)


def encode_clips(pipeline: MagicPosePipeline, clips: Clips) -> Tensor:
    """Latents of all frames, fp16 ``(n c h w)``, on the CPU."""
    latents = []
    with console.progress("encoding clips", total=len(clips.frames)) as stage:
        for start in range(0, len(clips.frames), 8):
            part = clips.frames[start : start + 8]
            latents.append(pipeline.encode(part).cpu().half())
            stage.advance(len(part))
    return torch.cat(latents)


def _to_pixels(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
