"""A model's folder: check that one is whole, load it to a device."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
)
from diffusers.utils import logging
from safetensors import SafetensorError, safe_open
from torch import nn

from ..device import memory_format
from ..errors import ModelError
from ..recipe import SamplingBlock, read_block
from .offload import Offload
from .pipeline import PROMPT_EMBEDS, MagicPosePipeline

PARTS = {
    "vae": ["diffusers", "AutoencoderKL"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "appearance_unet": ["diffusers", "UNet2DConditionModel"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "pose_controlnet": ["diffusers", "ControlNetModel"],
    "motion_adapter": ["diffusers", "MotionAdapter"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
}
"""Folder of each part, its library and its class."""

OPTIONAL = ("pose_controlnet", "motion_adapter", "image_encoder")
"""Parts that a model may lack."""


def check_folder(folder: Path) -> dict[str, Any]:
    """See that a model's folder is whole, without loading it.

    Only the library's own classes are let through: a folder can name code of its own, which is never run.

    Returns:
        What is in its ``model_index.json``.

    Raises:
        ModelError: something is missing, damaged or of a foreign class; names it.
    """
    index = _read_json(folder / "model_index.json", folder)
    for part, kind in PARTS.items():
        named = index.get(part)
        if part in OPTIONAL and named in (None, [None, None]):
            continue
        if named != kind:
            found = "none" if named is None else str(named)
            raise _unfit(f"a {part} of {kind[0]}' class {kind[1]} in {folder}", found)
        if part == "scheduler":
            _read_json(folder / part / "scheduler_config.json", folder)
        else:
            _check_network(folder / part, folder)
    if (folder / PROMPT_EMBEDS).is_file():
        _check_header(folder / PROMPT_EMBEDS)
    return index


def _check_network(part: Path, folder: Path) -> dict[str, Any]:
    """See that one network's settings and weights are there; gives its settings."""
    settings = _read_json(part / "config.json", folder)
    weights = sorted(part.glob("*.safetensors"))
    if not weights:
        raise _unfit(f"weights of each network in {folder}", f"no safetensors for {part.name}")
    for file in weights:
        _check_header(file)
    return settings


