"""What a stage is given, checked before torch is imported: recipe, run's folder, networks, clips."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from ..diffusion.facts import MOTION_FRAMES, read_json
from ..errors import InputError, RecipeError
from ..recipe import STAGES, Optimisation, Recipe, find_recipe, read_recipe
from .data import SPLITS, keypoints_of, no_clips, too_short, videos_in
from .inits import networks_in
from .run_folder import MODEL, check_run, is_begun
from .videos import holds_videos

_WHOLE = ("vae", "unet", "appearance_unet", "pose_controlnet")

_NEEDS = {
    "vae": _WHOLE,
    "base": _WHOLE,
    "appearance": ("vae", "unet"),
    "pose": _WHOLE,
    "motion": (*_WHOLE, "motion_adapter"),
    "distill": _WHOLE,
}
"""Networks that a stage starts from; `vae` without any makes all."""

_WHERE = {
    "vae": "Add --init with the model of the stage before, or Stable Diffusion 1.5.",
    "unet": "Add --init with the model of the stage before, or Stable Diffusion 1.5.",
    "appearance_unet": "Add --init with the model of the appearance stage.",
    "pose_controlnet": "Add --init with a ControlNet (the paper takes v1.1 OpenPose).",
    "motion_adapter": "Add --init with AnimateDiff's motion module.",
}


def check_given(
    stage: str | None,
    *,
    recipe: str,
    data_dir: Path,
    init_dirs: list[Path],
    run_dir: Path,
    resume: bool,
    seed: int,
    changes: Sequence[str] = (),
) -> None:
    """See that a stage can start, or that all can, one after the other.

    Args:
        stage: one of `STAGES`, or None for all that the recipe has, each in a folder of its name in `run_dir`.
        recipe, data_dir, init_dirs, run_dir, resume, seed, changes: as `run_stage` takes them.

    Raises:
        InputError: something that a stage needs is not there.
    """
    settings = read_recipe(find_recipe(recipe), changes)
    stages = stages_of(settings) if stage is None else [stage]
    runs = {name: run_dir / name if stage is None else run_dir for name in stages}
    networks: dict[str, Path] = {}
    if not all(map(is_begun, runs.values())):  # what has begun goes on from its own model
        networks = {name: path for folder in init_dirs for name, path in networks_in(folder).items()}
    made: set[str] = set()
    for name, own in runs.items():
        check_run(name, own, resume, seed, settings_of(name, settings, recipe))
        if is_begun(own):
            networks |= networks_in(own / MODEL)
        else:
            check_networks(name, settings, {*networks, *made}, from_nothing=not init_dirs)
        made |= {*_NEEDS[name], *_made_by(name, settings)}
    has_motion = "motion_adapter" in {*networks, *made}
    if not holds_videos(data_dir):
        check_clips(data_dir, settings, stages, has_motion=has_motion)
    for name, frames in _runs_of_frames(settings, stages, has_motion).items():
        _check_motion(name, frames, networks.get("motion_adapter"))


def stages_of(recipe: Recipe) -> list[str]:
    """A recipe's stages, in their order.

    Raises:
        RecipeError: it has none.
    """
    if not recipe.stages():
        raise RecipeError(
            expected=f"a recipe with stages ({', '.join(STAGES)})",
            found="none",
            remedy="Add one to the recipe.",
        )
    return list(recipe.stages())


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


def check_networks(stage: str, recipe: Recipe, given: Collection[str], *, from_nothing: bool = False) -> None:
    """See that a stage has the networks that it can neither copy nor make; `from_nothing`, `vae` makes all.

    Raises:
        InputError: it has not.
    """
    if stage == "vae" and from_nothing:
        return
    for name in _NEEDS[stage]:
        if name not in given and name not in _made_by(stage, recipe):
            remedy = (
                "Add --init with the model of the vae stage." if stage in ("vae", "base") else _WHERE[name]
            )
            raise InputError(
                expected=f"{'an' if name.startswith('a') else 'a'} {name} to start the {stage} stage from",
                found="none",
                remedy=remedy,
            )


def _made_by(stage: str, recipe: Recipe) -> tuple[str, ...]:
    """What a stage makes for itself where nothing is given."""
    if stage == "motion" and recipe.unet is not None:
        return ("motion_adapter",)
    return ("appearance_unet",) if stage == "appearance" else ()


def _runs_of_frames(recipe: Recipe, stages: Collection[str], has_motion: bool) -> dict[str, int]:
    """How many consecutive frames those of the stages need that take any."""
    found = {}
    if recipe.motion is not None and "motion" in stages:
        found["motion"] = recipe.motion.frames
    if recipe.distill is not None and "distill" in stages and has_motion:
        found["distill"] = recipe.distill.frames
    return found


def _check_motion(stage: str, frames: int, adapter: Path | None) -> None:
    most = MOTION_FRAMES
    if adapter is not None:
        most = read_json(adapter / "config.json", adapter)["motion_max_seq_length"]
    if frames > most:
        raise RecipeError(
            expected=f"at most {most} frames in [{stage}], which is what the motion module takes at once",
            found=str(frames),
            remedy="Change it in the recipe.",
        )


def check_clips(folder: Path, recipe: Recipe, stages: Collection[str], *, has_motion: bool) -> None:
    """See that there are clips, long enough for the motion module and with keypoints where hands are masked.

    Args:
        folder: in the TikTok layout.
        recipe: whose stages say what they need.
        stages: those that will run.
        has_motion: whether ``distill`` sees consecutive frames.

    Raises:
        InputError: there are not.
    """
    train = videos_in(folder / SPLITS["train"])
    if not train:
        raise no_clips(folder / SPLITS["train"])
    longest = max(map(len, train.values()))
    needed = max(_runs_of_frames(recipe, stages, has_motion).values(), default=1)
    if longest < needed:
        raise too_short(needed, len(train))
    masked = [name for name in stages if getattr(recipe.stages().get(name), "mask_hand", 0)]
    lacking = [video.name for video in train if not keypoints_of(folder, video.name).is_file()]
    if masked and lacking:
        more = f", and those of {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise InputError(
            expected=f"keypoints beside the clips, to leave hands out of pose maps (mask_hand in [{masked[0]}])",
            found=f"no {keypoints_of(folder, lacking[0])}{more}",
            remedy="Make each with magicpose extract-pose FRAMES -o THAT, or set mask_hand = 0 in the recipe.",
        )
