"""The training loop: batches to a checkpoint, through accelerate; killed at any moment, it resumes.

The model that it writes has averaged weights. What lies in a run's folder: `run_folder`.
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import islice, product
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, AutocastKwargs, DistributedDataParallelKwargs, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import GradientAccumulationPlugin
from diffusers.training_utils import EMAModel

from .. import console
from ..device import pick_device, training_precision
from ..diffusion.pipeline import MagicPosePipeline
from ..errors import MagicPoseError, RecipeError
from ..media.atomic import write_folder
from ..media.pictures import save_picture
from ..recipe import STAGES, Recipe
from .optimizer import make_optimizer, make_schedule
from .run_folder import MODEL, STATE
from .sharding import (
    ShardedAverage,
    check_sharding,
    is_sharded,
    part_after_forward,
    plan_sharding,
    share_spread_weights,
    standalone,
    whole_weights,
)
from .stage import Share, Stage
from .state import follow_recipe, load_state, save_state

LOG = "log.csv"
_MOST_READERS = 12
"""Threads that read batches: four fell behind a GPU that trains a VAE."""


def fit(
    stage: Stage,
    pipeline: MagicPosePipeline,
    run_dir: Path,
    *,
    name: str,
    recipe: Recipe,
    seed: int,
    resume: bool,
    held_out: Stage | None = None,
) -> Path:
    """Train a stage to its last step.

    Args:
        stage: what to train.
        pipeline: the model that the stage's module is part of.
        run_dir: where the run's files go.
        name: the stage's.
        recipe: what it is of, to tell a resumed run what has changed.
        seed: of batches, noise and timesteps.
        resume: go on from ``run_dir``'s state where there is one.
        held_out: the same stage on the test split: the loss of its first batch is logged beside the training's, always
            of the same frames, noise and timesteps; None where there is no test split.

    Returns:
        The trained model's folder.

    """
    settings = stage.settings
    kwargs = [DistributedDataParallelKwargs(find_unused_parameters=stage.may_skip_parameters)]
    # told, it joins processes on CPUs too, which it would otherwise let run apart
    device = PartialState(cpu=pick_device("auto").type == "cpu").device
    precision = training_precision(settings.mixed_precision, device)
    AcceleratorState._reset_state()  # the stage before may have had another precision; processes stay joined
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=precision,
        # so given, no environment variable overrules the recipe
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=settings.accumulate),
        kwargs_handlers=kwargs,
    )
    check_sharding(accelerator, stage, name)
    shares = settings.accumulate * accelerator.num_processes
    _check_shares(settings.batch_size, shares)
    if accelerator.num_processes > 1:
        console.say(f"{accelerator.num_processes} processes ({accelerator.distributed_type.value}).")
    if precision != settings.mixed_precision:
        console.say(
            f"This CPU does not compute in {settings.mixed_precision}; training in fp32, which is faster here."
        )
    # first, since an optimizer may hold views of the weights
    stage.module.to(accelerator.device)
    sharded = is_sharded(accelerator)
    if device.type == "cpu" and not sharded:  # FSDP refuses weights that are not contiguous
        stage.module.to(memory_format=torch.channels_last)  # twice as fast there in bf16, 1.1 times in fp32
    optimizer = make_optimizer(stage.rates(), settings)
    schedule = make_schedule(optimizer, settings)
    if sharded:
        plan_sharding(accelerator)
    # the schedule is not prepared: accelerate would step it once for each process
    module, optimizer = accelerator.prepare(stage.module, optimizer)
    if sharded:
        share_spread_weights(pipeline)
        part_after_forward(module, pipeline)
    accelerator.register_for_checkpointing(schedule)
    trained = list(stage.trained())  # now, since spread weights take the place of whole ones
    kind = ShardedAverage if sharded else EMAModel
    average = kind(trained, decay=settings.ema_decay) if settings.ema_decay else None
    if average is not None:
        accelerator.register_for_checkpointing(average)

    others = {other for other in STAGES if other != name}
    origin = {"recipe": recipe.model_dump(mode="json", exclude_unset=True, exclude=others), "seed": seed}
    done = load_state(accelerator, run_dir, origin) if resume else 0
    if done:
        if average is not None:
            average.decay = settings.ema_decay
        if isinstance(average, EMAModel):
            average.to(accelerator.device)  # states are read to the CPU
        follow_recipe(schedule, [group["lr"] for group in stage.rates()], settings.weight_decay)
    description = f"training {run_dir.name}"
    total = settings.steps * settings.batch_size
    is_main = accelerator.is_main_process
    own = [
        Share(turn * accelerator.num_processes + accelerator.process_index, shares)
        for turn in range(settings.accumulate)
    ]
    ahead = _read_ahead(stage, seed, range(done, settings.steps), own, _readers(accelerator.num_processes))
    with (
        console.progress(description, total=total, unit="samples") as bar,
        _log(run_dir, done=done, write=is_main) as log,
        closing(ahead) as batches,
    ):
        bar.advance(done * settings.batch_size)
        losses: list[float] = []
        for step in range(done, settings.steps):
            parts = []
            for batch in islice(batches, settings.accumulate):
                batch = _to_device(batch, accelerator.device)
                with accelerator.accumulate(module):
                    with accelerator.autocast(AutocastKwargs(cache_enabled=not sharded)):
                        loss = module(**batch)
                    accelerator.backward(loss)  # divides by the turns
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(trained, settings.max_grad_norm)
                    optimizer.step()
                    optimizer.zero_grad()
                parts.append(loss.detach())
            schedule.step()
            if average is not None:
                average.step(trained)
            losses.append(accelerator.gather(torch.stack(parts)).mean().item())
            _check_loss(losses[-1], step + 1, run_dir)
            bar.advance(settings.batch_size)
            number = step + 1
            ends = number == settings.steps
            samples = ends or number % settings.sample_every == 0
            keeps = bool(settings.keep_every) and number % settings.keep_every == 0
            unseen = None
            if samples and (is_main or sharded):
                # in this order: it is averages that are gathered
                with _averaged(average, trained), whole_weights(module, pipeline), _evaluating(stage.module):
                    grid = stage.samples()
                    with accelerator.autocast(AutocastKwargs(cache_enabled=not sharded)):
                        unseen = _loss_on(held_out, stage.module, shares, accelerator.device)
                if is_main:
                    save_picture(run_dir / "samples" / f"{number:06d}.png", grid)
            if samples or number % 20 == 0:
                mean = sum(losses) / len(losses)
                log(number, mean, float(schedule.get_last_lr()[0]), unseen)
                bar.describe(f"{description}, loss {mean:.4f}")
                losses = []
            if ends or keeps or number % settings.save_every == 0:
                if is_main or sharded:
                    with _averaged(average, trained):
                        stage.finish()
                        whole = standalone(pipeline, module) if sharded else pipeline
                        if whole is not None:
                            _save_model(whole, run_dir / MODEL)
                            if keeps:
                                _save_model(whole, run_dir / f"{MODEL}-{number}")
                # last, since it says how far the run is: killed before, the step is done again
                save_state(accelerator, run_dir, {"stage": name, "step": number, **origin})
            accelerator.wait_for_everyone()
    # not end_training(): it parts the processes, and `train all` goes on with the next stage
    return run_dir / MODEL


def _readers(processes: int) -> int:
    """Threads that read for one of several processes, at most a core each of those that they may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_READERS, cores // processes))


