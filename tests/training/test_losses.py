"""What is minimised, by hand on small tensors."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from magicpose_cli.recipe import Recipe
from magicpose_cli.training.losses import NoiseLoss, VaeLoss, pixel_weights

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
    pixels = torch.randint(256, (2, 3, 16, 16), generator=draw, dtype=torch.uint8)
    maps = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
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


@torch.no_grad()
def test_a_channel_weighs_what_the_decoder_makes_of_it() -> None:
    vae = make_tiny().vae
    latents = torch.randn(4, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    before = pixel_weights(vae, latents)
    assert float(before.mean()) == pytest.approx(1.0)
    into = vae.post_quant_conv if vae.post_quant_conv is not None else vae.decoder.conv_in
    into.weight[:, 2] = 0
    after = pixel_weights(vae, latents)
    assert before[2] > 0.01
    assert after[2] == 0


@torch.no_grad()
def test_errors_count_by_their_channels_weights() -> None:
    pipeline = make_tiny()
    draw = torch.Generator().manual_seed(3)
    latents, noise = (torch.randn(2, 1, 4, 8, 8, generator=draw) for _ in range(2))
    batch = (latents, noise, torch.tensor([20, 700]), latents[:, 0], None, 0)

    def loss(weights: torch.Tensor | None) -> torch.Tensor:
        return NoiseLoss(
            pipeline.network, pipeline.scheduler, pipeline.prompt_embeds, channel_weights=weights
        )(*batch)

    each = torch.stack([loss(4.0 * row) for row in torch.eye(4)])
    torch.testing.assert_close(each.mean(), loss(None))
    torch.testing.assert_close(
        loss(torch.tensor([1.0, 2.0, 0.0, 1.0])), (each[0] + 2 * each[1] + each[3]) / 4
    )
