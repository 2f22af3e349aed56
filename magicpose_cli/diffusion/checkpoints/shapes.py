"""What a network looks like, read off the shapes of its tensors in the original layout.

Each function takes name -> shape without prefix and gives the settings of diffusers' class. Widths, depths and where
attention stands all show in the shapes; how many heads share a width and how many groups a norm has do not.
"""

from __future__ import annotations

import re
from typing import Any

from ...errors import ModelError
from .reading import Shapes


def unet_settings(shapes: Shapes, num_heads: int, norm_groups: int) -> dict[str, Any]:
    """Settings of a UNet2DConditionModel.

    Args:
        shapes: of an LDM UNet.
        num_heads: attention heads at every level.
        norm_groups: groups of each GroupNorm.

    Raises:
        ModelError: no UNet that diffusers' class can be.
    """
    settings = _encoder_settings(shapes, num_heads, norm_groups)
    kinds = settings["down_block_types"]
    return {
        **settings,
        # an appearance net's file has no ``out`` layer: it is made as wide as the UNet's, which predicts latents
        "out_channels": shapes.get("out.2.weight", shapes["input_blocks.0.0.weight"][1:])[0],
        "up_block_types": tuple(
            "CrossAttnUpBlock2D" if kind.startswith("CrossAttn") else "UpBlock2D" for kind in kinds[::-1]
        ),
    }


def controlnet_settings(shapes: Shapes, num_heads: int, norm_groups: int) -> dict[str, Any]:
    """Settings of a ControlNetModel; arguments and errors as in `unet_settings`."""
    settings = _encoder_settings(shapes, num_heads, norm_groups)
    hints = [shapes[f"input_hint_block.{number}.weight"][0] for number in (0, 4, 8, 12)]
    return {**settings, "conditioning_embedding_out_channels": tuple(hints)}


def _encoder_settings(shapes: Shapes, num_heads: int, norm_groups: int) -> dict[str, Any]:
    """What a UNet and a ControlNet share: everything but the way up."""
    first = shapes["input_blocks.0.0.weight"]
    last = max(int(found[1]) for name in shapes if (found := re.match(r"input_blocks\.(\d+)\.", name)))
    downs = [n for n in range(1, last + 1) if f"input_blocks.{n}.0.op.weight" in shapes]
    layers = (downs[0] if downs else last + 1) - 1
    if (
        downs != [(layers + 1) * (i + 1) for i in range(len(downs))]
        or last != len(downs) * (layers + 1) + layers
    ):
        raise _odd("as many layers at each level", f"halvings after blocks {downs} of {last}")
    widths, kinds, depths = [], [], []
    for level in range(len(downs) + 1):
        blocks = [1 + level * (layers + 1) + place for place in range(layers)]
        widths.append(shapes[f"input_blocks.{blocks[-1]}.0.out_layers.3.weight"][0])
        in_level = {_depth(shapes, f"input_blocks.{block}.1.") for block in blocks}
        if len(in_level) > 1:
            raise _odd("the same attention in all layers of a level", f"{sorted(in_level)} in level {level}")
        depths.append(in_level.pop())
        kinds.append("CrossAttnDownBlock2D" if depths[-1] else "DownBlock2D")
    if first[0] != widths[0]:
        raise _odd("a first level as wide as the first convolution", f"{widths[0]} channels")
    middle = _depth(shapes, "middle_block.1.")
    for width, depth in zip(widths, depths, strict=True):
        _check_divides("norm-groups", norm_groups, width)
        if depth:
            _check_divides("heads", num_heads, width)
    texts = [s[1] for name, s in shapes.items() if name.endswith("attn2.to_k.weight")]
    if not texts or not middle:
        raise _odd("attention to a text in the middle block", "none")
    in_projections = {len(s) for name, s in shapes.items() if name.endswith(".1.proj_in.weight")}
    return {
        "in_channels": first[1],
        "block_out_channels": tuple(widths),
        "layers_per_block": layers,
        "down_block_types": tuple(kinds),
        "transformer_layers_per_block": [depth or middle for depth in depths],
        "cross_attention_dim": texts[0],
        "attention_head_dim": num_heads,  # by diffusers' old mistake, this is how many heads there are
        "norm_num_groups": norm_groups,
        "use_linear_projection": in_projections == {2},
    }


def _depth(shapes: Shapes, block: str) -> int:
    """How many transformer blocks stand in an attention block; 0 where there is none."""
    pattern = re.compile(re.escape(block) + r"transformer_blocks\.(\d+)\.")
    return max((int(found[1]) + 1 for name in shapes if (found := pattern.match(name))), default=0)


def _check_divides(option: str, count: int, width: int) -> None:
    if width % count:
        raise ModelError(
            expected=f"a --{option} that divides the networks' widths",
            found=f"{count} for a width of {width}",
            remedy=f"Give the --{option} that the model was trained with.",
        )


