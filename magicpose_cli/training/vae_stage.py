"""Stage ``vae``: what gives a model without SD its pictures-to-latents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from ..diffusion.pipeline import MagicPosePipeline
from ..recipe import VaeStage
from .data import Clips
from .losses import VaeLoss
from .stage import WHOLE, Share, channels_first


class TrainVae:
    """The stage that gives a model without SD its pictures-to-latents."""

    def __init__(
        self, settings: VaeStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings, self.pipeline, self.clips, self.held_out = settings, pipeline, clips, held_out
        self.module = VaeLoss(pipeline.vae.requires_grad_(True).train(), settings)

    def trained(self) -> Iterable[nn.Parameter]:
        return self.pipeline.vae.parameters()

    may_skip_parameters = False

    def rates(self) -> list[dict[str, Any]]:
        vae, rate = self.pipeline.vae, self.settings.learning_rate
        outer = {*vae.encoder.conv_in.parameters(), *vae.encoder.conv_out.parameters()}
        outer |= set(vae.decoder.conv_out.parameters())
        inner = [p for p in vae.parameters() if p not in outer]
        slow = [p for p in vae.parameters() if p in outer]
        return [{"params": inner, "lr": rate}, {"params": slow, "lr": rate * self.settings.outer_rate}]

    def batch(self, seed: int, step: int, share: Share = WHOLE) -> dict[str, Any]:
        count = self.settings.batch_size
        size_px = self.settings.crop_px
        frames, pose_maps = self.clips.crops(seed, step, count, size_px, share.rows(count))
        draw = torch.Generator().manual_seed(seed * 1_000_003 + step)
        side = size_px // self.pipeline.latent_factor
        noise = torch.randn(count, self.pipeline.vae.config.latent_channels, side, side, generator=draw)
        return {
            "pixels": channels_first(frames),
            "pose_maps": channels_first(pose_maps),
            "noise": noise[share.rows(count)],
        }

    def finish(self) -> None:
        # SD's rule: latents of unit standard deviation
        pictures = self.clips.pictures(self.clips.spread(64))
        self.pipeline.vae.register_to_config(scaling_factor=1.0)
        deviation = torch.cat([self.pipeline.encode(picture[None]).cpu() for picture in pictures]).std()
        self.pipeline.vae.register_to_config(scaling_factor=float(1 / deviation))

    def samples(self) -> np.ndarray:
        shown = self.held_out.pictures(self.held_out.starts[: min(len(self.held_out), 6)])
        again = [self.pipeline.decode(self.pipeline.encode(frame[None]))[0] for frame in shown]
        return np.concatenate([np.concatenate(shown, axis=1), np.concatenate(again, axis=1)])
