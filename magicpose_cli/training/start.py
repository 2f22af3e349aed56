"""What a stage starts from: networks gathered from one or several folders (`--init`), or made from nothing.

A later folder's networks take the place of an earlier one's.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextModel

from .. import console
from ..device import pick_device
from ..diffusion.checkpoints.convert import embed_empty_prompt, knows_words
from ..diffusion.facts import PARTS, PROMPT_EMBEDS, check_folder
from ..diffusion.fresh import new_model, new_motion_adapter
from ..diffusion.pipeline import MagicPosePipeline
from ..errors import InputError
from ..recipe import Recipe
from .given import check_networks
from .inits import NETWORKS, index_of, networks_in

_CLASSES: dict[str, Any] = {name: getattr(import_module(PARTS[name][0]), PARTS[name][1]) for name in NETWORKS}
"""Class of each network that a folder may give."""


def starting_model(stage: str, recipe: Recipe, folders: list[Path], seed: int) -> MagicPosePipeline:
    """Put a stage's starting model together, on the training's device, in fp32; says what comes from where.

    Args:
        stage: its name.
        recipe: gives shape, schedule and sampling of a model made from nothing.
        folders: where networks are, later ones before earlier ones.
        seed: of fresh weights.

    Raises:
        InputError: a folder that gives nothing, or a network that the stage needs and none gives.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if not folders and stage == "vae":
            return new_model(recipe).to(pick_device("auto"))
        found, embeds, theirs = _gather(stage, folders)
        if (
            stage == "motion"
            and "motion_adapter" not in found
            and "unet" in found
            and recipe.unet is not None
        ):
            found["motion_adapter"] = new_motion_adapter(found["unet"], recipe.unet.motion_attention_heads)
            console.say("motion_adapter: made from nothing")
        if stage == "appearance" and "unet" in found and "appearance_unet" not in found:
            # paper 4.2: initialised with the UNet's weights
            found["appearance_unet"] = UNet2DConditionModel.from_config(found["unet"].config)
            found["appearance_unet"].load_state_dict(found["unet"].state_dict())
            console.say("appearance_unet: a copy of the unet")
    check_networks(stage, recipe, found)
    if embeds is None and "image_encoder" not in found:
        raise InputError(
            expected="an embedding of the empty prompt or an image encoder",
            found="neither",
            remedy="Add --init with a folder that has prompt_embeds.safetensors, text_encoder or image_encoder.",
        )
    _say_other_schedule(theirs, recipe)
    pipeline = MagicPosePipeline(
        **found,
        scheduler=DDIMScheduler(**recipe.schedule.model_dump()),
        sampling=recipe.sampling.model_dump(),
    )
    pipeline.prompt_embeds = embeds
    return pipeline.to(pick_device("auto"))


def _say_other_schedule(theirs: DDIMScheduler | None, recipe: Recipe) -> None:
    """Say where the recipe's noise schedule takes the place of the one that the networks were trained with."""
    if theirs is None:
        return
    wanted = recipe.schedule.model_dump()
    odd = [name for name, value in wanted.items() if theirs.config.get(name, value) != value]
    if odd:
        changes = ", ".join(f"{name} {theirs.config[name]} -> {wanted[name]}" for name in odd)
        console.warn(f"the recipe's schedule takes the place of the model's: {changes}.")


def _gather(stage: str, folders: list[Path]) -> tuple[dict[str, Any], Tensor | None, DDIMScheduler | None]:
    """Networks by name, the empty prompt's embedding, and a whole model's noise schedule."""
    paths: dict[str, Path] = {}
    embeds: Tensor | None = None
    theirs: DDIMScheduler | None = None
    for folder in folders:
        if index_of(folder).get("_class_name") == "MagicPosePipeline":
            check_folder(folder)
            theirs = DDIMScheduler.from_pretrained(folder / "scheduler")
        paths |= networks_in(folder)
        own = _embedding_in(folder)
        embeds = own if own is not None else embeds
    if stage not in ("motion", "distill") and "motion_adapter" in paths:
        console.say(
            f"motion_adapter: not in the {stage} stage; {paths.pop('motion_adapter')} waits for its own"
        )
    found = {}
    for name, path in paths.items():
        found[name] = _load(name, path)
        console.say(f"{name}: from {path}")
    return found, embeds, theirs


def _load(name: str, path: Path) -> Any:
    """Read a network whole: what its file lacks is an error (it would be drawn at random), the rest is said."""
    network, seen = _CLASSES[name].from_pretrained(
        str(path), dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
    )
    missing, left_over = sorted(seen["missing_keys"]), sorted(seen["unexpected_keys"])
    if missing:
        raise InputError(
            expected=f"all weights of a {name} in {path}",
            found=f"{len(missing)} missing: {_some(missing)}",
            remedy="Convert or train it again.",
        )
    if left_over:
        console.warn(
            f"{len(left_over)} weights in {path} belong to no {name} and are left: {_some(left_over)}."
        )
    return network


def _some(names: list[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (" ..." if len(names) > count else "")


def _embedding_in(folder: Path) -> Tensor | None:
    """The stored embedding of the empty prompt, or the one that the folder's text encoder makes."""
    if (folder / PROMPT_EMBEDS).is_file():
        return load_file(folder / PROMPT_EMBEDS)["prompt_embeds"]
    if (folder / "text_encoder" / "config.json").is_file():
        encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", local_files_only=True).eval()
        return embed_empty_prompt(encoder) if knows_words(encoder) else None
    return None
