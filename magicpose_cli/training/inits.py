"""Networks in the folders of `--init`, looked at without torch.

    folder                                          what it gives
    a model's (`train`, `models convert`)           all it has
    Stable Diffusion 1.5 or SD Image Variations     unet, vae, and what conditions them
    one network's (ControlNet, MotionAdapter, UNet) that one

Its weights must lie under the names that diffusers looks for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..diffusion.facts import PARTS, PROMPT_EMBEDS, check_network, read_json
from ..errors import InputError

NETWORKS = tuple(name for name in PARTS if name != "scheduler")
"""Each network that a folder may give."""

_ALONE = {PARTS[name][1]: name for name in ("unet", "pose_controlnet", "motion_adapter")}
"""Class of each network that may come in a folder of its own."""

_FILES = [
    f"{name}.safetensors{end}" for name in ("diffusion_pytorch_model", "model") for end in ("", ".index.json")
]
"""Weights as diffusers and transformers look for them; a file of another name is not read."""


def index_of(folder: Path) -> dict[str, Any]:
    """What a folder's ``model_index.json`` says, or a single network's ``config.json``; empty without either."""
    for name in ("model_index.json", "config.json"):
        if (folder / name).is_file():
            return read_json(folder / name, folder)
    return {}


def networks_in(folder: Path) -> dict[str, Path]:
    """The folder of each network that a folder gives; none where it gives the prompt's embedding alone.

    Raises:
        InputError: it gives nothing, or a network without weights that can be read.
    """
    alone = _ALONE.get(index_of(folder).get("_class_name", ""))
    given = {name: folder / name for name in NETWORKS if (folder / name / "config.json").is_file()}
    if alone is not None:
        given = {alone: folder}
    if not given and not _conditions(folder):
        raise InputError(
            expected=f"networks in {folder}",
            found="none in diffusers' layout",
            remedy="Convert released weights first: magicpose models convert.",
        )
    for path in given.values():
        check_network(path, folder)
        if not any((path / name).is_file() for name in _FILES):
            raise InputError(
                expected=f"weights of the name {_FILES[0]} in {path}",
                found=", ".join(sorted(file.name for file in path.glob("*.safetensors"))),
                remedy="Rename the file; its number format does not matter.",
            )
    return given


def _conditions(folder: Path) -> bool:
    """Whether a folder has what makes the empty prompt's embedding, or it."""
    return (folder / PROMPT_EMBEDS).is_file() or (folder / "text_encoder" / "config.json").is_file()
