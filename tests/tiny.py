"""A whole model of real library classes, small enough to run in milliseconds."""

from __future__ import annotations

import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from magicpose_cli.diffusion.fresh import new_model
from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.recipe import Recipe

TINY = {
    "unet": {
        "block_out_channels": [16, 32],
        "layers_per_block": 1,
        "attention_head_dim": 8,
        "cross_attention_dim": 8,
        "norm_num_groups": 4,
        "position_channels": 4,
        "pose_embedding_channels": [4, 8, 8],
        "motion_attention_heads": 2,
    },
    "vae_shape": {"block_out_channels": [8, 8, 16], "latent_channels": 4, "norm_num_groups": 4},
    "schedule": {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
    "sampling": {"num_inference_steps": 3, "guidance_scale": 2.0, "width_px": 32, "height_px": 32},
    "vae": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3, "crop_px": 16, "save_every": 2},
    "base": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3, "save_every": 2},
    "appearance": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3, "save_every": 2},
    "pose": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3, "train_unet": True, "save_every": 2},
    "motion": {"steps": 4, "batch_size": 1, "learning_rate": 1e-3, "frames": 4, "save_every": 2},
    "distill": {"steps": 4, "batch_size": 1, "learning_rate": 1e-3, "frames": 4, "save_every": 2}
    | {"student_steps": 2, "teacher_steps": 6},
}


def make_tiny(*, motion: bool = False, sees: bool = False, seed: int = 0) -> MagicPosePipeline:
    """A whole pipeline small enough to run in milliseconds, with every path audible.

    One that `sees` has an image encoder in place of the empty prompt's embedding.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipeline = new_model(Recipe.model_validate(TINY), motion=motion)
        # what starts silent (ControlNet outputs, motion projections) would hide mistakes: make it speak
        for network in (pipeline.pose_controlnet, pipeline.motion_adapter):
            for parameter in network.parameters() if network is not None else ():
                if not parameter.any():
                    torch.nn.init.normal_(parameter, std=0.2)
        if sees:
            pipeline.register_modules(image_encoder=_image_encoder())
            pipeline.prompt_embeds = None
    pipeline.network.eval()
    pipeline.vae.eval()
    return pipeline


def _image_encoder() -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        patch_size=16,
        image_size=32,
        projection_dim=TINY["unet"]["cross_attention_dim"],
    )
    return CLIPVisionModelWithProjection(config).eval()
