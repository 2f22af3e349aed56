"""A model's folder back to one file with the released names (`magicpose models export`)."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from ... import console
from ...errors import ModelError, OptionError
from ...media.atomic import check_file_output, write_file
from ..folder import check_folder
from . import names
from .reading import SUFFIXES

_HINT_WIDTHS = (16, 16, 32, 32, 96, 96, 256)
"""ControlNet's hint block up to its last layer: what the appearance net carries of it, and never uses."""


def export(
    folder: Path, output: Path, *, text_encoder: Path | None = None, force: bool = False
) -> dict[str, Any]:
    """Write a model as the reference implementation's programs read it.

    Live tensors are the folder's own, in its number format; the schedule's buffers are computed from its settings;
    the appearance net's hint block, which nothing uses, is zero.

    Args:
        folder: a model's folder.
        output: ``.th``, ``.ckpt`` or another torch suffix, or ``.safetensors``.
        text_encoder: folder of the CLIP text encoder; None takes the model's own, where it has one.
        force: replace a file that is there.

    Returns:
        ``output``, ``tensors`` (how many), ``text_encoder`` (where from, or None).

    Raises:
        ModelError: no model's folder, or one that the released layout cannot hold.
        OptionError: an output of another kind of file.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise OptionError(
            expected=f"an output that ends in {', '.join(SUFFIXES)}",
            found=output.name,
            remedy="Use -o model_state.th.",
        )
    check_file_output(output, force)
    index = check_folder(folder)
    _check_layout(folder, index)
    own = folder / "text_encoder"
    text = text_encoder or (own if (own / "config.json").is_file() else None)
    if text is None:
        console.warn(
            "no text encoder: the file lacks cond_stage_model, which other programs ask for; --text-encoder gives it."
        )
    words = {} if text is None else _text_tensors(text)
    tensors = {**_released(folder), **words}
    with write_file(output, force) as path:
        if output.suffix.lower() == ".safetensors":
            save_file(tensors, path)
        else:
            torch.save(tensors, path)
    return {
        "output": str(output),
        "tensors": len(tensors),
        "text_encoder": None if text is None else str(text),
    }


def _check_layout(folder: Path, index: dict[str, Any]) -> None:
    """Refuse what the released programs have no place for."""
    unet = UNet2DConditionModel.load_config(folder / "unet")
    vae = AutoencoderKL.load_config(folder / "vae")
    scheduler = DDIMScheduler.load_config(folder / "scheduler")
    odd = []
    if unet["in_channels"] != unet["out_channels"]:
        odd.append("position channels")
    if vae["in_channels"] != 3 or not vae.get("mid_block_add_attention", True):
        odd.append("a VAE of another kind than SD's")
    if scheduler["prediction_type"] != "epsilon":
        odd.append(f"predictions of type {scheduler['prediction_type']}")
    if (index.get("pose_controlnet") or [None])[0] is None:
        odd.append("no pose ControlNet")
    if (index.get("image_encoder") or [None])[0] is not None:
        odd.append("an image encoder in place of a text's")
    if odd:
        raise ModelError(
            expected=f"a model of the released one's layout in {folder}",
            found=", ".join(odd),
            remedy="Only models of Stable Diffusion 1.5's kind can be exported.",
        )
    if (index.get("motion_adapter") or [None])[0] is not None:
        console.warn("the released layout has no place for the motion module: it is left out.")


def _released(folder: Path) -> dict[str, Tensor]:
    """All tensors but the text encoder's, under their released names."""
    tensors = schedule_buffers(folder / "scheduler")
    sources: list[tuple[str, Any, str]] = [
        ("unet", UNet2DConditionModel, names.UNET),
        ("appearance_unet", UNet2DConditionModel, names.APPEARANCE),
        ("pose_controlnet", ControlNetModel, names.POSE),
        ("vae", AutoencoderKL, names.VAE),
    ]
    with console.progress("Reading", total=len(sources), unit="networks") as bar:
        for name, kind, prefix in sources:
            with init_empty_weights():
                skeleton = kind.from_config(kind.load_config(folder / name))
            own = names.original_vae_names(skeleton) if name == "vae" else names.original_unet_names(skeleton)
            weights = _weights(folder / name)
            for ours, original in own.items():
                if name == "appearance_unet" and original.startswith("out."):
                    continue  # the released file has none: nothing reads what the appearance net predicts
                is_convolution = name == "vae" and names.was_convolution(ours)
                tensors[prefix + original] = (
                    weights[ours][:, :, None, None] if is_convolution else weights[ours]
                )
            if name == "appearance_unet":
                tensors |= _dead_hint_block(prefix, weights["conv_in.weight"])
            bar.advance()
    return tensors


