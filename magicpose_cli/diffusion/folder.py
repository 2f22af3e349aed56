"""Loading a model's folder to a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import DDIMScheduler, MotionAdapter, UNet2DConditionModel
from diffusers.utils import logging
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from ..device import memory_format
from ..errors import ModelError
from .facts import NO_SWAPS, PARTS, Swaps, check_folder, has_part, unfit
from .offload import Offload
from .pipeline import MagicPosePipeline


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
        ModelError: the folder is not whole, or its weights, or those of a swap, do not fit their settings.
    """
    check_folder(folder)
    logging.disable_progress_bar()  # the libraries' own bars would run through ours
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    others: dict[str, Any] = {}
    if swaps.base_unet is not None:
        others["unet"] = _load_swap(UNet2DConditionModel, swaps.base_unet, options)
    if swaps.motion_module is not None:
        others["motion_adapter"] = _load_swap(MotionAdapter, swaps.motion_module, options)
    try:
        pipeline = MagicPosePipeline.from_pretrained(folder, **others, **options)
    except _UNFIT as error:
        raise unfit(f"weights that fit their settings in {folder}", str(error).splitlines()[0]) from error
    pipeline.network.to(memory_format=memory_format(device, dtype))
    if offload == "none":
        pipeline.to(device)
    else:  # last of what moves weights: its hooks keep copies of them
        pipeline.offload(offload, device)
    for network in (pipeline.vae, pipeline.network):
        network.eval().requires_grad_(False)
    return pipeline


_UNFIT = (OSError, ValueError, TypeError, RuntimeError)
"""What diffusers raises for weights that do not fit."""


def _load_swap(kind: Any, place: Path, options: dict[str, Any]) -> Any:
    try:
        return kind.from_pretrained(place, **options)
    except _UNFIT as error:
        raise ModelError(
            expected=f"weights that fit their settings in {place}",
            found=str(error).splitlines()[0],
            remedy="Convert it again with magicpose models convert.",
        ) from error


def load_shapes(folder: Path, swaps: Swaps = NO_SWAPS) -> MagicPosePipeline:
    """A model without its weights, on torch's meta device: what it costs and holds can be told in a second.

    Raises:
        ModelError: the folder is not whole.
    """
    index = check_folder(folder)
    places = {name: folder / name for name in PARTS if name != "scheduler" and has_part(index, name)}
    swapped = {"unet": swaps.base_unet, "motion_adapter": swaps.motion_module}
    places |= {name: place for name, place in swapped.items() if place is not None}
    with torch.device("meta"):
        parts = {name: _without_weights(name, place) for name, place in places.items()}
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    return MagicPosePipeline(**parts, scheduler=scheduler, sampling=index.get("sampling"))


def _without_weights(name: str, place: Path) -> Any:
    if name == "image_encoder":
        return CLIPVisionModelWithProjection(CLIPVisionConfig.from_pretrained(place, local_files_only=True))
    kind = getattr(diffusers, PARTS[name][1])
    return kind.from_config(kind.load_config(place))
