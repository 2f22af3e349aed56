"""Between pictures and what the networks see of them: the VAE's latents, CLIP's embedding."""

from __future__ import annotations

import math

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional
from transformers import CLIPVisionModelWithProjection

from ..errors import MagicPoseError

CLIP_NORMALISATION = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""Mean and standard deviation of red, green and blue in [0, 1] that CLIP was trained with."""


def fold_of(vae: AutoencoderKL) -> int:
    """Side in px of the squares that a VAE takes as channels: 1 for SD's three, 4 for 48 channels.

    Folding spares a small VAE its widest pictures, where a CPU spends most of its time.
    """
    return math.isqrt(vae.config.in_channels // 3)


def vae_dtype(vae: AutoencoderKL, dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """The number format of a VAE beside networks in `dtype`: fp32 at least, where that is not exact enough.

    SD's overflows in fp16. bf16 has half a grey level's steps near white; on a CPU a VAE's share of the time is small.
    """
    is_exact = device.type != "cpu" and not (dtype is torch.float16 and vae.config.force_upcast)
    return dtype if is_exact else torch.promote_types(dtype, torch.float32)


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: np.ndarray) -> Tensor:
    """Encode uint8 ``(f H W 3)`` to scaled latents ``(f c h w)``, the posterior's mode."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    pixels = pixels.to(vae.device, vae.dtype) / 127.5 - 1
    folded = functional.pixel_unshuffle(pixels, fold_of(vae))
    return vae.encode(folded).latent_dist.mode() * vae.config.scaling_factor


def decode(vae: AutoencoderKL, latents: Tensor) -> np.ndarray:
    """Decode scaled latents ``(f c h w)`` to uint8 ``(f H W 3)``, frame by frame; errors as `decode_there`."""
    return decode_there(vae, latents).cpu().numpy()


@torch.no_grad()
def decode_there(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Decode scaled latents ``(f c h w)`` to uint8 ``(f H W 3)`` on the VAE's device, frame by frame.

    Raises:
        MagicPoseError: latents that are not numbers, as an overflow in half precision leaves them.
    """
    if not bool(torch.isfinite(latents).all()):
        raise MagicPoseError(
            expected="latents that are numbers",
            found="infinities or NaN",
            remedy="Use --dtype bf16 or fp32.",
        )
    frames = []
    for latent in latents:  # one at a time: a frame's pixels must not depend on its neighbours in a batch
        scaled = latent[None].to(vae.device, vae.dtype) / vae.config.scaling_factor
        folded = vae.decode(scaled, return_dict=False)[0]
        pixels = functional.pixel_shuffle(folded, fold_of(vae))
        frames.append(((pixels.float().clamp(-1, 1) + 1) * 127.5).round().byte()[0])
    return torch.stack(frames).permute(0, 2, 3, 1)


@torch.no_grad()
def embed_picture(image_encoder: CLIPVisionModelWithProjection, pictures: np.ndarray) -> Tensor:
    """What takes a prompt's place in a model with an image encoder: CLIP's embedding ``(1 r d)`` of the references.

    Scaled to CLIP's square and normalised as SD Image Variations was trained.

    Args:
        image_encoder: CLIP's.
        pictures: uint8 ``(r H W 3)``.
    """
    side = int(image_encoder.config.image_size)  # type: ignore[arg-type]
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
    pixels = functional.interpolate(pixels, (side, side), mode="bicubic", antialias=False)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in CLIP_NORMALISATION)
    seen = ((pixels - mean) / deviation).to(image_encoder.device, image_encoder.dtype)
    return image_encoder(seen).image_embeds[None]
