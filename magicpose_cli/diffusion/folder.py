"""A model's folder: build a new one, check that one is whole, load it to a device."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, MotionAdapter, UNet2DConditionModel
from diffusers.utils import logging

from ..errors import ModelError
from ..recipe import Recipe, SamplingBlock, read_block
from .motion import silence
from .pipeline import MagicPosePipeline

PARTS = ("vae", "unet", "appearance_unet", "pose_controlnet", "scheduler")


def check_folder(folder: Path) -> dict[str, Any]:
    """See that a model's folder is whole, without loading it.

    Returns:
        What is in its ``model_index.json``.

    Raises:
        ModelError: something is missing or unreadable; names it.
    """
    remedy = "Install the model again, or give the path of a complete folder in diffusers layout."
    try:
        index = json.loads((folder / "model_index.json").read_text())
    except (OSError, ValueError) as error:
        raise ModelError(expected=f"a model in {folder}", found=str(error), remedy=remedy) from None
    named = [part for part in PARTS if part not in index]
    if named:
        raise ModelError(
            expected=f"a MagicPose model in {folder}", found=f"no {', '.join(named)} in it", remedy=remedy
        )
    parts = [part for part in PARTS if part != "scheduler"]
    if index.get("motion_adapter", [None])[0]:
        parts.append("motion_adapter")
    missing = [part for part in parts if not any((folder / part).glob("*.safetensors"))]
    if missing:
        raise ModelError(
            expected=f"weights of each network in {folder}",
            found=f"no safetensors for {', '.join(missing)}",
            remedy=remedy,
        )
    return index


@dataclass(frozen=True)
class ModelFacts:
    """What a folder says of its model without loading it.

    Attributes:
        sampling: its defaults for sampling.
        size_multiple_px: what width and height must be multiples of.
        has_motion: whether it has a motion module.
    """

    sampling: SamplingBlock
    size_multiple_px: int
    has_motion: bool


def read_facts(folder: Path) -> ModelFacts:
    """Look at a model's folder.

    Raises:
        ModelError: the folder is not whole.
        RecipeError: its sampling block has a wrong entry.
    """
    index = check_folder(folder)
    vae, unet = (json.loads((folder / part / "config.json").read_text()) for part in ("vae", "unet"))
    halvings = len(vae["block_out_channels"]) - 1 + len(unet["block_out_channels"]) - 1
    return ModelFacts(
        read_block(SamplingBlock, index.get("sampling") or {}, f"{folder.name}/model_index.json"),
        math.isqrt(vae["in_channels"] // 3) * 2**halvings,
        bool(index.get("motion_adapter", [None])[0]),
    )


def load_model(folder: Path, device: torch.device, dtype: torch.dtype) -> MagicPosePipeline:
    """Load a model's folder for sampling; nothing is looked up on a hub.

    Raises:
        ModelError: the folder is not whole.
    """
    check_folder(folder)
    logging.disable_progress_bar()  # the libraries' own bars would run through ours
    pipeline = MagicPosePipeline.from_pretrained(folder, dtype=dtype, local_files_only=True)
    pipeline.to(device)
    for network in (pipeline.vae, pipeline.network):
        network.eval().requires_grad_(False)
    return pipeline


def new_model(recipe: Recipe, *, motion: bool = False) -> MagicPosePipeline:
    """Build a model of a recipe's shape with fresh weights, drawn from torch's current random state.

    As in the paper's stage 1, the appearance net starts as the UNet's copy; the pose ControlNet starts as a copy
    of its encoder with silent outputs.
    """
    shape, vae_shape = recipe.unet, recipe.vae_shape
    factor = vae_shape.fold_px * 2 ** (len(vae_shape.block_out_channels) - 1)
    folded = 3 * vae_shape.fold_px**2
    levels = len(shape.block_out_channels)
    vae = AutoencoderKL(
        in_channels=folded,
        out_channels=folded,
        block_out_channels=vae_shape.block_out_channels,
        down_block_types=("DownEncoderBlock2D",) * len(vae_shape.block_out_channels),
        up_block_types=("UpDecoderBlock2D",) * len(vae_shape.block_out_channels),
        layers_per_block=vae_shape.layers_per_block,
        latent_channels=vae_shape.latent_channels,
        norm_num_groups=vae_shape.norm_num_groups,
        sample_size=recipe.sampling.width_px,
        mid_block_add_attention=False,  # trained on crops, used on whole pictures
    )
    unet = UNet2DConditionModel(
        sample_size=recipe.sampling.width_px // factor,
        in_channels=vae_shape.latent_channels + shape.position_channels,
        out_channels=vae_shape.latent_channels,
        block_out_channels=shape.block_out_channels,
        layers_per_block=shape.layers_per_block,
        down_block_types=("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
        cross_attention_dim=shape.cross_attention_dim,
        # by SD's old mistake, "head_dim" is how many heads a level has
        attention_head_dim=[width // shape.attention_head_dim for width in shape.block_out_channels],
        norm_num_groups=shape.norm_num_groups,
    )
    appearance_unet = UNet2DConditionModel.from_config(unet.config)
    appearance_unet.load_state_dict(unet.state_dict())
    pose_controlnet = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=shape.pose_embedding_channels
    )
    pipeline = MagicPosePipeline(
        vae=vae,
        unet=unet,
        appearance_unet=appearance_unet,
        pose_controlnet=pose_controlnet,
        scheduler=DDIMScheduler(**recipe.schedule.model_dump()),
        motion_adapter=new_motion_adapter(recipe) if motion else None,
        sampling=recipe.sampling.model_dump(),
    )
    # no text encoder made this one: a constant that the networks' cross-attention learns to use
    pipeline.prompt_embeds = torch.ones(1, 1, shape.cross_attention_dim)
    return pipeline


def new_motion_adapter(recipe: Recipe) -> MotionAdapter:
    """Build a silent motion module for a recipe's UNet, in AnimateDiff v1's arrangement (none in the middle)."""
    shape = recipe.unet
    adapter = MotionAdapter(
        block_out_channels=shape.block_out_channels,
        motion_layers_per_block=shape.layers_per_block,
        motion_num_attention_heads=shape.motion_attention_heads,
        motion_norm_num_groups=shape.norm_num_groups,
        motion_max_seq_length=24,
        use_motion_mid_block=False,
    )
    silence(adapter)
    return adapter
