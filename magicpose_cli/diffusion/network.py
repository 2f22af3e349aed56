"""One noise prediction (paper Eq. 3 to 5): the four networks at one timestep.

    reference latent (b c h w) ──> appearance net ──> bank {layer: (b n d)}      read_reference, once a timestep
                                                        │
    noisy latents (b f c h w) ──┬──> UNet + motion module (Eq. 3) ──> prediction (b f c h w)     forward
                                │         ^ residuals ((b f) c h w)
    pose maps (b f 3 H W) ──────┴──> pose ControlNet

All networks get the same timestep and the same embedding of the empty prompt. Without bank and pose maps this is
the plain UNet: the unconditional branch of guidance.
"""

from __future__ import annotations

import math
from contextlib import ExitStack

import torch
from diffusers import ControlNetModel, MotionAdapter, UNet2DConditionModel
from torch import Tensor, nn

from .bank import Bank, BankLink
from .motion import with_motion
from .pose_embeddings import in_place_of_maps


def position_channels(
    count: int, height: int, width: int, device: torch.device | str | None = None
) -> Tensor:
    """Sines and cosines of the place in the picture, ``(count h w)`` in [-1, 1].

    A UNet whose ``in_channels`` exceed its ``out_channels`` gets them beside its latents: a small model trained
    from nothing finds the same place in reference and frame at once, which a large one has learnt. SD has none.

    Args:
        count: a multiple of 4; each four are sine and cosine along height and width of one frequency.
        height, width: of the latents.
        device: where they are made; a GPU would wait for each copy from the CPU.
    """
    if count % 4:
        raise ValueError(f"position channels come in fours, not {count}")
    y = (torch.arange(height, device=device) + 0.5)[:, None].expand(height, width) / height
    x = (torch.arange(width, device=device) + 0.5)[None, :].expand(height, width) / width
    waves = []
    for frequency in range(1, count // 4 + 1):
        for place in (y, x):
            angle = math.pi * frequency * place
            waves += [torch.sin(angle), torch.cos(angle)]
    return torch.stack(waves)[:count] if waves else torch.zeros(0, height, width, device=device)


class MagicPoseNetwork(nn.Module):
    """UNet, appearance net, pose ControlNet and motion module as one network.

    Args:
        unet: the denoising UNet (frozen SD in the paper).
        appearance_unet: its trainable copy that reads the reference.
        pose_controlnet: reads the pose maps; None is the paper's stage 1, without a pose.
        motion_adapter: temporal layers, or None: then frames are independent of each other.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        appearance_unet: UNet2DConditionModel,
        pose_controlnet: ControlNetModel | None,
        motion_adapter: MotionAdapter | None = None,
    ) -> None:
        super().__init__()
        self.has_motion = motion_adapter is not None
        self.unet = with_motion(unet, motion_adapter) if motion_adapter is not None else unet
        self.appearance_unet = appearance_unet
        self.pose_controlnet = pose_controlnet
        self.link = BankLink(appearance_unet, self.unet)
        self._num_positions = unet.config.in_channels - unet.config.out_channels

    def with_positions(self, latents: Tensor) -> Tensor:
        """Latents ``(n c h w)`` with the `position_channels` that the UNet takes beside them, if it takes any."""
        if not self._num_positions:
            return latents
        height, width = latents.shape[-2:]
        waves = position_channels(self._num_positions, height, width, latents.device).to(latents)
        return torch.cat([latents, waves.expand(latents.shape[0], -1, -1, -1)], dim=1)

    def read_reference(self, reference_latent: Tensor, timestep: Tensor, prompt_embeds: Tensor) -> Bank:
        """Run the appearance net on clean reference latents.

        Args:
            reference_latent: ``(b c h w)``.
            timestep: ``(b,)``; the current one, although the latent is clean (reference implementation).
            prompt_embeds: ``(1 n d)``, or each sample's own, ``(b n d)``.
        """
        self.appearance_unet(
            self.with_positions(reference_latent),
            timestep,
            prompt_embeds.expand(reference_latent.shape[0], -1, -1),
            return_dict=False,
        )
        return self.link.collect()

    def embed_pose(self, pose_maps: Tensor) -> Tensor:
        """What the ControlNet makes of pose maps ``(f 3 H W)`` before it looks at latents: ``(f d h w)``.

        Raises:
            ValueError: this network has no ControlNet.
        """
        embed = self._controlnet().controlnet_cond_embedding
        return embed(pose_maps.to(embed.conv_in.weight))

    def _controlnet(self) -> ControlNetModel:
        if self.pose_controlnet is None:
            raise ValueError("this network has no pose ControlNet: pose_maps must be None")
        return self.pose_controlnet

    def forward(
        self,
        latents: Tensor,
        timestep: Tensor,
        prompt_embeds: Tensor,
        bank: Bank | None = None,
        pose_maps: Tensor | None = None,
        *,
        pose_embeds: Tensor | None = None,
        appearance_scale: float = 1.0,
        pose_scale: float = 1.0,
    ) -> Tensor:
        """Predict, in the model's prediction type, from noisy latents.

        Args:
            latents: ``(b f c h w)``.
            timestep: ``(b,)``.
            prompt_embeds: ``(1 n d)``, or each sample's own, ``(b n d)``.
            bank: from `read_reference` with the same b, or None for the plain UNet.
            pose_maps: ``(b f 3 H W)`` in [0, 1], or None for no ControlNet.
            pose_embeds: what `embed_pose` made of them, ``(b f d h w)``, in their place.
            appearance_scale, pose_scale: as in `Controls`.

        Returns:
            ``(b f c h w)``.

        Raises:
            ValueError: pose maps for a network without a ControlNet.
        """
        batch, frames = latents.shape[:2]
        flat = self.with_positions(latents.flatten(0, 1))
        flat_timestep = timestep.repeat_interleave(frames)
        text = prompt_embeds.expand(batch, -1, -1).repeat_interleave(frames, dim=0)
        down, mid = None, None
        if pose_scale != 0 and (pose_maps is not None or pose_embeds is not None):
            with ExitStack() as stack:
                if pose_embeds is not None:
                    maps = stack.enter_context(
                        in_place_of_maps(self._controlnet(), pose_embeds.flatten(0, 1))
                    )
                elif pose_maps is not None:
                    maps = pose_maps.flatten(0, 1)
                down, mid = self._controlnet()(
                    flat,
                    flat_timestep,
                    text,
                    controlnet_cond=maps,
                    conditioning_scale=pose_scale,
                    return_dict=False,
                )
        self.link.hand_over(bank, appearance_scale)
        if self.has_motion:
            clip = flat.unflatten(0, (batch, frames)).transpose(1, 2)  # (b c f h w)
            out = self.unet(
                clip,
                timestep,
                text,
                down_block_additional_residuals=down,
                mid_block_additional_residual=mid,
                return_dict=False,
            )[0]
            return out.transpose(1, 2)
        out = self.unet(
            flat,
            flat_timestep,
            text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
            return_dict=False,
        )[0]
        return out.unflatten(0, (batch, frames))
