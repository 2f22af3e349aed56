"""Stages from files to files: recipe, clips and starting networks in; a run's folder out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import disable_fsdp_ram_efficient_loading

from .. import console
from ..device import pick_device
from ..diffusion.pipeline import MagicPosePipeline
from ..errors import RecipeError
from ..recipe import DistillStage, MotionStage, Optimisation, Recipe, find_recipe, read_recipe
from .data import SPLITS, Clips, load_clips
from .distill_stage import TrainDistill
from .given import check_clips, settings_of, stages_of
from .linear import LOOKED_AT, start_linear
from .loop import fit
from .run_folder import MODEL, check_run, is_begun, read_step
from .stage import Stage
from .stages import TrainAppearance, TrainBase, TrainMotion, TrainPose
from .start import starting_model
from .vae_stage import TrainVae
from .videos import clips_of_videos, holds_videos

LONGEST_WAIT = timedelta(hours=12)
"""Of processes for each other: one takes a folder of videos apart, and its detector may need hours for that."""


def part_processes() -> None:
    """Let the processes of a distributed run go, once all stages are done."""
    PartialState(cpu=pick_device("auto").type == "cpu").destroy_process_group()


def run_all(
    *,
    recipe: str,
    data_dir: Path,
    init_dirs: list[Path],
    run_dir: Path,
    resume: bool,
    seed: int,
    changes: Sequence[str] = (),
) -> Path:
    """Run all stages that a recipe has, each in a folder of its name, from the model of the one before.

    With `resume`, stages that are done are passed over and a broken one goes on. Arguments, result and errors as in
    `run_stage`.
    """
    inits = init_dirs
    for stage in stages_of(read_recipe(find_recipe(recipe), changes)):
        model = run_stage(
            stage,
            recipe=recipe,
            data_dir=data_dir,
            init_dirs=inits,
            run_dir=run_dir / stage,
            resume=resume,
            seed=seed,
            changes=changes,
        )
        inits = [*init_dirs, model]  # last, since a later folder's networks count: those that were trained
    return model


def run_stage(
    stage: str,
    *,
    recipe: str | Recipe,
    data_dir: Path,
    init_dirs: list[Path],
    run_dir: Path,
    resume: bool,
    seed: int,
    changes: Sequence[str] = (),
) -> Path:
    """Run a stage.

    Args:
        stage: one of `STAGES`.
        recipe: name of a recipe among the assets, path of a TOML file, or a recipe.
        data_dir: clips in the TikTok layout, or videos; the test split is held out for the sample grids.
        init_dirs: folders of networks to start from, later ones before earlier ones; none for fresh weights.
        run_dir: the run's folder.
        resume: go on with the run that is there.
        seed: of fresh weights, batches and noise.
        changes: of the recipe's entries, where it is a name or a path, as ``pose.steps=5000``.

    Returns:
        The trained model's folder.

    Raises:
        InputError: something that the stage needs is not there.
    """
    disable_fsdp_ram_efficient_loading()  # each process reads its own weights, whatever a launcher asks for
    # before a model is loaded, since it says which of several GPUs is this process's
    PartialState(cpu=pick_device("auto").type == "cpu", timeout=LONGEST_WAIT)
    settings = recipe if isinstance(recipe, Recipe) else read_recipe(find_recipe(recipe), changes)
    optimisation = settings_of(stage, settings, recipe if isinstance(recipe, str) else "given")
    _check_precision(optimisation)
    check_run(stage, run_dir, resume, seed, optimisation)
    started = is_begun(run_dir)
    if started and read_step(run_dir)["step"] >= optimisation.steps:
        console.say(f"{stage}: done already, in {run_dir}.")
        return run_dir / MODEL
    pipeline = starting_model(stage, settings, [run_dir / MODEL] if started else init_dirs, seed)
    width_px, height_px = settings.sampling.width_px, settings.sampling.height_px
    if holds_videos(data_dir):
        # one process takes the videos apart, the others find the clips there
        with PartialState().main_process_first():
            data_dir = clips_of_videos(data_dir, width_px, height_px, settings.data.fps)
    check_clips(data_dir, settings, [stage], has_motion=pipeline.network.has_motion)
    cell_px = pipeline.latent_factor
    clips = load_clips(data_dir, "train", width_px, height_px, cell_px, settings.data.crop)
    held_out, tested = clips, None
    if (data_dir / SPLITS["test"]).is_dir():
        held_out = load_clips(data_dir, "test", width_px, height_px, cell_px)
        tested = _tested(stage, optimisation, pipeline, held_out)
    else:
        console.warn(
            "no test split beside the clips: samples show training clips, and no held-out loss is logged."
        )
    console.say(f"{len(clips)} clips, {clips.total} frames; {len(held_out)} clips for the sample grids.")
    drawn = sum(poses is not None for poses in clips.poses) if clips.draws else 0
    if drawn:
        console.say(f"Pose maps are drawn from the keypoints of {drawn} of the {len(clips)} clips.")
    if settings.vae is not None and stage == "vae" and settings.vae.linear_start and not started:
        if init_dirs:
            console.say("vae: linear_start is for fresh weights, and --init gives others.")
        else:
            start_linear(pipeline.vae, clips.pictures(clips.spread(LOOKED_AT)))
    return fit(
        _make(stage, optimisation, pipeline, clips, held_out),
        pipeline,
        run_dir,
        name=stage,
        recipe=settings,
        seed=seed,
        resume=resume,
        held_out=tested,
    )


def _tested(stage: str, settings: Optimisation, pipeline: MagicPosePipeline, held_out: Clips) -> Stage | None:
    """The stage on held-out clips with all their conditions; None, which is said, where none is long enough."""
    frames = 1
    if isinstance(settings, MotionStage | DistillStage) and pipeline.network.has_motion:
        frames = settings.frames
    if max(np.diff(held_out.starts)) < frames:
        console.say(f"no held-out loss: no test clip has {frames} frames.")
        return None
    whole = {name: 0.0 for name in ("mask_face", "mask_hand", "drop_conditions") if hasattr(settings, name)}
    return _make(stage, settings.model_copy(update=whole), pipeline, held_out, held_out)


def _check_precision(settings: Optimisation) -> None:
    if settings.mixed_precision == "fp16" and pick_device("auto").type == "cpu":
        raise RecipeError(
            expected="a mixed_precision that the CPU computes (no, bf16)",
            found="fp16",
            remedy="Change it in the recipe.",
        )


_STAGES: dict[str, Any] = {
    "vae": TrainVae,
    "base": TrainBase,
    "appearance": TrainAppearance,
    "pose": TrainPose,
    "motion": TrainMotion,
    "distill": TrainDistill,
}


def _make(
    stage: str, settings: Optimisation, pipeline: MagicPosePipeline, clips: Clips, held_out: Clips
) -> Stage:
    return _STAGES[stage](settings, pipeline, clips, held_out)
