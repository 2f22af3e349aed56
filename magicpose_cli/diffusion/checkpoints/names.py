"""The two names of each tensor: diffusers' and the original one (LDM's, ControlNet's, CLIP's).

diffusers has converters from the original names to its own. These functions go the other way, from a module of
diffusers to the names that the released files have: for export, and to tell what a file lacks or has in excess in
the words of that file.
"""

from __future__ import annotations

import re
from typing import Any

UNET, APPEARANCE, POSE = "model.diffusion_model.", "appearance_control_model.", "pose_control_model."
VAE, TEXT = "first_stage_model.", "cond_stage_model.transformer.text_model."

SCHEDULE_BUFFERS = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "logvar",
)
"""What LDM keeps of its noise schedule in each file, each of length 1000."""

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}

_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "controlnet_mid_block": "middle_block_out.0",
}


def original_unet_names(network: Any) -> dict[str, str]:
    """Original names of a UNet2DConditionModel's or ControlNetModel's tensors, without prefix, by diffusers' name."""
    layers = network.config.layers_per_block
    attended = [kind.startswith("CrossAttn") for kind in getattr(network.config, "up_block_types", ())]
    num_hints = 2 * len(getattr(network.config, "conditioning_embedding_out_channels", ()))
    return {name: _unet_name(name, layers, attended, num_hints) for name in network.state_dict()}


def _unet_name(name: str, layers: int, attended: list[bool], num_hints: int) -> str:
    module, _, leaf = name.rpartition(".")
    if module in _ENDS:
        return f"{_ENDS[module]}.{leaf}"
    if module.startswith("controlnet_cond_embedding."):
        # convolutions of the hint block with a SiLU between each two
        at = module.removeprefix("controlnet_cond_embedding.")
        hint = {"conv_in": 0, "conv_out": num_hints - 1}.get(at)
        hint = int(at.removeprefix("blocks.")) + 1 if hint is None else hint
        return f"input_hint_block.{2 * hint}.{leaf}"
    if found := re.fullmatch(r"controlnet_down_blocks\.(\d+)", module):
        return f"zero_convs.{found[1]}.0.{leaf}"
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)", name):
        if found[1] == "resnets":
            return f"middle_block.{2 * int(found[2])}.{_resnet_name(found[3])}"
        return f"middle_block.1.{found[3]}"
    found = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
    if found is None:
        raise ValueError(f"{name} has no original name")
    side, level, kind, place, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if side == "down":
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * (layers + 1)}.0.{rest.replace('conv', 'op', 1)}"
        block = f"input_blocks.{1 + level * (layers + 1) + place}"
    else:
        if kind == "upsamplers":
            return f"output_blocks.{level * (layers + 1) + layers}.{2 if attended[level] else 1}.{rest}"
        block = f"output_blocks.{level * (layers + 1) + place}"
    return f"{block}.0.{_resnet_name(rest)}" if kind == "resnets" else f"{block}.1.{rest}"


def _resnet_name(rest: str) -> str:
    module, _, leaf = rest.rpartition(".")
    return f"{_RESNET[module]}.{leaf}"


_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def original_vae_names(vae: Any) -> dict[str, str]:
    """Original names of an AutoencoderKL's tensors, without prefix, by diffusers' name."""
    levels = len(vae.config.block_out_channels)
    return {name: _vae_name(name, levels) for name in vae.state_dict()}


def _vae_name(name: str, levels: int) -> str:
    if found := re.match(r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)\.(\w+)$", name):
        return f"{found[1]}.mid.attn_1.{_VAE_ATTENTION[found[2]]}.{found[3]}"
    if found := re.match(r"(encoder|decoder)\.mid_block\.resnets\.(\d+)\.(.+)", name):
        return f"{found[1]}.mid.block_{int(found[2]) + 1}.{_shortcut(found[3])}"
    if found := re.match(r"encoder\.down_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name):
        if found[2] == "downsamplers":
            return f"encoder.down.{found[1]}.downsample.{found[4]}"
        return f"encoder.down.{found[1]}.block.{found[3]}.{_shortcut(found[4])}"
    if found := re.match(r"decoder\.up_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name):
        level = levels - 1 - int(found[1])
        if found[2] == "upsamplers":
            return f"decoder.up.{level}.upsample.{found[4]}"
        return f"decoder.up.{level}.block.{found[3]}.{_shortcut(found[4])}"
    return name.replace("conv_norm_out", "norm_out")


def _shortcut(rest: str) -> str:
    return rest.replace("conv_shortcut", "nin_shortcut")


def was_convolution(vae_name: str) -> bool:
    """Whether a VAE's matrix, by diffusers' name, is a 1x1 convolution in the original file."""
    return ".attentions.0." in vae_name and vae_name.endswith(".weight") and "group_norm" not in vae_name


def original_motion_name(name: str) -> str:
    """AnimateDiff's name of a MotionAdapter's tensor.

    Each block has two temporal attentions with one and the same position table; diffusers keeps it once.
    """
    name = re.sub(r"(motion_modules\.\d+)\.", r"\1.temporal_transformer.", name)
    for ours, original in (
        (r"\.norm1\.", ".norms.0."),
        (r"\.norm2\.", ".norms.1."),
        (r"\.norm3\.", ".ff_norm."),
        (r"\.attn1\.", ".attention_blocks.0."),
        (r"\.attn2\.", ".attention_blocks.1."),
        (r"\.pos_embed\.", ".attention_blocks.0.pos_encoder."),
    ):
        name = re.sub(ours, original, name)
    return name


_CLIP_BLOCK = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}

_CLIP_ENDS = {
    "vision_model.embeddings.class_embedding": "class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.pre_layrnorm.weight": "ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "ln_pre.bias",
    "vision_model.post_layernorm.weight": "ln_post.weight",
    "vision_model.post_layernorm.bias": "ln_post.bias",
    "visual_projection.weight": "proj",  # transposed
}


def openai_image_encoder_name(name: str) -> tuple[str, int | None]:
    """OpenAI's name of a CLIPVisionModelWithProjection's tensor, under ``visual.``.

    Returns:
        The name, and which third of a stacked projection it is (query, key, value: 0, 1, 2), or None.
    """
    if name in _CLIP_ENDS:
        return _CLIP_ENDS[name], None
    found = re.fullmatch(r"vision_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
    if found is None:
        raise ValueError(f"{name} has no original name")
    block, module, leaf = f"transformer.resblocks.{found[1]}", found[2], found[3]
    if module in _CLIP_BLOCK:
        return f"{block}.{_CLIP_BLOCK[module]}.{leaf}", None
    third = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj").index(module)
    return f"{block}.attn.in_proj_{leaf}", third
