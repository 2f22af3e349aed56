"""A model made from nothing, in a recipe's shape."""

from __future__ import annotations

import math

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, MotionAdapter, UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from torch.nn import functional

from ..device import memory_format
from ..recipe import Recipe
from .facts import MOTION_FRAMES
from .motion import silence
from .network import position_channels
from .pipeline import MagicPosePipeline

_LOOKS = 8
"""Pictures of each kind by which a fresh UNet's view of places is measured."""
_SHARPNESS = 1.2
"""A place's logit with itself is this times half a head's width, where the place is read without an error."""


def new_model(recipe: Recipe, *, motion: bool = False) -> MagicPosePipeline:
    """Build a model of a recipe's shape with fresh weights, drawn from torch's current random state.

    As in the paper's stage 1, the appearance net starts as the UNet's copy; the pose ControlNet starts as a copy
    of its encoder with silent outputs.
    """
    shape, vae_shape = recipe.shapes()
    factor = vae_shape.fold_px * 2 ** (len(vae_shape.block_out_channels) - 1)
    folded = 3 * vae_shape.fold_px**2
    has_attention = shape.attention_by_level()
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
        down_block_types=[f"{'CrossAttn' * has}DownBlock2D" for has in has_attention],
        up_block_types=[f"{'CrossAttn' * has}UpBlock2D" for has in reversed(has_attention)],
        cross_attention_dim=shape.cross_attention_dim,
        # by SD's old mistake, "head_dim" is how many heads a level has
        attention_head_dim=[width // shape.attention_head_dim for width in shape.block_out_channels],
        norm_num_groups=shape.norm_num_groups,
    )
    if shape.position_channels:
        wake_attention(unet)
    appearance_unet = UNet2DConditionModel.from_config(unet.config)
    appearance_unet.load_state_dict(unet.state_dict())
    pose_controlnet = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=shape.pose_embedding_channels
    )
    wake_pose_embedding(pose_controlnet, factor)
    pipeline = MagicPosePipeline(
        vae=vae,
        unet=unet,
        appearance_unet=appearance_unet,
        pose_controlnet=pose_controlnet,
        scheduler=DDIMScheduler(**recipe.schedule.model_dump()),
        motion_adapter=new_motion_adapter(unet, shape.motion_attention_heads) if motion else None,
        sampling=recipe.sampling.model_dump(),
    )
    # no text encoder made this one: a constant that the networks' cross-attention learns to use
    pipeline.prompt_embeds = torch.ones(1, 1, shape.cross_attention_dim)
    return pipeline


def sd15_sized(device: torch.device | str, dtype: torch.dtype) -> MagicPosePipeline:
    """A model of the released one's size with random weights, to count and time; diffusers' defaults are SD1.5's.

    The weights are the same each time and on each device: they are drawn on the CPU, from a random state of their own.
    """
    levels = 4
    device = torch.device(device)
    with torch.random.fork_rng(devices=[]), torch.device("meta" if device.type == "meta" else "cpu"):
        torch.default_generator.manual_seed(0)
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            layers_per_block=2,
        )
        unets = [UNet2DConditionModel(cross_attention_dim=768) for _ in range(2)]
        pose_controlnet = ControlNetModel.from_unet(unets[0], load_weights_from_unet=False)
    for network in (*unets, pose_controlnet):
        nn.Module.to(network, device, dtype)  # diffusers' own `to` warns
    vae.to(device)
    for network in (vae, *unets, pose_controlnet):
        network.eval().requires_grad_(False)
    pipeline = MagicPosePipeline(vae, unets[0], unets[1], DDIMScheduler(), pose_controlnet)
    pipeline.prompt_embeds = torch.zeros(1, 77, 768)
    pipeline.network.to(memory_format=memory_format(device, dtype))
    return pipeline