def _weights(part: Path) -> dict[str, Tensor]:
    """A network's tensors as they are on disk, each in memory of its own: torch would save all that it shares."""
    files = [load_file(path) for path in sorted(part.glob("*.safetensors"))]
    return {name: tensor.clone() for file in files for name, tensor in file.items()}


def _text_tensors(folder: Path) -> dict[str, Tensor]:
    """CLIP's text encoder; transformers 5 writes its names without the ``text_model.`` of earlier ones."""
    weights = {name.removeprefix("text_model."): t for name, t in _weights(folder).items()}
    weights.pop("embeddings.position_ids", None)
    path, wanted = folder / "config.json", set()
    settings = json.loads(path.read_text()) if path.is_file() else {}
    if settings.get("model_type") in ("clip", "clip_text_model"):
        with init_empty_weights():
            wanted = set(CLIPTextModel(CLIPTextConfig(**settings.get("text_config", settings))).state_dict())
    if not wanted or wanted != set(weights):
        odd = sorted(wanted ^ set(weights))[:3]
        raise ModelError(
            expected=f"a CLIP text encoder in {folder}",
            found=f"missing or left over: {', '.join(odd)}" if odd else "no settings or no weights of one",
            remedy="Give a folder in transformers' layout, as text_encoder of Stable Diffusion 1.5.",
        )
    count = len(weights["embeddings.position_embedding.weight"])
    weights["embeddings.position_ids"] = torch.arange(count)[None]
    return {names.TEXT + name: tensor for name, tensor in weights.items()}


def _dead_hint_block(prefix: str, first_weight: Tensor) -> dict[str, Tensor]:
    widths = (3, *_HINT_WIDTHS, len(first_weight))
    block = {}
    for number, (ins, outs) in enumerate(pairwise(widths)):
        block[f"{prefix}input_hint_block.{2 * number}.weight"] = first_weight.new_zeros(outs, ins, 3, 3)
        block[f"{prefix}input_hint_block.{2 * number}.bias"] = first_weight.new_zeros(outs)
    return block


def schedule_buffers(scheduler_dir: Path) -> dict[str, Tensor]:
    """LDM's buffers of a noise schedule, fp32 ``(1000,)`` each: the closed forms of DDPM (Ho et al. 2020, Eq. 4 to 7).

    Computed in fp64 and rounded once.
    """
    config = DDIMScheduler.load_config(scheduler_dir)
    count, start, end = config["num_train_timesteps"], config["beta_start"], config["beta_end"]
    if config["beta_schedule"] == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, count, dtype=torch.float64) ** 2
    else:
        betas = torch.linspace(start, end, count, dtype=torch.float64)
    alphas = 1 - betas
    product = alphas.cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), product[:-1]])
    variance = betas * (1 - before) / (1 - product)
    buffers = {
        "betas": betas,
        "alphas_cumprod": product,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": product.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - product).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - product).log(),
        "sqrt_recip_alphas_cumprod": (1 / product).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / product - 1).sqrt(),
        "posterior_variance": variance,
        # its first entry is 0, whose logarithm the reference cuts at 1e-20
        "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - product),
        "posterior_mean_coef2": (1 - before) * alphas.sqrt() / (1 - product),
        "logvar": torch.zeros(count, dtype=torch.float64),
    }
    return {name: buffers[name].float() for name in names.SCHEDULE_BUFFERS}
