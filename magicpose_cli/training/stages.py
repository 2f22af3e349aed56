"""The stages: what trains, what is frozen, which loss. The first and the last are `vae_stage` and `distill_stage`.

    stage        trains                            frozen       loss
    vae          VAE                               -            reconstruction + KL
    base         UNet                              VAE          noise prediction on single pictures
    appearance   appearance net                    UNet, VAE    Eq. 4, two frames of one video
    pose         appearance net, pose ControlNet   UNet, VAE    Eq. 5, two frames of one video
    motion       motion module                     all else     Eq. 5 on consecutive frames
    distill      UNet, motion module               all else     where its teacher lands in many steps

In ``appearance`` and ``pose`` the UNet trains too where the recipe says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from ..diffusion.controls import Controls
from ..diffusion.pipeline import MagicPosePipeline
from ..recipe import (
    AppearanceStage,
    BaseStage,
    MotionStage,
    NetworkStage,
    PoseStage,
)
from .data import Clips, Drawn
from .embeddings import embed_clips
from .latents import encode_clips
from .losses import NoiseLoss, pixel_weights
from .samples import grid, strips
from .stage import WHOLE, Share, channels_first


class TrainNetwork:
    """What the stages of the network share: latents made once, noise by (seed, step), sample grids."""

    settings: NetworkStage

    def __init__(
        self,
        pipeline: MagicPosePipeline,
        clips: Clips,
        held_out: Clips,
        trained: Iterable[nn.Module],
        place_weights: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.pipeline, self.clips, self.held_out = pipeline, clips, held_out
        pipeline.vae.eval().requires_grad_(False)
        self.latents = encode_clips(pipeline, clips)
        self.embeddings = None
        if pipeline.image_encoder is not None:
            self.embeddings = embed_clips(pipeline.image_encoder, clips)
        elif pipeline.prompt_embeds is None:
            raise ValueError("a model in training needs its prompt_embeds, or an image encoder")
        pipeline.network.requires_grad_(False).train()
        for part in trained:
            part.requires_grad_(True)
        freeze_unreached(pipeline.appearance_unet)
        if self.settings.gradient_checkpointing:
            network: Any = pipeline.network
            for module in (network.unet, network.appearance_unet, network.pose_controlnet):
                if module is not None:
                    module.enable_gradient_checkpointing()
        self._place_weights = place_weights

    @cached_property
    def module(self) -> nn.Module:
        """The loss with the network in it, made when it is first asked for: the held-out stage's never is."""
        return NoiseLoss(
            self.pipeline.network,
            self.pipeline.scheduler,
            self.pipeline.prompt_embeds,
            *self._place_weights,
            channel_weights=self.pixel_weights(),
            noisy_reference=self.pipeline.sampling.reference == "noised",
        )

    def pixel_weights(self) -> Tensor | None:
        """As the loss takes them, where the recipe asks for them."""
        if not self.settings.pixel_weights:
            return None
        vae, shown = self.pipeline.vae, self.clips.spread(16)
        latents = self.latents(shown, self.clips.middle_rows(shown))
        return pixel_weights(vae, latents.to(vae.device, vae.dtype))

    def trained(self) -> Iterable[nn.Parameter]:
        return [p for p in self.pipeline.network.parameters() if p.requires_grad]

    @property
    def may_skip_parameters(self) -> bool:
        # a share whose conditions are all dropped reaches neither bank nor pose
        return getattr(self.settings, "drop_conditions", 0) > 0

    def rates(self) -> list[dict[str, Any]]:
        return [{"params": list(self.trained()), "lr": self.settings.learning_rate}]

    def finish(self) -> None:
        """Nothing to add: the weights say it all."""

    def gather(
        self,
        drawn: Drawn,
        seed: int,
        step: int,
        share: Share,
        *,
        conditional: int,
        hidden: Sequence[Sequence[str]] | None,
    ) -> dict[str, Any]:
        """Draw noise and timesteps for a whole batch and gather its share.

        Args:
            drawn: its frames, and where they are cut.
            seed, step: of the noise.
            share: which rows to gather.
            conditional: the first so many of the whole batch have a bank and a pose, the rest neither.
            hidden: what each reference's pose maps lack, for the whole batch; None for no pose maps.
        """
        draw = torch.Generator().manual_seed(seed * 1_000_003 + step)
        count, rows = len(drawn.references), share.rows(len(drawn.references))
        # one timestep from each of `count` equal parts of the schedule: less noise between batches
        strata = (torch.randperm(count, generator=draw) + torch.rand(count, generator=draw)) / count
        targets, cut = drawn.targets[rows], drawn.rows[rows]
        latents = self.latents(targets, cut)
        noise = torch.randn((*drawn.targets.shape, *latents.shape[2:]), generator=draw)
        maps = None
        if hidden is not None:
            maps = np.stack(
                [
                    self.clips.pose_maps(own, np.full(len(own), row), without)
                    for own, row, without in zip(targets, cut, hidden[rows], strict=True)
                ]
            )
        return {
            "latents": latents,
            "noise": noise[rows],
            "timestep": self.timesteps(strata)[rows],
            "reference": self.latents(drawn.references[rows], cut),
            "embeds": None if self.embeddings is None else self.embeddings(drawn.references[rows]),
            "pose_maps": None if maps is None else channels_first(maps),
            "conditional": min(max(conditional - rows.start, 0), rows.stop - rows.start),
        }

    def timesteps(self, shares: Tensor) -> Tensor:
        """Timesteps ``(b,)`` at shares of the schedule, 0 to 1."""
        last = self.pipeline.scheduler.config.num_train_timesteps
        return (shares * last).long().clamp(max=last - 1)

    def samples(self) -> np.ndarray:
        """Pictures of held-out clips to watch it learn, as `grid` and `strips` lay them out."""
        lay_out = strips if self.pipeline.network.has_motion else grid
        return lay_out(self.pipeline, self.held_out, self.shown())

    def shown(self) -> dict[str, Any]:
        """How the sample pictures are made: the conditions that this stage has not trained are left out."""
        return {}


