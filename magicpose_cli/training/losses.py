"""What is minimised: a VAE's reconstruction, and the network's prediction (paper Eq. 4 and 5)."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import Tensor, nn
from torch.nn import functional

from ..diffusion.codec import fold_of
from ..diffusion.network import MagicPoseNetwork
from ..recipe import VaeStage


class VaeLoss(nn.Module):
    """Error of the reconstruction and of its edges, counted more at hands and face, and a little KL.

    The KL term keeps latents small. Edges are differences of neighbouring pixels: what makes a face one.
    """

    def __init__(self, vae: AutoencoderKL, settings: VaeStage) -> None:
        super().__init__()
        self.vae, self.settings = vae, settings

    def forward(self, pixels: Tensor, pose_maps: Tensor, noise: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            pixels: pictures, uint8 ``(b 3 H W)``.
            pose_maps: uint8 or [0, 1] ``(b 3 H W)``.
            noise: of unit deviation, ``(b c h w)`` as the latents.
        """
        fold = fold_of(self.vae)
        pixels, pose_maps = pixels.float() / 127.5 - 1, as_unit(pose_maps)
        posterior = self.vae.encode(functional.pixel_unshuffle(pixels, fold)).latent_dist
        # the mode, not a sample: at the start a sample's noise drowns the colours for hundreds of steps
        latents = posterior.mode()
        latents = latents + self.settings.latent_noise * latents.detach().std() * noise
        again = functional.pixel_shuffle(self.vae.decode(latents).sample.float(), fold)
        weight = place_weight(pose_maps, self.settings.hand_weight, self.settings.face_weight)
        error = (again - pixels) * weight
        edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        absolute, squared = error.abs().mean(), (error * (again - pixels)).mean()
        return absolute + 2 * squared + edges / 2 + self.settings.kl_weight * posterior.kl().mean()


def as_unit(pose_maps: Tensor) -> Tensor:
    """Pose maps in [0, 1], as the networks take them, of bytes, as they come to a device."""
    return pose_maps.float() / 255 if pose_maps.dtype is torch.uint8 else pose_maps


def place_weight(pose_maps: Tensor, hand: float, face: float) -> Tensor:
    """What a pixel's error counts, ``(b 1 H W)`` with mean 1 in each picture: more at hands, joints and face.

    Args:
        pose_maps: [0, 1] ``(b 3 H W)``; face points are white, hands and joints in full colours, limbs darker.
        hand: added within about 10 px of hands, joints and face points.
        face: added within about 6 px of face points.
    """
    masks = torch.cat([pose_maps.amax(1, keepdim=True), pose_maps.amin(1, keepdim=True)], dim=1) > 0.9
    # on squares of 4 px: fine enough, and sixteen times as fast
    coarse = functional.max_pool2d(masks.float(), 4, ceil_mode=True)
    near = [functional.max_pool2d(coarse[:, [i]], 2 * reach + 1, 1, reach) for i, reach in ((0, 2), (1, 1))]
    weight = functional.interpolate(1 + hand * near[0] + face * near[1], scale_factor=4.0, mode="nearest")
    weight = weight[..., : pose_maps.shape[-2], : pose_maps.shape[-1]]
    return weight / weight.mean((1, 2, 3), keepdim=True)