def _read_json(path: Path, folder: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _unfit(f"a whole model in {folder}", f"{path.relative_to(folder)}: {error}") from None
    if not isinstance(value, dict):
        raise _unfit(f"a whole model in {folder}", f"no settings in {path.relative_to(folder)}")
    return value


def _check_header(path: Path) -> None:
    """Open a safetensors file, which checks its header against its length."""
    try:
        with safe_open(path, framework="pt"):
            pass
    except (OSError, SafetensorError) as error:
        raise _unfit(f"weights in {path}", f"a file that cannot be used ({error})") from None


def _unfit(expected: str, found: str) -> ModelError:
    remedy = "Install the model again, or give the path of a complete folder in diffusers layout."
    return ModelError(expected=expected, found=found, remedy=remedy)


@dataclass(frozen=True)
class Swaps:
    """Networks in place of a model's own, each a folder in diffusers' layout.

    Attributes:
        base_unet: an SD1.5-compatible UNet in place of the frozen one.
        motion_module: a MotionAdapter, for a model that has none or another.
    """

    base_unet: Path | None = None
    motion_module: Path | None = None


NO_SWAPS = Swaps()


@dataclass(frozen=True)
class ModelFacts:
    """What a folder says of its model without loading it.

    Attributes:
        sampling: its defaults for sampling.
        size_multiple_px: what width and height must be multiples of.
        motion_frames: most frames that its motion module takes at once, or None without one.
        has_pose: whether it has a pose ControlNet.
        has_condition: whether it stores a prompt's embedding, or has an image encoder that makes one.
    """

    sampling: SamplingBlock
    size_multiple_px: int
    motion_frames: int | None
    has_pose: bool
    has_condition: bool

    @property
    def has_motion(self) -> bool:
        """Whether frames know of each other."""
        return self.motion_frames is not None


def read_facts(folder: Path, swaps: Swaps = NO_SWAPS) -> ModelFacts:
    """Look at a model's folder.

    Raises:
        ModelError: the folder is not whole, or a swap does not fit it.
        RecipeError: its sampling block has a wrong entry.
    """
    index = check_folder(folder)
    vae, unet = (_read_json(folder / part / "config.json", folder) for part in ("vae", "unet"))
    halvings = len(vae["block_out_channels"]) - 1 + len(unet["block_out_channels"]) - 1
    same = ("in_channels", "out_channels", "cross_attention_dim", "layers_per_block", "down_block_types")
    _check_swap(swaps.base_unet, "UNet2DConditionModel", unet, same)
    _check_swap(swaps.motion_module, "MotionAdapter", unet, ())
    motion = swaps.motion_module
    if motion is None and _has(index, "motion_adapter"):
        motion = folder / "motion_adapter"
    return ModelFacts(
        read_block(SamplingBlock, index.get("sampling") or {}, f"{folder.name}/model_index.json"),
        math.isqrt(vae["in_channels"] // 3) * 2**halvings,
        None if motion is None else _read_json(motion / "config.json", motion)["motion_max_seq_length"],
        _has(index, "pose_controlnet"),
        (folder / PROMPT_EMBEDS).is_file() or _has(index, "image_encoder"),
    )


def _has(index: dict[str, Any], part: str) -> bool:
    return (index.get(part) or [None])[0] is not None


def _check_swap(swap: Path | None, class_name: str, unet: dict[str, Any], keys: tuple[str, ...]) -> None:
    """See that another network has the class and the widths of the one whose place it takes."""
    if swap is None:
        return
    settings = _check_network(swap, swap)
    if settings.get("_class_name") != class_name:
        raise ModelError(
            expected=f"a {class_name} in {swap}",
            found=str(settings.get("_class_name")),
            remedy="Convert one with magicpose models convert.",
        )
    for key in ("block_out_channels", *keys):
        if settings.get(key) != unet[key]:
            raise ModelError(
                expected=f"a {class_name} with the model's {key} of {unet[key]}",
                found=f"{settings.get(key)} in {swap}",
                remedy="Use networks of one size.",
            )


def load_model(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    swaps: Swaps = NO_SWAPS,
    offload: Offload = "none",
) -> MagicPosePipeline:
    """Load a model's folder for sampling; nothing is looked up on a hub.

    Args:
        folder: the model's.
        device, dtype: where and in which number format its networks compute.
        swaps: networks to take in place of its own.
        offload: how they share the device's memory.

    Raises:
        ModelError: the folder is not whole, or its weights do not fit its settings.
    """
    check_folder(folder)
    logging.disable_progress_bar()  # the libraries' own bars would run through ours
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    try:
        others: dict[str, Any] = {}
        if swaps.base_unet is not None:
            others["unet"] = UNet2DConditionModel.from_pretrained(swaps.base_unet, **options)
        if swaps.motion_module is not None:
            others["motion_adapter"] = MotionAdapter.from_pretrained(swaps.motion_module, **options)
        pipeline = MagicPosePipeline.from_pretrained(folder, **others, **options)
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # what diffusers raises for unfit weights
        raise _unfit(f"weights that fit their settings in {folder}", str(error).splitlines()[0]) from error
    pipeline.network.to(memory_format=memory_format(device, dtype))
    if offload == "none":
        pipeline.to(device)
    else:  # last of what moves weights: its hooks keep copies of them
        pipeline.offload(offload, device)
    if device.type == "cpu":
        # bf16 has half a grey level's steps near white, and a VAE's share of the time is small; torch's own `to`,
        # since diffusers' warns of layers to keep in fp32
        nn.Module.to(pipeline.vae, torch.float32)
    for network in (pipeline.vae, pipeline.network):
        network.eval().requires_grad_(False)
    return pipeline


def load_shapes(folder: Path) -> MagicPosePipeline:
    """A model without its weights, on torch's meta device: what it costs and holds can be told in a second.

    Raises:
        ModelError: the folder is not whole.
    """
    index = check_folder(folder)
    with torch.device("meta"):
        parts = {
            name: kind.from_config(kind.load_config(folder / name))
            for name, kind in _NETWORKS.items()
            if _has(index, name)
        }
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    return MagicPosePipeline(**parts, scheduler=scheduler, sampling=index.get("sampling"))


_NETWORKS: dict[str, Any] = {
    "vae": AutoencoderKL,
    "unet": UNet2DConditionModel,
    "appearance_unet": UNet2DConditionModel,
    "pose_controlnet": ControlNetModel,
    "motion_adapter": MotionAdapter,
}
"""What `load_shapes` builds; an image encoder's share is small and told nowhere."""