class TrainBase(TrainNetwork):
    """The UNet on single pictures: what SD brings, and a model made from nothing must learn first."""

    settings: BaseStage

    def __init__(
        self, settings: BaseStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings = settings
        super().__init__(pipeline, clips, held_out, [pipeline.unet])

    def batch(self, seed: int, step: int, share: Share = WHOLE) -> dict[str, Any]:
        drawn = self.clips.pairs(seed, step, self.settings.batch_size, 1)
        return self.gather(drawn, seed, step, share, conditional=0, hidden=None)

    def finish(self) -> None:
        """The appearance net starts as the UNet's copy (paper 4.2), and the ControlNet as its encoder's."""
        pipeline = self.pipeline
        pipeline.appearance_unet.load_state_dict(pipeline.unet.state_dict())
        own = pipeline.pose_controlnet.state_dict()
        shared = {name: t for name, t in pipeline.unet.state_dict().items() if name in own}
        pipeline.pose_controlnet.load_state_dict({**own, **shared})

    def shown(self) -> dict[str, Any]:
        return {"guidance_scale": 0.0}


class TrainAppearance(TrainNetwork):
    """The appearance net without a pose (paper 4.2); the UNet too where the recipe says so."""

    settings: AppearanceStage

    def __init__(
        self, settings: AppearanceStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings = settings
        trained = [pipeline.appearance_unet, *([pipeline.unet] if settings.train_unet else [])]
        super().__init__(pipeline, clips, held_out, trained)

    def batch(self, seed: int, step: int, share: Share = WHOLE) -> dict[str, Any]:
        drawn, conditional = draw_pairs(self.clips, self.settings, seed, step)
        return self.gather(drawn, seed, step, share, conditional=conditional, hidden=None)

    def shown(self) -> dict[str, Any]:
        return {"controls": Controls(pose_scale=0), "guidance_scale": 1.0}


class TrainPose(TrainNetwork):
    """Appearance net and pose ControlNet (paper 4.3); the UNet too where the recipe says so."""

    settings: PoseStage

    def __init__(
        self, settings: PoseStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings = settings
        trained = [pipeline.pose_controlnet]
        if not settings.controlnet_alone:
            trained += [pipeline.appearance_unet, *([pipeline.unet] if settings.train_unet else [])]
        super().__init__(pipeline, clips, held_out, trained, (settings.hand_weight, settings.face_weight))

    def batch(self, seed: int, step: int, share: Share = WHOLE) -> dict[str, Any]:
        drawn, conditional = draw_pairs(self.clips, self.settings, seed, step)
        # each reference's targets lose their face or a hand together, as where a detector finds none (paper 5.4)
        count = len(drawn.references)
        draw = np.random.default_rng([seed, step, 2])
        no_face = draw.random(count) < self.settings.mask_face
        no_hand = draw.random((count, 2)) < self.settings.mask_hand
        hidden = [
            [part for part, hide in zip(("face", *HANDS), (face, *hands), strict=True) if hide]
            for face, hands in zip(no_face, no_hand, strict=True)
        ]
        batch = self.gather(drawn, seed, step, share, conditional=conditional, hidden=hidden)
        if self.settings.controlnet_alone:
            batch["reference"] = None
        return batch

    def shown(self) -> dict[str, Any]:
        return {"controls": Controls(appearance_scale=0)} if self.settings.controlnet_alone else {}


class TrainMotion(TrainNetwork):
    """The motion module on consecutive frames, all else frozen (paper appendix C)."""

    settings: MotionStage

    def __init__(
        self, settings: MotionStage, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
    ) -> None:
        self.settings = settings
        super().__init__(pipeline, clips, held_out, [pipeline.motion_adapter])

    def batch(self, seed: int, step: int, share: Share = WHOLE) -> dict[str, Any]:
        count = self.settings.batch_size
        drawn = self.clips.runs(seed, step, count, self.settings.frames)
        return self.gather(drawn, seed, step, share, conditional=count, hidden=[()] * count)


HANDS = ("left_hand", "right_hand")


def draw_pairs(clips: Clips, settings: AppearanceStage, seed: int, step: int) -> tuple[Drawn, int]:
    """References and targets, and how many of them keep their conditions (for Image-CFG, paper 5.2)."""
    count = settings.batch_size
    dropped = np.random.default_rng([seed, step, 1]).binomial(count, settings.drop_conditions)
    return clips.pairs(seed, step, count, settings.targets_per_reference), count - int(dropped)


def freeze_unreached(appearance_unet: UNet2DConditionModel) -> None:
    """Freeze what the loss never reaches: all that follows the last self-attention's input.

    The bank's last entry is written before the last transformer block's attention; nothing reads what comes after
    (24 tensors at SD1.5's depth).
    """
    ups = list(appearance_unet.up_blocks)
    reads = max(i for i, block in enumerate(ups) if getattr(block, "attentions", None))
    last = ups[reads].attentions[-1]
    block = last.transformer_blocks[-1]
    after = [block.attn1, block.norm2, block.attn2, block.norm3, block.ff, last.proj_out]
    after += [*(ups[reads].upsamplers or []), *ups[reads + 1 :]]
    for dead in (*after, appearance_unet.conv_norm_out, appearance_unet.conv_out):
        dead.requires_grad_(False)
