"""A run's folder: whether there is a run in it, how far, and whether it may be gone on with.

    RUN/model/      the pipeline                    RUN/log.csv     loss and rate by step, held-out loss
    RUN/state/      what resuming needs             RUN/samples/    pictures to watch it learn
    RUN/model-<step>/   as it was then, where the recipe says keep_every

The model is written before the state, so that a state never stands without one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import InputError, OptionError
from ..recipe import Optimisation

STATE, MODEL, STEP = "state", "model", "step.json"
_FIXED = "optimizer", "train_unet", "controlnet_alone"
"""Entries of a stage that decide which weights a state holds something of, and what."""


def is_begun(run_dir: Path) -> bool:
    """Whether there is a run to go on with."""
    return (run_dir / STATE / STEP).is_file()


def read_step(run_dir: Path) -> dict[str, Any]:
    """How far a run is that `is_begun`, and what it was begun with: ``step``, ``stage``, ``seed``, ``recipe``."""
    return json.loads((run_dir / STATE / STEP).read_text())


def check_run(stage: str, run_dir: Path, resume: bool, seed: int, settings: Optimisation) -> None:
    """Refuse a run that is not to be gone on with, or of another stage, seed or kind, and a model that is no run's."""
    if not is_begun(run_dir):
        model = run_dir / MODEL
        # with --resume a model may be one that was written just before the run was killed for the first time
        if os.path.lexists(model) and not (resume and (model / "model_index.json").is_file()):
            raise InputError(
                expected="a new folder for the run",
                found=f"{model}, which the run would replace",
                remedy="Choose another folder, or move it away.",
            )
        return
    if not resume:
        raise InputError(
            expected="a new folder for the run",
            found=f"a run in {run_dir}",
            remedy="Add --resume to go on with it, or choose another folder.",
        )
    there = read_step(run_dir)
    if there["stage"] != stage:
        raise InputError(
            expected=f"a run of the {stage} stage in {run_dir}",
            found=f"one of the {there['stage']} stage",
            remedy="Choose another folder.",
        )
    if there.get("seed", seed) != seed:
        raise OptionError(
            expected=f"the seed that the run in {run_dir} was begun with, {there['seed']}",
            found=str(seed),
            remedy=f"Add --seed {there['seed']}.",
        )
    # what a recipe did not set is not written, and has its default
    begun = type(settings).model_construct(**there.get("recipe", {}).get(stage, settings.model_dump()))
    for name in _FIXED:
        was, now = getattr(begun, name, None), getattr(settings, name, None)
        if was != now:
            raise InputError(
                expected=f"{stage}.{name} = {was}, with which the run in {run_dir} was begun",
                found=str(now),
                remedy=f"Change it back, or start a new run with --init {run_dir / MODEL}.",
            )
