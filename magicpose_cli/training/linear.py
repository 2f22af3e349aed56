"""A fresh VAE that starts as a principal component analysis of the training pictures.

Gradient descent finds a small VAE's edges first and its colours after hours: mini's first one was below a plain
principal component analysis of 16 px squares (26.4 against 28.0 dB). A network of residual blocks can be one from the
start, and then only has to learn what is better:

    each level's hidden state = components of its squares, weak ones strengthened (`_HALF`), and two constants
    down: components of four squares' components        up: the same map backwards, fitted by least squares
    residual branches: silent                           final SiLU: far on its straight side

With one normalisation group the constants outweigh the rest, so normalisation changes no picture's contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from ..diffusion.codec import fold_of
from ..errors import RecipeError

LOOKED_AT = 256
"""Pictures are enough to compute components from."""
_CONSTANTS = 2  # hidden channels +K and -K
_HALF = 0.5  # a hidden state is a component by its deviation to this power: 0 as it is, 1 all equally strong
_CONSTANT_SHARE = 4.0  # K squared, by the energy of all components together
_SHIFT, _GAIN = 4.0, 0.7  # of the final normalisation: SiLU is straight to 0.5 % around 4
_RIDGE = 1e-4


@dataclass(frozen=True)
class _Level:
    """Components of one level's squares: ``coefficients = basis.T @ (inputs - mean)``, all sorted by strength."""

    mean: Tensor  # (inputs)
    basis: Tensor  # (inputs components)
    deviation: Tensor  # (components)
    maps: Tensor  # (n components h w), coefficients of the pictures

    @property
    def strengths(self) -> Tensor:
        """What a coefficient is divided by to be a hidden state."""
        return self.deviation**_HALF


@torch.no_grad()
def start_linear(vae: AutoencoderKL, frames: np.ndarray) -> None:
    """Make a fresh VAE encode to, and decode from, the strongest principal components of pictures.

    Args:
        vae: of one width at all levels and one normalisation group.
        frames: uint8 ``(n H W 3)``, `LOOKED_AT` or about as many.

    Raises:
        RecipeError: the VAE has levels of different widths or several normalisation groups.
    """
    widths = set(vae.config.block_out_channels)
    if len(widths) > 1 or vae.config.norm_num_groups != 1:
        raise RecipeError(
            expected="linear_start with block_out_channels of one width and norm_num_groups 1",
            found=f"{list(vae.config.block_out_channels)}, {vae.config.norm_num_groups}",
            remedy="Change the recipe's vae_shape, or leave linear_start out.",
        )
    levels = _analyse(vae, frames, widths.pop())
    for name, module in vae.named_modules():
        if name.endswith("conv2"):  # the residual branches' last layers
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    for encoder_block, decoder_block, level in zip(
        vae.encoder.down_blocks, reversed(vae.decoder.up_blocks), levels, strict=True
    ):
        for resnet in [*encoder_block.resnets, *decoder_block.resnets]:
            _set_norm(resnet.norm1, level, 1.0, 0.0)
    for resnet in [*vae.encoder.mid_block.resnets, *vae.decoder.mid_block.resnets]:
        _set_norm(resnet.norm1, levels[-1], 1.0, 0.0)
    _set_encoder(vae, levels)
    _set_decoder(vae, levels)


def _analyse(vae: AutoencoderKL, frames: np.ndarray, width: int) -> list[_Level]:
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    inputs = functional.pixel_unshuffle(pixels, fold_of(vae))
    levels = []
    for _ in vae.config.block_out_channels:
        flat = inputs.transpose(0, 1).flatten(1)
        mean = flat.mean(1)
        variance, basis = torch.linalg.eigh(torch.cov(flat))
        count = min(width - _CONSTANTS, len(mean))
        basis = basis.flip(1)[:, :count]
        deviation = variance.flip(0)[:count].clamp(min=1e-6).sqrt()
        maps = torch.einsum("ic,nihw->nchw", basis, inputs - mean[:, None, None])
        levels.append(_Level(mean, basis, deviation, maps))
        inputs = functional.pixel_unshuffle(maps, 2) if maps.shape[-1] % 2 == 0 else maps
    return levels


def _constant(level: _Level) -> float:
    return float((_CONSTANT_SHARE * (level.strengths**2).sum()).sqrt())


def _set_norm(norm: nn.GroupNorm, level: _Level, gain: float, shift: float) -> None:
    """Unit deviation, times gain, for every component."""
    count = len(level.deviation)
    energy = (level.strengths**2).sum() * (1 + 2 * _CONSTANT_SHARE)
    typical = (energy / norm.num_channels).sqrt()
    nn.init.constant_(norm.weight, 0.1)
    norm.weight.data[:count] = gain * typical / level.strengths
    nn.init.constant_(norm.bias, shift)