@torch.no_grad()
def wake_attention(unet: UNet2DConditionModel) -> None:
    """Let a fresh UNet's self-attention look at its own place from the first step, and hand on what it finds there.

    Weights drawn at random look everywhere alike, so that a copy of the net, the appearance net, offers the reference
    as one grey mean; SD's have learnt otherwise. Queries and keys become what least squares reads the place by, which
    the UNet is told by `position_channels`; values go through a rotation and back, so that they are added as they are.
    Layer by layer on the way through the net, since each changes what the next ones see.

    Args:
        unet: with position channels; changed in place, drawing from torch's current random state.
    """
    channels, side = unet.config.out_channels, unet.config.sample_size
    noise = torch.randn(_LOOKS, channels, side, side)
    smooth = functional.interpolate(noise[:, :, :4, :4], size=(side, side), mode="bilinear")
    latents = torch.cat([noise, smooth])  # what the UNet sees, and more like what the appearance net does
    waves = position_channels(unet.config.in_channels - channels, side, side)
    given = torch.cat([latents, waves.expand(len(latents), -1, -1, -1)], dim=1)
    text = torch.ones(len(latents), 1, unet.config.cross_attention_dim)
    timesteps = torch.randint(0, 1000, (len(latents),))
    attentions = {name: layer for name, layer in unet.named_modules() if name.endswith("attn1")}
    for name in sorted(attentions, key=lambda name: ("down", "mid", "up").index(name.split("_")[0])):
        attention = attentions[name]
        tokens: list[Tensor] = []
        hook = attention.register_forward_pre_hook(lambda _, args, seen=tokens: seen.append(args[0]))
        unet(given, timesteps, text)
        hook.remove()
        _read_places(attention, tokens[0])
        rotation = nn.init.orthogonal_(torch.empty_like(attention.to_v.weight))
        attention.to_v.weight.copy_(rotation)
        attention.to_out[0].weight.copy_(rotation.T)
        nn.init.zeros_(attention.to_out[0].bias)


def _read_places(attention: Attention, tokens: Tensor) -> None:
    """Set queries and keys of all heads to the place that the tokens (b n d) lie at; n is a square."""
    width = attention.to_q.weight.shape[0] // attention.heads
    side = math.isqrt(tokens.shape[1])
    places = position_channels(width // 4 * 4, side, side).flatten(1).T.repeat(len(tokens), 1)
    seen = tokens.flatten(0, 1)
    # ridge regression, since a small picture may have fewer tokens than widths
    normal = seen.T @ seen + 1e-3 * len(seen) * torch.eye(seen.shape[1])
    reading = torch.linalg.solve(normal, seen.T @ places).T * math.sqrt(_SHARPNESS * math.sqrt(width))
    for head in range(attention.heads):
        rows = slice(head * width, head * width + len(reading))
        attention.to_q.weight[rows] = reading
        attention.to_k.weight[rows] = reading


@torch.no_grad()
def wake_pose_embedding(pose_controlnet: ControlNetModel, factor: int) -> None:
    """Give a fresh ControlNet's conditioning embedding weights through which thin strokes can be seen.

    Default weights shrink the strokes of a pose map to about 1e-3 in ten layers, and the last layer starts at zero:
    SD's ControlNet has the steps to grow out of that, a small model trained from nothing had not after 1,000.
    The strokes are brought to the strength of unit latents behind the first convolution.

    Args:
        pose_controlnet: its ``controlnet_cond_embedding`` is drawn anew, from torch's current random state.
        factor: pixels to one latent cell along each side.
    """
    embedding = pose_controlnet.controlnet_cond_embedding
    for module in embedding.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    side = 8 * factor
    strokes = torch.zeros(1, 3, side, side)
    for channel in range(3):  # about as sparse as a skeleton
        middle, width = side // 4 * (channel + 1), side // 40 + 1
        strokes[:, channel, :, middle : middle + width] = 1
    latents = torch.randn(1, pose_controlnet.conv_in.in_channels, 8, 8)
    strength = pose_controlnet.conv_in(latents).std() / embedding(strokes).std()
    embedding.conv_out.weight.mul_(strength)


def new_motion_adapter(unet: UNet2DConditionModel, heads: int) -> MotionAdapter:
    """Build a silent motion module for a UNet, in AnimateDiff v1's arrangement (none in the middle)."""
    adapter = MotionAdapter(
        block_out_channels=unet.config.block_out_channels,
        motion_layers_per_block=unet.config.layers_per_block,
        motion_num_attention_heads=heads,
        motion_norm_num_groups=unet.config.norm_num_groups,
        motion_max_seq_length=MOTION_FRAMES,
        use_motion_mid_block=False,
    )
    silence(adapter)
    return adapter
