"""What resuming a run needs, and what a resumed run must be alike in."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from accelerate import Accelerator
from torch.optim.lr_scheduler import LambdaLR

from .. import console
from ..errors import InputError
from ..media.atomic import write_folder
from .run_folder import MODEL, STATE, STEP, is_begun, read_step
from .sharding import is_sharded


def save_state(accelerator: Accelerator, run_dir: Path, done: dict[str, Any]) -> None:
    """Write all that resuming needs, whole or not at all; draws depend on the step, so one process's state is all's."""
    if not accelerator.is_main_process:
        if is_sharded(accelerator):  # gives its parts, and writes nothing that is kept
            with TemporaryDirectory() as aside:
                accelerator.save_state(aside)
        return
    with write_folder(run_dir / STATE, overwrite=True) as folder:
        accelerator.save_state(str(folder))
        (folder / STEP).write_text(json.dumps({**done, "sharded": is_sharded(accelerator)}))


def load_state(accelerator: Accelerator, run_dir: Path, origin: dict[str, Any]) -> int:
    """Read a run's state, if there is one; says what of its recipe has changed."""
    if not is_begun(run_dir):
        return 0
    there = read_step(run_dir)
    was_sharded = there.get("sharded", False)
    if was_sharded != is_sharded(accelerator):
        kinds = {True: "under FSDP", False: "without FSDP"}
        raise InputError(
            expected=f"a run begun {kinds[not was_sharded]} in {run_dir}, to go on with",
            found=f"one {kinds[was_sharded]}",
            remedy=f"Launch it {kinds[was_sharded]}, or start a new run with --init {run_dir / MODEL}.",
        )
    changes = _changes(there.get("recipe", origin["recipe"]), origin["recipe"])
    if changes:
        console.warn(f"the recipe is not that of the run's last steps: {', '.join(changes)}.")
    accelerator.load_state(str(run_dir / STATE))
    return int(there["step"])


def follow_recipe(schedule: LambdaLR, rates: list[float], weight_decay: float) -> None:
    """Let the recipe's numbers take the place of a state's: it may have been changed since.

    Args:
        schedule: of the optimizer.
        rates: its groups' learning rates.
        weight_decay: of all groups.
    """
    schedule.base_lrs = list(rates)
    for group, rate, factor in zip(schedule.optimizer.param_groups, rates, schedule.lr_lambdas, strict=True):
        group["lr"] = rate * factor(schedule.last_epoch)
        group["weight_decay"] = weight_decay


def _changes(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two recipes, as ``pose.batch_size 8 -> 24``."""
    if isinstance(before, dict) and isinstance(now, dict):
        entries = dict.fromkeys([*before, *now])
        inner = (_changes(before.get(e), now.get(e), f"{name}.{e}".lstrip(".")) for e in entries)
        return [change for changes in inner for change in changes]
    return [] if before == now else [f"{name} {before} -> {now}"]
