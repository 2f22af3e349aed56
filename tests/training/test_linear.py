"""The linear start: a fresh VAE is at least its pictures' principal component analysis, and refuses other shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from magicpose_cli.errors import RecipeError
from magicpose_cli.training.linear import start_linear

LATENTS = 6


def _vae(fold_px: int, widths: tuple[int, ...], groups: int = 1) -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3 * fold_px**2,
        out_channels=3 * fold_px**2,
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        latent_channels=LATENTS,
        norm_num_groups=groups,
        mid_block_add_attention=False,
    )


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Smooth random colours with an edge somewhere, uint8 (40 32 32 3)."""
    draw = np.random.default_rng(0)
    made = []
    for _ in range(40):
        corners = draw.uniform(0, 255, (2, 2, 3))
        y = np.linspace(0, 1, 32)[:, None, None]
        x = np.linspace(0, 1, 32)[None, :, None]
        ground = (1 - y) * ((1 - x) * corners[0, 0] + x * corners[0, 1])
        ground = ground + y * ((1 - x) * corners[1, 0] + x * corners[1, 1])
        ground[:, draw.integers(4, 28) :] = draw.uniform(0, 255, 3)
        made.append(ground)
    return np.stack(made).astype(np.uint8)


def _pixels(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def _error(vae: AutoencoderKL, pixels: torch.Tensor, fold_px: int) -> float:
    latents = vae.encode(functional.pixel_unshuffle(pixels, fold_px)).latent_dist.mode()
    again = functional.pixel_shuffle(vae.decode(latents).sample, fold_px)
    return float((again - pixels).square().mean())


def _principal_error(pixels: torch.Tensor, square_px: int) -> float:
    """Of numpy's own decomposition of the squares."""
    squares = functional.pixel_unshuffle(pixels, square_px).transpose(0, 1).flatten(1).numpy()
    squares = squares - squares.mean(1, keepdims=True)
    strengths = np.linalg.svd(squares, compute_uv=False) ** 2
    return float(strengths[LATENTS:].sum() / squares.size)


def test_a_vae_without_halvings_starts_near_a_principal_component_analysis(pictures):
    vae = _vae(8, (48,))
    start_linear(vae, pictures)
    pixels = _pixels(pictures)
    assert _error(vae, pixels, 8) < 1.3 * _principal_error(pixels, 8)


def test_a_vae_with_halvings_keeps_most(pictures):
    fresh, started = _vae(4, (48, 48)), _vae(4, (48, 48))
    start_linear(started, pictures)
    pixels = _pixels(pictures)
    assert _error(started, pixels, 4) < 0.1 * _error(fresh, pixels, 4)


def test_strong_latents_come_first_and_have_unit_deviation_together(pictures):
    vae = _vae(8, (48,))
    start_linear(vae, pictures)
    with torch.no_grad():
        latents = vae.encode(functional.pixel_unshuffle(_pixels(pictures), 8)).latent_dist.mode()
    deviations = latents.std(dim=(0, 2, 3))
    assert (deviations.diff() < 0.05).all()
    assert float(latents.std()) == pytest.approx(1, rel=0.1)


def test_other_shapes_are_refused(pictures):
    with pytest.raises(RecipeError, match="one width and norm_num_groups 1"):
        start_linear(_vae(4, (16, 32)), pictures)
    with pytest.raises(RecipeError, match="one width and norm_num_groups 1"):
        start_linear(_vae(4, (16, 16), groups=4), pictures)
