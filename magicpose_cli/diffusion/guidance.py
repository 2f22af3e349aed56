"""Image-CFG (paper 5.2): one branch with bank and pose, one with neither, for one reference.

What does not change from step to step is settled once; the bank is read once a timestep and serves all windows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .bank import Bank, join_references
from .controls import Controls
from .network import MagicPoseNetwork


class GuidedNetwork:
    """The whole network for one reference.

    Args:
        network: the four networks.
        scheduler: whose noise goes on a noisy reference.
        reference_latent: ``(r c h w)``, r pictures of one person.
        text: prompt embedding ``(1 n d)``, on the networks' device and in their number format.
        controls: strength of bank and pose.
        reference_noise: noise ``(r c h w)`` to put on the reference at each timestep; None leaves it clean.
    """

    def __init__(
        self,
        network: MagicPoseNetwork,
        scheduler: Any,
        reference_latent: Tensor,
        text: Tensor,
        controls: Controls,
        reference_noise: Tensor | None,
    ) -> None:
        self._network, self._scheduler = network, scheduler
        self._reference, self._text = reference_latent.to(text), text
        self._noise = None if reference_noise is None else reference_noise.to(text).expand_as(self._reference)
        self._controls = controls
        self._bank: tuple[int, Bank] | None = None

    def __call__(
        self,
        latents: Tensor,
        timestep: int,
        scale: float,
        pose_maps: Tensor | None,
        pose_scale: float,
        pose_embeds: Tensor | None = None,
    ) -> Tensor:
        """Guided prediction ``(f c h w)`` in fp32 of noisy latents ``(f c h w)``, in the model's prediction type.

        Args:
            latents: with a motion module, consecutive frames.
            timestep: of all frames.
            scale: of guidance; 1 is the conditional branch alone, 0 the unconditional.
            pose_maps: float [0, 1] ``(f 3 H W)``, or None for no ControlNet.
            pose_scale: factor on the ControlNet's residuals.
            pose_embeds: what `MagicPoseNetwork.embed_pose` made of the maps, ``(f d h w)``, in their place.
        """
        clip = latents.to(self._text)[None]
        step = torch.tensor([timestep], device=clip.device)
        conditional = None
        if scale != 0:
            conditional = self._network(
                clip,
                step,
                self._text,
                self._read_reference(timestep) if self._controls.appearance_scale else None,
                None if pose_maps is None else pose_maps.to(self._text)[None],
                pose_embeds=None if pose_embeds is None else pose_embeds[None],
                appearance_scale=self._controls.appearance_scale,
                pose_scale=pose_scale,
            )[0].float()
        if scale == 1 and conditional is not None:
            return conditional
        unconditional = self._network(clip, step, self._text)[0].float()
        if conditional is None:
            return unconditional
        return unconditional + scale * (conditional - unconditional)

    def _read_reference(self, timestep: int) -> Bank:
        if self._bank is None or self._bank[0] != timestep:
            steps = torch.full((len(self._reference),), timestep, device=self._reference.device)
            latent = self._reference
            if self._noise is not None:
                latent = self._scheduler.add_noise(latent, self._noise, steps)
            bank = self._network.read_reference(latent, steps, self._text)
            self._bank = timestep, join_references(bank)
        return self._bank[1]