def _read_ahead(
    stage: Stage, seed: int, steps: range, shares: list[Share], readers: int
) -> Generator[dict[str, Any]]:
    """A stage's batches in order, read and drawn by threads while those before them are computed on.

    Closed before its end, it drops what nobody has begun to read.
    """
    with ThreadPoolExecutor(readers, thread_name_prefix="batches") as pool:
        waiting: deque[Future[dict[str, Any]]] = deque()
        try:
            for step, share in product(steps, shares):
                waiting.append(pool.submit(stage.batch, seed, step, share))
                if len(waiting) > readers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _check_shares(batch_size: int, shares: int) -> None:
    if batch_size % shares:
        raise RecipeError(
            expected="a batch_size that all processes and forward passes share equally",
            found=f"{batch_size} for {shares} shares",
            remedy="Change batch_size or accumulate in the recipe, or the number of processes.",
        )


def _check_loss(loss: float, step: int, run_dir: Path) -> None:
    """Stop before weights that are no numbers take the place of good ones."""
    if not math.isfinite(loss):
        raise MagicPoseError(
            expected=f"a loss that is a number at step {step}",
            found=str(loss),
            remedy=f"Lower the recipe's learning_rate and --resume; {run_dir / STATE} is from before it.",
        )


def _to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {k: v.to(device, non_blocking=True) if torch.is_tensor(v) else v for k, v in batch.items()}


@torch.no_grad()
def _loss_on(
    held_out: Stage | None, module: torch.nn.Module, shares: int, device: torch.device
) -> float | None:
    """The loss on a fixed batch of held-out clips, in as many parts as a training batch."""
    if held_out is None:
        return None
    parts = (_to_device(held_out.batch(0, 0, Share(index, shares)), device) for index in range(shares))
    return float(torch.stack([module(**part) for part in parts]).mean())


def _save_model(pipeline: MagicPosePipeline, target: Path) -> None:
    with write_folder(target, overwrite=True) as folder:
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


Log = Callable[[int, float, float, float | None], None]
"""Takes step, loss, learning rate and held-out loss, which is None where it was not computed."""

_COLUMNS = ("step", "loss", "learning_rate", "seconds", "held_out_loss")


@contextmanager
def _log(run_dir: Path, *, done: int, write: bool) -> Iterator[Log]:
    """A function that logs to ``log.csv``, with the seconds since the start.

    A resumed run's log goes on after the step that it goes on from; what a killed run wrote beyond that goes.
    """
    if not write:
        yield lambda step, loss, rate, unseen: None
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    kept: list[list[str]] = []
    if done and (run_dir / LOG).is_file():
        with (run_dir / LOG).open(newline="") as file:
            kept = [row for row in list(csv.reader(file))[1:] if int(row[0]) <= done]
    start_s = time.monotonic() - (float(kept[-1][3]) if kept else 0.0)
    with (run_dir / LOG).open("w", newline="", buffering=1) as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        # an earlier version's log has no held-out loss
        rows.writerows([*row, *[""] * (len(_COLUMNS) - len(row))] for row in kept)
        yield lambda step, loss, rate, unseen: rows.writerow(
            [
                step,
                f"{loss:.6f}",
                f"{rate:.2e}",
                f"{time.monotonic() - start_s:.1f}",
                "" if unseen is None else f"{unseen:.6f}",
            ]
        )