def _set_conv(conv: nn.Conv2d, weight: Tensor, bias: Tensor, constant: float) -> None:
    """Give a convolution the kernel ``(out in 3 3)``; rows beyond it are silent but for two constants."""
    kernel, offset = torch.zeros(conv.weight.shape), torch.zeros(conv.out_channels)
    kernel[: weight.shape[0], : weight.shape[1]] = weight
    offset[: len(bias)] = bias
    if constant:
        offset[-2], offset[-1] = constant, -constant
    conv.load_state_dict({"weight": kernel, "bias": offset})


def _centre(matrix: Tensor) -> Tensor:
    return functional.pad(matrix[:, :, None, None], (1, 1, 1, 1))


def _straight(matrix: Tensor, level: _Level) -> tuple[Tensor, Tensor]:
    """Kernel and bias that read `matrix` @ unit components through the final normalisation and SiLU."""
    at = torch.tensor(_SHIFT, requires_grad=True)
    with torch.enable_grad():
        value = functional.silu(at)
        (slope,) = torch.autograd.grad(value, at)
    weight = matrix / (_GAIN * slope)
    return _centre(weight), -weight.sum(1) * value.detach()


def _set_encoder(vae: AutoencoderKL, levels: list[_Level]) -> None:
    encoder = vae.encoder
    first, last = levels[0], levels[-1]
    weight = first.basis.T / first.strengths[:, None]
    _set_conv(encoder.conv_in, _centre(weight), -weight @ first.mean, _constant(first))
    for block, fine, coarse in zip(encoder.down_blocks, levels, levels[1:], strict=False):
        weight = coarse.basis.T / coarse.strengths[:, None]
        bias = -weight @ coarse.mean
        squares = weight.view(len(weight), -1, 2, 2) * fine.strengths[:, None, None]
        _set_conv(block.downsamplers[0].conv, functional.pad(squares, (0, 1, 0, 1)), bias, _constant(coarse))
    _set_norm(encoder.conv_norm_out, last, _GAIN, _SHIFT)
    latents = vae.config.latent_channels
    unit = last.strengths[:latents]
    # latents of unit deviation on average, the strong components stronger
    weight, bias = _straight(torch.diag(unit / unit.square().mean().sqrt()), last)
    _set_conv(encoder.conv_out, weight, bias, 0)
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.copy_(torch.eye(conv.out_channels)[:, :, None, None])
        nn.init.zeros_(conv.bias)


def _set_decoder(vae: AutoencoderKL, levels: list[_Level]) -> None:
    decoder = vae.decoder
    first, last = levels[0], levels[-1]
    unit = last.strengths[: vae.config.latent_channels]
    scale = float(unit.square().mean().sqrt())
    _set_conv(decoder.conv_in, _centre(scale * torch.eye(len(unit))), torch.zeros(0), _constant(last))
    for block, fine, coarse in zip(reversed(decoder.up_blocks[:-1]), levels, levels[1:], strict=False):
        weight, bias = _fit_upsampling(fine, coarse)
        _set_conv(block.upsamplers[0].conv, weight, bias, _constant(fine))
    _set_norm(decoder.conv_norm_out, first, _GAIN, _SHIFT)
    weight, bias = _straight(first.basis * first.deviation, first)
    _set_conv(decoder.conv_out, weight, bias + first.mean, 0)


def _fit_upsampling(fine: _Level, coarse: _Level) -> tuple[Tensor, Tensor]:
    """Least squares from a level's hidden states, each repeated 2x2, to the finer level's, over 3x3 places."""
    count = len(coarse.deviation)
    gram = torch.zeros(9 * count + 1, 9 * count + 1)
    product = torch.zeros(9 * count + 1, len(fine.deviation))
    for coarse_map, fine_map in zip(coarse.maps, fine.maps, strict=True):
        repeated = functional.interpolate(
            (coarse_map / coarse.strengths[:, None, None])[None], scale_factor=2.0, mode="nearest"
        )
        places = functional.unfold(repeated, 3, padding=1)[0]
        places = torch.cat([places, torch.ones(1, places.shape[1])])
        gram += places @ places.T
        product += places @ (fine_map / fine.strengths[:, None, None]).flatten(1).T
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    solved = torch.linalg.solve(gram, product).T
    return solved[:, :-1].reshape(-1, count, 3, 3), solved[:, -1]