def vae_settings(
    shapes: Shapes, *, scaling_factor: float = 0.18215, sample_size: int = 512
) -> dict[str, Any]:
    """Settings of an AutoencoderKL, with the 32 groups that LDM's code has built in.

    Args:
        shapes: of an LDM autoencoder, without prefix.
        scaling_factor: of latents; SD's, where nothing else is known.
        sample_size: pixels along a side that it was trained at.
    """
    levels = 1 + max(
        (int(found[1]) for name in shapes if (found := re.match(r"encoder\.down\.(\d+)\.", name))), default=-1
    )
    if not levels:
        raise _odd("the encoder and decoder of a VAE", "none")
    widths = tuple(shapes[f"encoder.down.{level}.block.0.conv1.weight"][0] for level in range(levels))
    if shapes["encoder.conv_in.weight"][0] != widths[0]:
        raise _odd("a first level of the VAE as wide as its first convolution", f"{widths[0]} channels")
    layers = sum(1 for name in shapes if re.fullmatch(r"encoder\.down\.0\.block\.\d+\.conv1\.weight", name))
    return {
        "in_channels": shapes["encoder.conv_in.weight"][1],
        "out_channels": shapes["decoder.conv_out.weight"][0],
        "block_out_channels": widths,
        "layers_per_block": layers,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "mid_block_add_attention": any(name.startswith("encoder.mid.attn_1.") for name in shapes),
        "use_quant_conv": any(name.startswith("quant_conv.") for name in shapes),
        "use_post_quant_conv": any(name.startswith("post_quant_conv.") for name in shapes),
        "scaling_factor": scaling_factor,
        "sample_size": sample_size,
    }


def text_settings(shapes: Shapes) -> dict[str, Any]:
    """Settings of a CLIPTextModel; heads by CLIP's own rule of 64 channels each, a guess for other encoders."""
    words, width = shapes["embeddings.token_embedding.weight"]
    return {
        "vocab_size": words,
        "bos_token_id": words - 2,  # CLIP's last two words are the start and the end
        "eos_token_id": words - 1,
        "hidden_size": width,
        "projection_dim": width,
        "intermediate_size": shapes["encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": _count(shapes, r"encoder\.layers\.(\d+)\."),
        "num_attention_heads": _heads(width),
        "max_position_embeddings": shapes["embeddings.position_embedding.weight"][0],
        "hidden_act": "quick_gelu",
    }


def image_encoder_settings(shapes: Shapes) -> dict[str, Any]:
    """Settings of a CLIPVisionModelWithProjection, from OpenAI's names without ``visual.``."""
    width, _, patch, _ = shapes["conv1.weight"]
    side = int((shapes["positional_embedding"][0] - 1) ** 0.5)
    return {
        "hidden_size": width,
        "intermediate_size": shapes["transformer.resblocks.0.mlp.c_fc.weight"][0],
        "num_hidden_layers": _count(shapes, r"transformer\.resblocks\.(\d+)\."),
        "num_attention_heads": _heads(width),
        "patch_size": patch,
        "image_size": patch * side,
        "projection_dim": shapes["proj"][1],
        "hidden_act": "quick_gelu",
    }


def motion_settings(shapes: Shapes, num_heads: int, norm_groups: int) -> dict[str, Any]:
    """Settings of a MotionAdapter, from diffusers' names (`convert_animatediff_checkpoint_to_diffusers`).

    Args:
        shapes: after diffusers' renaming, position tables included where the file has them.
        num_heads: of each temporal attention.
        norm_groups: of each norm.
    """
    levels = _count(shapes, r"down_blocks\.(\d+)\.motion_modules\.")
    if not levels:
        raise _odd("the temporal layers of a motion module", "none")
    widths = tuple(shapes[f"down_blocks.{i}.motion_modules.0.norm.weight"][0] for i in range(levels))
    for width in widths:
        _check_divides("norm-groups", norm_groups, width)
        _check_divides("heads", num_heads, width)
    tables = {s[1] for name, s in shapes.items() if name.endswith("pos_embed.pe")}
    first_conv = shapes.get("conv_in.weight")
    return {
        "block_out_channels": widths,
        "motion_layers_per_block": _count(shapes, r"down_blocks\.0\.motion_modules\.(\d+)\."),
        "motion_transformer_layers_per_block": _count(
            shapes, r"down_blocks\.0\.motion_modules\.0\.transformer_blocks\.(\d+)\."
        ),
        "motion_num_attention_heads": num_heads,
        "motion_norm_num_groups": norm_groups,
        # AnimateLCM's file holds no table; those who run it take 64 frames
        "motion_max_seq_length": tables.pop() if tables else 64,
        "use_motion_mid_block": any(name.startswith("mid_block.") for name in shapes),
        "conv_in_channels": first_conv[1] if first_conv else None,
    }


def _heads(width: int) -> int:
    """Most heads of 64 channels or more that share a width equally."""
    return next(count for count in range(max(width // 64, 1), 0, -1) if width % count == 0)


def _count(shapes: Shapes, pattern: str) -> int:
    return 1 + max((int(found[1]) for name in shapes if (found := re.match(pattern, name))), default=-1)


def _odd(expected: str, found: str) -> ModelError:
    return ModelError(
        expected=expected, found=found, remedy="Only networks of Stable Diffusion 1's kind convert."
    )
