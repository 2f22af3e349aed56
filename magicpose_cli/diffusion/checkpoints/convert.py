"""Released checkpoints to folders that load (`magicpose models convert`).

    what SRC holds                                      what is written
    MagicPose, stage 2 or 1                             a model's folder (`MagicPosePipeline`)
    Stable Diffusion 1.x, SD Image Variations           its parts: unet, vae, text or image encoder
    ControlNet v1.1, AnimateDiff v1 to v3, AnimateLCM   that one network

All in diffusers' layout. All is checked by names and shapes before anything is written; then one network at a time
passes through memory.
"""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DDIMScheduler
from safetensors.torch import save_file
from torch import Tensor

from ... import console
from ...errors import ModelError
from ...media.atomic import check_folder_output, write_folder
from ...recipe import find_recipe, read_recipe
from ..facts import PARTS, PROMPT_EMBEDS
from .contents import account_for, find_parts, kind_of
from .parts import Part
from .reading import Checkpoint, read_embedding

_EMPTY_PROMPT = [49406] + [49407] * 76
"""CLIP's tokens of "": the start, then the end up to 77."""


@dataclass(frozen=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        prompt_embeds: file with the embedding of the empty prompt, for a checkpoint without a usable text encoder.
        heads: attention heads at every level of the diffusion networks.
        norm_groups: groups of their norms.
        dtype: of what is written; None keeps the file's.
        force: replace a folder that is there.
    """

    prompt_embeds: Path | None = None
    heads: int = 8
    norm_groups: int = 32
    dtype: torch.dtype | None = None
    force: bool = False


def convert(source: Path, folder: Path, options: ConvertOptions) -> dict[str, Any]:
    """Convert a checkpoint.

    Args:
        source: the file; for a network in diffusers' layout, its folder too.
        folder: to write.
        options: how.

    Returns:
        What was found and written: ``kind``, ``parts`` (tensors and parameters of each), ``dead`` (what was left
        behind, and how many tensors), ``prompt_embeds`` (where from, or None).

    Raises:
        ModelError: no checkpoint of a known kind, or one with tensors missing or left over; all are listed.
        OutputExistsError: there is something at the folder's place.
    """
    check_folder_output(folder, options.force, is_converted)
    file = Checkpoint(_file_of(source))
    kind = kind_of(file)
    parts = find_parts(file, kind, options.heads, options.norm_groups)
    dead = account_for(file, parts)
    embeds = None if options.prompt_embeds is None else read_embedding(options.prompt_embeds)
    origin = None if embeds is None else str(options.prompt_embeds)
    _check_embedding(embeds, parts, kind)
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()  # the libraries' own bars would run through ours
    report: dict[str, Any] = {"source": str(source), "kind": kind, "folder": str(folder), "dead": dead}
    with write_folder(folder, options.force, is_converted) as out:
        is_one_network = kind in ("controlnet", "motion module")
        report["parts"], made = _write_parts(parts, out, is_one_network, options.dtype)
        if embeds is None and made is not None:
            embeds, origin = made, f"the text encoder of {source.name}"
        if embeds is not None:
            kept = embeds.to(options.dtype or embeds.dtype).contiguous()
            save_file({"prompt_embeds": kept}, out / PROMPT_EMBEDS)
        elif "unet" in report["parts"] and "image_encoder" not in report["parts"]:
            console.warn(
                "no usable text encoder and no --prompt-embeds: the folder stores no embedding of the empty prompt, "
                "which predict_noise and denoise then need as prompt_embeds."
            )
        report["prompt_embeds"] = origin
        if kind.startswith("magicpose"):
            _write_index(out, report["parts"])
    return report


def _write_parts(
    parts: dict[str, Part], folder: Path, is_one_network: bool, dtype: torch.dtype | None
) -> tuple[dict[str, Any], Tensor | None]:
    """Pass each network through memory, alone; gives what was written and the embedding of the empty prompt."""
    written, embeds = {}, None
    with console.progress("Converting", total=len(parts), unit="networks") as bar:
        for name in list(parts):
            part = parts.pop(name)  # so that its weights go when it is done
            bar.describe(f"Converting {name}")
            module: Any = part.load(dtype)
            module.save_pretrained(folder if is_one_network else folder / name, safe_serialization=True)
            written[name] = {
                "class": part.class_name,
                "tensors": len(part.originals),
                "parameters": sum(p.numel() for p in module.parameters()),
            }
            if name == "text_encoder" and knows_words(module):
                embeds = embed_empty_prompt(module)
            del part, module
            gc.collect()
            bar.advance()
    return written, embeds


def is_converted(entry: Path) -> bool:
    """Whether an entry of a folder is what a conversion writes, and may be replaced by one."""
    parts = (
        "unet",
        "appearance_unet",
        "pose_controlnet",
        "motion_adapter",
        "vae",
        "text_encoder",
        "image_encoder",
    )
    others = (
        "scheduler",
        "model_index.json",
        "config.json",
        "diffusion_pytorch_model.safetensors",
        PROMPT_EMBEDS,
    )
    return entry.name in (*parts, *others)


def _file_of(source: Path) -> Path:
    """The weights in a folder of one network in diffusers' layout; a file is itself."""
    inside = source / "diffusion_pytorch_model.safetensors"
    if source.is_dir() and not inside.is_file():
        raise ModelError(
            expected=f"a checkpoint file at {source}",
            found="a folder that is no single network in diffusers' layout",
            remedy="Give a file; a folder with model_index.json needs no conversion.",
        )
    return inside if source.is_dir() else source


def _check_embedding(embeds: Tensor | None, parts: dict[str, Part], kind: str) -> None:
    if embeds is None:
        return
    if "unet" not in parts:
        raise ModelError(
            expected="a checkpoint that a prompt belongs to",
            found=f"a {kind}",
            remedy="Leave out --prompt-embeds.",
        )
    width = parts["unet"].skeleton.config.cross_attention_dim  # type: ignore[union-attr]
    if embeds.shape[-1] != width:
        raise ModelError(
            expected=f"a prompt embedding of width {width}",
            found=f"one of {embeds.shape[-1]}",
            remedy="Give --prompt-embeds of the text encoder that the model was trained with.",
        )


def knows_words(text_encoder: Any) -> bool:
    """Whether a text encoder has the words of CLIP's own vocabulary, without which "" cannot be told to it."""
    config = text_encoder.config
    return config.vocab_size > max(_EMPTY_PROMPT) and config.max_position_embeddings >= len(_EMPTY_PROMPT)


@torch.no_grad()
def embed_empty_prompt(text_encoder: Any) -> Tensor:
    """Last hidden state of the empty prompt, behind the final norm, ``(1 77 d)``."""
    return text_encoder.float()(input_ids=torch.tensor([_EMPTY_PROMPT])).last_hidden_state


def _write_index(folder: Path, parts: dict[str, Any]) -> None:
    """Make the networks of a folder one pipeline. The text encoder stays beside it: only its one word is used."""
    index: dict[str, Any] = {
        "_class_name": "MagicPosePipeline",
        "_diffusers_version": diffusers.__version__,
        "scheduler": PARTS["scheduler"],
    }
    index |= {
        name: kind if name in parts else [None, None] for name, kind in PARTS.items() if name != "scheduler"
    }
    # the paper's own: its sampler and its schedule
    paper = read_recipe(find_recipe("sd15"))
    index["sampling"] = paper.sampling.model_dump()
    DDIMScheduler(**paper.schedule.model_dump()).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
