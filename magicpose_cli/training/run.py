"""One stage from files to files: recipe, clips and a starting model in; a run's folder out."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from .. import console
from ..device import pick_device
from ..diffusion.folder import load_model, new_model, new_motion_adapter
from ..diffusion.pipeline import MagicPosePipeline
from ..errors import InputError, RecipeError
from ..recipe import Optimisation, Recipe, read_recipe
from ..weights import assets_dir
from .data import SPLITS, Clips, load_clips
from .linear import start_linear
from .loop import MODEL, STATE, fit
from .stages import Stage, TrainMotion, TrainPose, TrainVae


def run_stage(
    stage: str,
    *,
    recipe: str,
    data_dir: Path,
    init_dir: Path | None,
    run_dir: Path,
    resume: bool,
    seed: int,
) -> Path:
    """Run a stage.

    Args:
        stage: ``vae``, ``pose`` or ``motion``.
        recipe: name of a recipe among the assets, or path of a TOML file.
        data_dir: clips in the TikTok layout; its test split is held out for the sample grids.
        init_dir: model to start from; None for fresh weights.
        run_dir: the run's folder.
        resume: go on with the run that is there.
        seed: of fresh weights, batches and noise.

    Returns:
        The trained model's folder.

    Raises:
        InputError: something that the stage needs is not there.
    """
    settings = read_recipe(find_recipe(recipe))
    _check_precision(getattr(settings, stage))
    started = _check_run(stage, run_dir, resume)
    if stage != "vae" and not started and init_dir is None:
        raise InputError(
            expected=f"a model to start the {stage} stage from",
            found="none",
            remedy="Give --init: the model folder of the stage before.",
        )
    pipeline = _starting_model(settings, run_dir / MODEL if started else init_dir, seed)
    if stage == "motion" and pipeline.motion_adapter is None:
        pipeline = _with_new_motion(pipeline, settings, seed)
    width_px, height_px = settings.sampling.width_px, settings.sampling.height_px
    clips = load_clips(data_dir, "train", width_px, height_px)
    held_out = clips
    if (data_dir / SPLITS["test"]).is_dir():
        held_out = load_clips(data_dir, "test", width_px, height_px)
    else:
        console.warn("no test split beside the clips: the sample grids show training clips.")
    console.say(
        f"{len(clips)} clips, {len(clips.frames)} frames; {len(held_out)} clips for the sample grids."
    )
    if stage == "vae" and settings.vae.linear_start and init_dir is None and not started:
        start_linear(pipeline.vae, clips.frames)
    return fit(
        _make(stage, settings, pipeline, clips, held_out),
        pipeline,
        run_dir,
        name=stage,
        seed=seed,
        resume=resume,
    )


def _check_run(stage: str, run_dir: Path, resume: bool) -> bool:
    """Whether there is a run to go on with; refuses one that was not asked for, or of another stage."""
    state = run_dir / STATE / "step.json"
    if not state.is_file():
        return False
    if not resume:
        raise InputError(
            expected="a new folder for the run",
            found=f"a run in {run_dir}",
            remedy="Add --resume to go on with it, or choose another folder.",
        )
    there = json.loads(state.read_text())["stage"]
    if there != stage:
        raise InputError(
            expected=f"a run of the {stage} stage in {run_dir}",
            found=f"one of the {there} stage",
            remedy="Choose another folder.",
        )
    return True


def _check_precision(settings: Optimisation) -> None:
    if settings.mixed_precision == "fp16" and pick_device("auto").type == "cpu":
        raise RecipeError(
            expected="a mixed_precision that the CPU computes (no, bf16)",
            found="fp16",
            remedy="Change it in the recipe.",
        )


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


def _make(stage: str, recipe: Recipe, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips) -> Stage:
    if stage == "vae":
        return TrainVae(recipe.vae, pipeline, clips, held_out)
    if stage == "pose":
        return TrainPose(recipe.pose, pipeline, clips, held_out)
    return TrainMotion(recipe.motion, pipeline, clips, held_out)


def _starting_model(recipe: Recipe, folder: Path | None, seed: int) -> MagicPosePipeline:
    device = pick_device("auto")
    if folder is not None:
        return load_model(folder, device, torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return new_model(recipe).to(device)


def _with_new_motion(pipeline: MagicPosePipeline, recipe: Recipe, seed: int) -> MagicPosePipeline:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapter = new_motion_adapter(recipe).to(pipeline.device)
    together = MagicPosePipeline(
        **{**pipeline.components, "motion_adapter": adapter}, sampling=dict(pipeline.sampling)
    )
    together.prompt_embeds = pipeline.prompt_embeds
    return together
