"""The training loop: batches to a checkpoint, through accelerate; killed at any moment, it resumes.

A run's folder holds ``model/`` (the pipeline, with averaged weights), ``state/`` (all that resuming needs),
``log.csv`` and ``samples/``.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel

from .. import console
from ..diffusion.pipeline import MagicPosePipeline
from ..media.atomic import write_folder
from ..media.pictures import save_picture
from .stages import Stage

STATE, MODEL, LOG = "state", "model", "log.csv"


def fit(
    stage: Stage, pipeline: MagicPosePipeline, run_dir: Path, *, name: str, seed: int, resume: bool
) -> Path:
    """Train a stage to its last step.

    Args:
        stage: what to train.
        pipeline: the model that the stage's module is part of.
        run_dir: where the run's files go.
        name: the stage's.
        seed: of batches, noise and timesteps.
        resume: go on from ``run_dir``'s state where there is one.

    Returns:
        The trained model's folder.

    """
    settings = stage.settings
    accelerator = Accelerator(mixed_precision=settings.mixed_precision)
    trained = list(stage.trained())
    optimizer = torch.optim.AdamW(stage.rates(), weight_decay=settings.weight_decay)
    schedule = get_scheduler(
        settings.schedule,
        optimizer,
        num_warmup_steps=settings.warmup_steps,
        num_training_steps=settings.steps,
    )
    if accelerator.device.type == "cpu":
        stage.module.to(memory_format=torch.channels_last)  # twice as fast there in bf16
    module, optimizer, schedule = accelerator.prepare(stage.module, optimizer, schedule)
    average = EMAModel(trained, decay=settings.ema_decay) if settings.ema_decay else None
    if average is not None:
        accelerator.register_for_checkpointing(average)

    done = _resume(accelerator, run_dir) if resume else 0
    with (
        console.progress(f"training {run_dir.name}", total=settings.steps, unit="steps") as bar,
        _log(run_dir, append=done > 0) as rows,
    ):
        bar.advance(done)
        start_s, losses = time.monotonic(), 0.0
        for step in range(done, settings.steps):
            batch = stage.batch(seed, step)
            batch = {k: v.to(accelerator.device) if torch.is_tensor(v) else v for k, v in batch.items()}
            loss = module(**batch)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(trained, settings.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if average is not None:
                average.step(trained)
            losses += loss.item()
            bar.advance()
            number = step + 1
            if number % 20 == 0 or number == settings.steps:
                took_s = time.monotonic() - start_s
                count = 20 if number % 20 == 0 else number % 20
                rows.writerow(
                    [number, f"{losses / count:.5f}", f"{schedule.get_last_lr()[0]:.2e}", f"{took_s:.1f}"]
                )
                bar.describe(f"training {run_dir.name}, loss {losses / count:.4f}")
                losses = 0.0
            ends = number == settings.steps
            if ends or number % settings.save_every == 0:
                _save_state(accelerator, run_dir, name, number)
                with _averaged(average, trained):
                    stage.finish()
                    _save_model(pipeline, run_dir)
            if ends or number % settings.sample_every == 0:
                with _averaged(average, trained), _evaluating(stage.module):
                    save_picture(run_dir / "samples" / f"{number:06d}.png", stage.samples())
    return run_dir / MODEL


def _resume(accelerator: Accelerator, run_dir: Path) -> int:
    if not (run_dir / STATE / "step.json").is_file():
        return 0
    accelerator.load_state(str(run_dir / STATE))
    return int(json.loads((run_dir / STATE / "step.json").read_text())["step"])


def _save_state(accelerator: Accelerator, run_dir: Path, name: str, step: int) -> None:
    with write_folder(run_dir / STATE, overwrite=True) as folder:
        accelerator.save_state(str(folder))
        (folder / "step.json").write_text(json.dumps({"stage": name, "step": step}))


def _save_model(pipeline: MagicPosePipeline, run_dir: Path) -> None:
    with write_folder(run_dir / MODEL, overwrite=True) as folder:
        pipeline.save_pretrained(folder)


@contextmanager
def _averaged(average: EMAModel | None, trained: list[torch.nn.Parameter]) -> Iterator[None]:
    if average is None:
        yield
        return
    average.store(trained)
    average.copy_to(trained)
    try:
        yield
    finally:
        average.restore(trained)


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    module.eval()
    try:
        yield
    finally:
        module.train()


@contextmanager
def _log(run_dir: Path, *, append: bool) -> Iterator[csv.Writer]:  # type: ignore[name-defined]
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / LOG).open("a" if append else "w", newline="", buffering=1) as file:
        rows = csv.writer(file)
        if not append:
            rows.writerow(["step", "loss", "learning_rate", "seconds"])
        yield rows
