"""Stage ``distill``: a student of the finished model that samples in few steps without guidance."""

from __future__ import annotations

from copy import deepcopy
from functools import cached_property
from typing import Any

from diffusers import DDIMScheduler
from torch import Tensor, nn

from ..diffusion.network import MagicPoseNetwork
from ..diffusion.pipeline import MagicPosePipeline
from ..recipe import DistillStage
from ..sampling import Preset
from .data import Clips
from .distillation import DistillLoss, DistillSchedule
from .stage import WHOLE, Share
from .stages import TrainNetwork


class TrainDistill(TrainNetwork):
    """The UNet, and the motion module where there is one, taught by what they were before."""

    settings: DistillStage

    def __init__(
        self, settings: DistillStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings = settings
        # from the noisiest timestep down; SD's own spacing would begin at 751 and spend a step on the last of 1000
        spacing = {"timestep_spacing": "trailing"}
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, **spacing)
        self.schedule = DistillSchedule(pipeline.scheduler, settings.student_steps, settings.teacher_steps)
        parts = (pipeline.unet, pipeline.motion_adapter)
        super().__init__(pipeline, clips, held_out, [part for part in parts if part is not None])

    @cached_property
    def module(self) -> nn.Module:
        """The loss with the student in it; what the UNet is now becomes the teacher, unless a state has another."""
        pipeline, scale = self.pipeline, self.settings.guidance_scale
        teacher = MagicPoseNetwork(
            deepcopy(pipeline.unet),
            pipeline.appearance_unet,
            pipeline.pose_controlnet,
            deepcopy(pipeline.motion_adapter),
        )
        teacher.unet.eval().requires_grad_(False)
        return DistillLoss(
            pipeline.network,
            teacher,
            self.schedule,
            pipeline.scheduler.config.prediction_type,
            pipeline.prompt_embeds,
            pipeline.sampling.guidance_scale if scale is None else scale,
            channel_weights=self.pixel_weights(),
            noisy_reference=pipeline.sampling.reference == "noised",
        )

    def timesteps(self, shares: Tensor) -> Tensor:
        """The first of each of the student's steps, all of them equally likely."""
        steps = self.settings.student_steps
        return self.schedule.timesteps[:, 0].to(shares.device)[(shares * steps).long().clamp(max=steps - 1)]

    def batch(self, seed: int, step: int, share: Share = WHOLE) -> dict[str, Any]:
        count, frames = self.settings.batch_size, self.settings.frames
        draw = self.clips.runs if self.pipeline.network.has_motion else self.clips.pairs
        batch = self.gather(
            draw(seed, step, count, frames), seed, step, share, conditional=count, hidden=[()] * count
        )
        del batch["conditional"]  # all are
        if self.pipeline.sampling.noise == "shared":  # as it will be sampled, which its first step depends on
            batch["noise"] = batch["noise"][:, :1].expand_as(batch["noise"])
        return batch

    def finish(self) -> None:
        """The model's own way of sampling becomes the student's, and there is no other."""
        own = Preset(**self.shown())
        update = {**self.shown(), "presets": {"fast": own, "draft": own}}
        self.pipeline.sampling = self.pipeline.sampling.model_copy(update=update)
        self.pipeline.register_to_config(sampling=self.pipeline.sampling.model_dump())

    def shown(self) -> dict[str, Any]:
        return {
            "num_inference_steps": self.settings.student_steps,
            "guidance_scale": 1.0,
            "solver": "ddim",
            "guided": (0.0, 1.0),
        }
