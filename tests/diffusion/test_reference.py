"""The converted checkpoint against every number of the reference implementation, within its stated limits."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close
from typer.testing import CliRunner

from magicpose_cli import MagicPosePipeline
from magicpose_cli.cli import app
from magicpose_cli.diffusion.checkpoints import names
from magicpose_cli.training.losses import NoiseLoss

EPS, GUIDED, VAE, SAMPLE, OVERLAP = 2e-5, 2e-4, 5e-5, 1e-3, 5e-3


def _assert_within(found, expected, atol):
    assert_close(found, expected, atol=atol, rtol=0)


@pytest.fixture(scope="session")
def given(golden):
    return golden["inputs"]


def _predict(model, given, scale, *, pose=True, timestep=481):
    maps = given["pose"] if pose else None
    text = given["context"]
    return model.predict_noise(given["x_t"], timestep, given["ref_latent"], maps, text, guidance_scale=scale)


@pytest.mark.parametrize("timestep", ["an int", "one a frame"])
def test_each_branch_of_the_prediction(reference_model, given, golden, timestep):
    step = 481 if timestep == "an int" else given["t"]
    expected = golden["outputs"]
    _assert_within(_predict(reference_model, given, 1.0, timestep=step), expected["eps_cond"], EPS)
    _assert_within(_predict(reference_model, given, 0.0, timestep=step), expected["eps_uncond"], EPS)
    _assert_within(_predict(reference_model, given, 7.0, timestep=step), expected["eps_guided"], GUIDED)
    _assert_within(_predict(reference_model, given, None, timestep=step), expected["eps_guided"], GUIDED)


def test_without_pose_maps_it_is_the_stage_1_network(reference_model, given, golden):
    found = _predict(reference_model, given, 1.0, pose=False)
    _assert_within(found, golden["outputs"]["eps_appearance_only"], EPS)


@torch.no_grad()
def test_bank_and_residuals(reference_model, given, golden):
    expected = golden["outputs"]
    network, step, text = reference_model.network, torch.tensor([481]), given["context"]
    bank = network.read_reference(given["ref_latent"], step, text)
    down = sorted(n for n in bank if n.startswith("down"))
    order = [*down, *(n for n in bank if n.startswith("mid")), *sorted(n for n in bank if n.startswith("up"))]
    for number, name in enumerate(order):  # the order in which the blocks run
        _assert_within(bank[name], expected[f"bank_{number:02}"], EPS)
    residuals, middle = network.pose_controlnet(
        given["x_t"], step.expand(3), text.expand(3, -1, -1), controlnet_cond=given["pose"], return_dict=False
    )
    for number, residual in enumerate([*residuals, middle]):
        _assert_within(residual, expected[f"control_{number:02}"], EPS)
    embedding = network.pose_controlnet.controlnet_cond_embedding(given["pose"])
    _assert_within(embedding, expected["hint_embedding"], EPS)


@torch.no_grad()
def test_vae(reference_model, given, golden):
    vae, expected = reference_model.vae, golden["outputs"]
    posterior = vae.encode(given["image"]).latent_dist
    _assert_within(posterior.mean, expected["vae_mean"], VAE)
    _assert_within(posterior.logvar, expected["vae_logvar"], VAE)
    _assert_within(
        vae.decode(expected["vae_latent_sample"] / vae.config.scaling_factor).sample,
        expected["vae_decoded"],
        VAE,
    )


def test_schedule_and_one_step(reference_model, given, golden):
    expected, scheduler = golden["outputs"], reference_model.scheduler
    scheduler.set_timesteps(50)
    assert scheduler.timesteps.flip(0).tolist() == expected["ddim50_timesteps"].tolist()
    assert_close(scheduler.alphas_cumprod, expected["alphas_cumprod"].float(), atol=1e-6, rtol=1e-5)
    assert float(scheduler.final_alpha_cumprod) == pytest.approx(float(expected["ddim50_alphas_prev"][0]))
    step = scheduler.step(_predict(reference_model, given, 7.0), 481, given["x_t"])
    _assert_within(step.prev_sample, expected["ddim_step_x_prev"], GUIDED)
    _assert_within(step.pred_original_sample, expected["ddim_step_pred_x0"], SAMPLE)


def test_ten_steps(reference_model, given, golden):
    expected = golden["outputs"]
    start = given["x_T"].expand(3, -1, -1, -1)
    found = reference_model.denoise(start, given["ref_latent"], given["pose"], given["context"], 10, 7.0)
    _assert_within(found, expected["sample10_latents"], SAMPLE)
    decoded = reference_model.vae.decode(found[:1] / reference_model.vae.config.scaling_factor).sample
    _assert_within(decoded, expected["sample10_decoded_frame0"], SAMPLE)


def test_overlapping_windows(reference_model, given, golden):
    expected = golden["outputs"]
    offsets = expected["overlap_offsets"].tolist()
    found = reference_model.denoise(
        given["ov_x_T"], given["ref_latent"], given["ov_pose"], given["context"], 4, 7.0, offsets=offsets
    )
    _assert_within(found, expected["overlap_latents"], OVERLAP)


def test_norms_of_16_groups(golden, given, tmp_path):
    command = ["models", "convert", str(golden["path"]), "-o", str(tmp_path / "model"), "--norm-groups", "16"]
    assert CliRunner().invoke(app, command).exit_code == 0
    model, expected = MagicPosePipeline.from_pretrained(tmp_path / "model"), golden["outputs_groups16"]
    _assert_within(_predict(model, given, 1.0), expected["eps_cond"], EPS)
    _assert_within(_predict(model, given, 0.0), expected["eps_uncond"], EPS)
    _assert_within(_predict(model, given, 7.0), expected["eps_guided"], GUIDED)
    _assert_within(_predict(model, given, 1.0, pose=False), expected["eps_appearance_only"], EPS)


def test_a_model_without_prompt_asks_for_one(reference_model, given):
    with pytest.raises(ValueError, match="pass prompt_embeds"):
        reference_model.predict_noise(given["x_t"], 481, given["ref_latent"], None)


GRADIENTS = {
    # name in the goldens: network, its tensor by the released name
    "grad_app_conv_in": ("appearance_unet", "input_blocks.0.0.weight"),
    "grad_app_in1_norm1": ("appearance_unet", "input_blocks.1.1.transformer_blocks.0.norm1.weight"),
    "grad_app_out11_norm1": ("appearance_unet", "output_blocks.11.1.transformer_blocks.0.norm1.weight"),
    "grad_app_mid_to_q": ("appearance_unet", "middle_block.1.transformer_blocks.0.attn1.to_q.weight"),
    "grad_pose_zero_conv_00": ("pose_controlnet", "zero_convs.0.0.weight"),
    "grad_pose_hint_conv0": ("pose_controlnet", "input_hint_block.0.weight"),
}


def test_training_losses_and_gradients(converted, given, golden):
    expected, model = golden["outputs"], MagicPosePipeline.from_pretrained(converted)
    model.network.requires_grad_(True)

    def loss(*, pose=True, noisy=False):
        value = NoiseLoss(model.network, model.scheduler, given["context"], noisy_reference=noisy)
        return value(
            given["train_x0"][:, None],
            given["train_noise"][:, None],
            given["train_t"],
            given["train_ref"],
            given["pose"][:, None] if pose else None,
            conditional=3,
        )

    assert loss(pose=False).item() == pytest.approx(expected["loss_stage1"].item(), abs=1e-5)
    noisy = loss(noisy=True).item()
    assert noisy == pytest.approx(expected["loss_stage2_noisy_reference"].item(), abs=1e-5)
    stage_2 = loss()
    assert stage_2.item() == pytest.approx(expected["loss_stage2"].item(), abs=1e-5)
    stage_2.backward()
    for part, total in (("appearance_unet", "grad_norm_appearance"), ("pose_controlnet", "grad_norm_pose")):
        grads = [p.grad for p in getattr(model, part).parameters() if p.grad is not None]
        norm = torch.stack([g.norm() for g in grads]).norm()
        assert norm.item() == pytest.approx(expected[total].item(), rel=1e-5)
    for name, (part, original) in GRADIENTS.items():
        network = getattr(model, part)
        ours = {theirs: own for own, theirs in names.original_unet_names(network).items()}[original]
        _assert_within(network.get_parameter(ours).grad, expected[name], 1e-5)
    dead = {name for name in golden["without_gradient"] if not name.startswith("input_hint_block.")}
    appearance = names.original_unet_names(model.appearance_unet)
    without = {appearance[n] for n, p in model.appearance_unet.named_parameters() if p.grad is None}
    assert {n for n in without if not n.startswith("out.")} == dead
