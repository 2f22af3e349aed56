"""What a stage is given: recipe, folder of the run, networks, clips; checked before torch is imported.

folder of networks                              what it gives
a model's (`train`, `models convert`)           all it has
Stable Diffusion 1.5 or SD Image Variations     unet, vae, and what conditions them
one network's (ControlNet, MotionAdapter, UNet) that one
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..diffusion.facts import PARTS
from ..errors import InputError, RecipeError
from ..recipe import STAGES, Optimisation, Recipe, read_recipe
from ..weights import assets_dir
from .data import SPLITS, no_clips
from .videos import holds_videos

STATE, MODEL = "state", "model"
"""Folders of a run: what resuming needs, and the model."""

NETWORKS = tuple(name for name in PARTS if name != "scheduler")
"""Each network that a folder may give."""

_ALONE = {PARTS[name][1]: name for name in ("unet", "pose_controlnet", "motion_adapter")}
"""Class of each network that may come in a folder of its own."""

_NEEDS = {
    "vae": (),
    "base": ("vae",),
    "appearance": ("vae", "unet"),
    "pose": ("vae", "unet", "appearance_unet", "pose_controlnet"),
    "motion": ("vae", "unet", "appearance_unet", "pose_controlnet", "motion_adapter"),
}
"""Networks that a stage cannot make for itself."""

_WHERE = {
    "vae": "Add --init with the model of the vae stage, or Stable Diffusion 1.5.",
    "unet": "Add --init with the model of the stage before, or Stable Diffusion 1.5.",
    "appearance_unet": "Add --init with the model of the appearance stage.",
    "pose_controlnet": "Add --init with a ControlNet (the paper takes v1.1 OpenPose).",
    "motion_adapter": "Add --init with AnimateDiff's motion module.",
}


def check_given(
    stage: str | None, *, recipe: str, data_dir: Path, init_dirs: list[Path], run_dir: Path, resume: bool
) -> None:
    """See that a stage can start.

    Args:
        stage: one of `STAGES`, or None for all that the recipe has, each in a folder of its name in `run_dir`.
        recipe, data_dir, init_dirs, run_dir, resume: as `run_stage` takes them.

    Raises:
        InputError: something that the stage needs is not there.
    """
    settings = read_recipe(find_recipe(recipe))
    first = first_stage(settings) if stage is None else stage
    settings_of(first, settings, recipe)
    for name in settings.stages() if stage is None else [first]:
        check_run(name, run_dir / name if stage is None else run_dir, resume)
    if not is_begun(run_dir / first if stage is None else run_dir):
        given = {name for folder in init_dirs for name in networks_in(folder)}
        check_networks(first, settings, given)
    if not (data_dir / SPLITS["train"]).is_dir() and not holds_videos(data_dir):
        raise no_clips(data_dir / SPLITS["train"])


# recipe


def find_recipe(recipe: str) -> Path:
    """A recipe's path from its name or path.

    Raises:
        RecipeError: neither is there.
    """
    named = assets_dir() / "recipes" / f"{recipe}.toml"
    path = named if named.is_file() else Path(recipe)
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in named.parent.glob("*.toml")))
        raise RecipeError(
            expected="a recipe's name or file",
            found=f"{recipe!r}",
            remedy=f"Shipped recipes: {names}; or give the path of a TOML file.",
        )
    return path


def first_stage(recipe: Recipe) -> str:
    """The first of a recipe's stages.

    Raises:
        RecipeError: it has none.
    """
    if not recipe.stages():
        raise RecipeError(
            expected=f"a recipe with stages ({', '.join(STAGES)})",
            found="none",
            remedy="Add one to the recipe.",
        )
    return next(iter(recipe.stages()))


def settings_of(stage: str, recipe: Recipe, name: str) -> Optimisation:
    """A stage's block of a recipe; `name` is the recipe's, for the error where it has none."""
    block = recipe.stages().get(stage)
    if block is None:
        raise RecipeError(
            expected=f"a [{stage}] block in the recipe {name}",
            found=f"its stages are {', '.join(recipe.stages()) or 'none'}",
            remedy="Choose one of them, or another recipe.",
        )
    return block


# the run's folder


def is_begun(run_dir: Path) -> bool:
    """Whether there is a run to go on with."""
    return (run_dir / STATE / "step.json").is_file()


def steps_done(run_dir: Path) -> int:
    """How far a run is that `is_begun`."""
    return int(json.loads((run_dir / STATE / "step.json").read_text())["step"])


def check_run(stage: str, run_dir: Path, resume: bool) -> None:
    """Refuse a run that was not asked to be gone on with, or one of another stage."""
    if not is_begun(run_dir):
        return
    if not resume:
        raise InputError(
            expected="a new folder for the run",
            found=f"a run in {run_dir}",
            remedy="Add --resume to go on with it, or choose another folder.",
        )
    there = json.loads((run_dir / STATE / "step.json").read_text())["stage"]
    if there != stage:
        raise InputError(
            expected=f"a run of the {stage} stage in {run_dir}",
            found=f"one of the {there} stage",
            remedy="Choose another folder.",
        )


# networks


def index_of(folder: Path) -> dict[str, Any]:
    """What a folder's ``model_index.json`` says, or a single network's ``config.json``; empty without either."""
    for name in ("model_index.json", "config.json"):
        if (folder / name).is_file():
            return json.loads((folder / name).read_text())
    return {}


def networks_in(folder: Path) -> dict[str, Path]:
    """The folder of each network that a folder gives.

    Raises:
        InputError: it gives none.
    """
    alone = _ALONE.get(index_of(folder).get("_class_name", ""))
    if alone is not None:
        return {alone: folder}
    given = {name: folder / name for name in NETWORKS if (folder / name / "config.json").is_file()}
    if not given:
        raise InputError(
            expected=f"networks in {folder}",
            found="none in diffusers' layout",
            remedy="Convert released weights first: magicpose models convert.",
        )
    return given


def check_networks(stage: str, recipe: Recipe, given: Collection[str]) -> None:
    """See that a stage has the networks that it can neither copy nor make from nothing.

    Raises:
        InputError: it has not.
    """
    makes = set()
    if stage == "appearance":
        makes.add("appearance_unet")
    if stage == "motion" and recipe.unet is not None:
        makes.add("motion_adapter")
    for name in _NEEDS[stage]:
        if name not in given and name not in makes:
            raise InputError(
                expected=f"a {name} to start the {stage} stage from", found="none", remedy=_WHERE[name]
            )