def pixel_weights(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """How much a latent channel's error is in pixels, ``(c)`` with mean 1.

    Where latents have channels of unequal reach, a plain squared error is mostly that of details nobody sees, and says
    little about the colours of whole places.

    Args:
        vae: its decoder.
        latents: of real pictures, scaled, ``(b c h w)``.
    """
    draw = torch.Generator().manual_seed(0)
    noise = 0.3 * torch.randn(latents[:, 0].shape, generator=draw).to(latents)
    factor = vae.config.scaling_factor
    with torch.no_grad():
        whole = vae.decode(latents / factor).sample
        moved = []
        for channel in range(latents.shape[1]):
            other = latents.clone()
            other[:, channel] += noise
            moved.append((vae.decode(other / factor).sample - whole).square().mean())
    reach = torch.stack(moved).float()
    return reach / reach.mean()


class NetworkLoss(nn.Module):
    """What losses of the network hold besides it: what conditions it, and what a latent channel counts.

    Args:
        network: the four networks.
        prompt_embeds: ``(1 n d)``; None where each batch brings its own.
        channel_weights: as `pixel_weights` gives them; None counts all alike.
    """

    def __init__(
        self, network: MagicPoseNetwork, prompt_embeds: Tensor | None, channel_weights: Tensor | None
    ) -> None:
        super().__init__()
        self.network = network
        weights = None if channel_weights is None else channel_weights[:, None, None]
        self.channel_weights: Tensor | None
        self.register_buffer("channel_weights", weights, persistent=False)
        stored = None if prompt_embeds is None else nn.Parameter(prompt_embeds, requires_grad=False)
        self.prompt_embeds: nn.Parameter | None
        self.register_parameter("prompt_embeds", stored)

    def embeds_for(self, count: int, own: Tensor | None) -> Tensor:
        """Embeddings ``(count n d)``: a batch's own, or the prompt's.

        Raises:
            ValueError: neither is there.
        """
        if own is not None:
            return own
        if self.prompt_embeds is None:
            raise ValueError("a batch without embeds, and no prompt_embeds")
        return self.prompt_embeds.expand(count, -1, -1)


class NoiseLoss(NetworkLoss):
    """Mean squared error of the whole network's prediction (Eq. 4 without pose maps, Eq. 5 with them).

    In the model's prediction type. With `noisy_reference` the reference gets its first target's noise and timestep,
    as the reference implementation does it where its reference is not clean.

    Args:
        network: the four networks.
        scheduler: its noise schedule.
        prompt_embeds: ``(1 n d)``; None where each batch brings its own.
        hand_weight: as in `place_weight`; the paper has none.
        face_weight: as in `place_weight`; the paper has none.
        channel_weights: as `pixel_weights` gives them; None, the paper's, counts all alike.
        noisy_reference: as above.
    """

    _no_split_modules = ("BasicTransformerBlock", "ResnetBlock2D")
    """Under FSDP, what is gathered as one (accelerate asks a model for it by this name)."""

    def __init__(
        self,
        network: MagicPoseNetwork,
        scheduler: DDIMScheduler,
        prompt_embeds: Tensor | None,
        hand_weight: float = 0.0,
        face_weight: float = 0.0,
        *,
        channel_weights: Tensor | None = None,
        noisy_reference: bool = False,
    ) -> None:
        super().__init__(network, prompt_embeds, channel_weights)
        self.scheduler, self.noisy_reference = scheduler, noisy_reference
        self.weights = (hand_weight, face_weight)

    def forward(
        self,
        latents: Tensor,
        noise: Tensor,
        timestep: Tensor,
        reference: Tensor | None,
        pose_maps: Tensor | None,
        conditional: int,
        embeds: Tensor | None = None,
    ) -> Tensor:
        """Loss of a batch.

        Args:
            latents: clean ``(b f c h w)``.
            noise: ``(b f c h w)``.
            timestep: ``(b,)``.
            reference: clean reference latents ``(b c h w)``, or None for no bank.
            pose_maps: uint8 or [0, 1] ``(b f 3 H W)``, or None for the paper's stage 1.
            conditional: the first so many of the batch have bank and pose, the rest neither.
            embeds: ``(b n d)``, each sample's own in the prompt's place.

        Raises:
            ValueError: no embedding at all.
        """
        if pose_maps is not None:
            pose_maps = as_unit(pose_maps)
        embeds = self.embeds_for(len(latents), embeds)
        frames = latents.shape[1]
        steps = timestep.repeat_interleave(frames)
        flat, flat_noise = latents.flatten(0, 1), noise.flatten(0, 1)
        noisy = self.scheduler.add_noise(flat, flat_noise, steps).view_as(latents)
        if self.scheduler.config.prediction_type == "v_prediction":
            wanted = self.scheduler.get_velocity(flat, flat_noise, steps).view_as(latents)
        else:
            wanted = latents if self.scheduler.config.prediction_type == "sample" else noise
        parts = []
        if conditional:
            own = slice(0, conditional)
            bank = None
            if reference is not None:
                if self.noisy_reference:
                    reference = self.scheduler.add_noise(reference, noise[:, 0], timestep)
                bank = self.network.read_reference(reference[own], timestep[own], embeds[own])
            maps = None if pose_maps is None else pose_maps[own]
            parts.append(self.network(noisy[own], timestep[own], embeds[own], bank, maps))
        if conditional < len(latents):
            plain = slice(conditional, None)
            parts.append(self.network(noisy[plain], timestep[plain], embeds[plain]))
        error = (torch.cat(parts).float() - wanted.float()).square()
        if self.channel_weights is not None:
            error = error * self.channel_weights
        if any(self.weights) and pose_maps is not None:
            weight = place_weight(pose_maps.flatten(0, 1), *self.weights)
            height, width = latents.shape[-2:]
            error = error.flatten(0, 1) * functional.adaptive_avg_pool2d(weight, (height, width))
        return error.mean()
