"""What is minimised, by hand on small tensors."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from magicpose_cli.recipe import Recipe
from magicpose_cli.training.losses import NoiseLoss, VaeLoss

from ..tiny import TINY, make_tiny


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@torch.no_grad()
def test_the_loss_is_the_error_of_what_the_model_predicts(kind: str) -> None:
    pipeline = make_tiny()
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, prediction_type=kind)
    draw = torch.Generator().manual_seed(3)
    latents, noise = (torch.randn(2, 1, 4, 8, 8, generator=draw) for _ in range(2))
    timestep = torch.tensor([20, 700])
    loss = NoiseLoss(pipeline.network, scheduler, pipeline.prompt_embeds)(
        latents, noise, timestep, latents[:, 0], None, conditional=0
    )
    noisy = scheduler.add_noise(latents[:, 0], noise[:, 0], timestep)
    predicted = pipeline.network(noisy[:, None], timestep, pipeline.prompt_embeds)[:, 0]
    alpha = scheduler.alphas_cumprod[timestep].view(2, 1, 1, 1)
    wanted = {
        "epsilon": noise[:, 0],
        "v_prediction": alpha.sqrt() * noise[:, 0] - (1 - alpha).sqrt() * latents[:, 0],
        "sample": latents[:, 0],
    }[kind]
    torch.testing.assert_close(loss, (predicted - wanted).square().mean())


@torch.no_grad()
def test_noise_reaches_the_decoder_by_the_latents_deviation() -> None:
    pipeline = make_tiny()
    draw = torch.Generator().manual_seed(0)
    pixels, maps = torch.rand(2, 3, 16, 16, generator=draw) * 2 - 1, torch.zeros(2, 3, 16, 16)
    noise = torch.randn(2, 4, 4, 4, generator=draw)

    def loss(strength: float, noise: torch.Tensor) -> float:
        settings = Recipe.model_validate({**TINY, "vae": {**TINY["vae"], "latent_noise": strength}}).vae
        return float(VaeLoss(pipeline.vae, settings)(pixels, maps, noise))

    assert loss(0.0, noise) == loss(0.0, 0 * noise) == loss(0.5, 0 * noise)
    assert loss(0.5, noise) != loss(0.0, noise)
    # deviations, not values: what the VAE scales by ten, the noise follows
    seen: list[torch.Tensor] = []
    decode = pipeline.vae.decode
    pipeline.vae.decode = lambda latents: seen.append(latents) or decode(latents)
    loss(0.0, noise), loss(0.5, noise)
    assert float((seen[1] - seen[0]).std() / seen[0].std()) == pytest.approx(
        0.5 * float(noise.std()), rel=1e-4
    )
