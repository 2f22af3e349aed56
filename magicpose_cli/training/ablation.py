"""The paper's ablation (5.4, Table 3) at any scale: five rows, one command.

    row                                   appearance net        pose ControlNet         guidance
    no appearance pretraining             the UNet's copy       trained alone           the recipe's
    appearance, no joint stage            appearance stage      trained alone           the recipe's
    full, without guidance                joint stage           joint stage             1
    full, without masking                 joint, unmasked       joint, unmasked         the recipe's
    full                                  joint stage           joint stage             the recipe's

Same data, and the same steps: the recipe's pose stage trains the ControlNet alone, or all jointly. The test clips are
the dataset's, but in every second one faces or hands are missing from the poses, as where a detector finds none.

Where the recipe trains the UNet too (`train_unet`; the paper's is frozen), the rows differ in more than they are named
for, and the page says so: the lone ControlNet is trained with the base UNet and no reference, and joined to the
appearance stage's UNet, which has moved on; and the full rows' UNet has had the joint stage's steps besides.

    OUT/stages/<stage>/     the runs              OUT/models/<row>/     what each row evaluates
    OUT/test-<hash>/        the test clips        OUT/rows/<row>/       its evaluation
    OUT/ablation.json, ablation.md                the table
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState

from .. import __version__, console
from ..device import pick_device
from ..errors import RecipeError
from ..evaluation.benchmark import BenchmarkOptions, benchmark
from ..evaluation.datasets import FRAMES, MAPS, MASKS
from ..evaluation.metrics import METRICS
from ..evaluation.page import check_dependencies
from ..evaluation.tables import INTERVALS, cell
from ..media.atomic import write_folder, write_json, write_text
from ..media.files import sha256_of
from ..media.pictures import save_picture
from ..recipe import Recipe, find_recipe, read_recipe
from .data import SPLITS, Clips, load_clips, no_clips, videos_in
from .given import check_clips
from .run import part_processes, run_stage
from .start import starting_model

SHOWN = (
    "psnr",
    "ssim",
    "l1",
    "pose_accuracy",
    *(metric.key for metric in METRICS if "weights" in metric.needs),
)
"""Columns of the table, besides the identities kept; those without any value are left out."""

UNET_TRAINS = (
    "The UNet trains in this recipe, where the paper's is frozen. Row 2 joins a ControlNet that was trained with the "
    "base UNet and no reference to the appearance stage's UNet, which has moved on; the full rows' UNet has had the "
    "joint stage's steps besides. So what lies between row 2 and the full rows is not the joint stage's doing alone."
)


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: as in the table.
        stages: whose models it is put together from, later ones before earlier ones.
        guided: with the recipe's guidance, or with none.
    """

    name: str
    stages: tuple[str, ...]
    guided: bool = True


ROWS = (
    Row("no appearance pretraining", ("base", "controlnet-alone")),
    Row("appearance, no joint stage", ("base", "appearance", "controlnet-alone")),
    Row("full, without guidance", ("pose",), guided=False),
    Row("full, without masking", ("pose-unmasked",)),
    Row("full", ("pose",)),
)

_TAKEN = {"controlnet-alone": "pose_controlnet"}
"""Of this stage's model one network is taken, not all."""


def run_ablation(
    *, recipe: str, data_dir: Path, out: Path, seed: int, clips: int | None, weights_dir: Path | None = None
) -> dict[str, Any] | None:
    """Train what is not trained yet, evaluate what is not evaluated yet, and write the table.

    Args:
        recipe: name or file; it needs all stages up to ``pose``.
        data_dir: clips in the TikTok layout with keypoints, both splits.
        out: folder for all of it.
        seed: of weights, batches and noise.
        clips: evaluate the first so many test clips; None for all.
        weights_dir: folder of the weights of the metrics' networks.

    Returns:
        The table as a document; None in all processes but the first, which train with it and leave the rest to it.

    Raises:
        RecipeError: the recipe lacks a stage.
        InputError: no clips of one of the splits, or no keypoints beside them.
    """
    settings = read_recipe(find_recipe(recipe))
    lacking = [name for name in ("vae", "base", "appearance", "pose") if name not in settings.stages()]
    if lacking:
        raise RecipeError(
            expected="a recipe with the stages vae, base, appearance and pose",
            found=f"none of {', '.join(lacking)} in {recipe}",
            remedy="Use --recipe ablation.",
        )
    check_dependencies()
    for split in SPLITS.values():
        if not videos_in(data_dir / split):
            raise no_clips(data_dir / split, or_videos=False)
    check_clips(data_dir, settings, ("pose",), has_motion=False)
    models = _train(settings, data_dir, out, seed)
    is_first = PartialState(cpu=pick_device("auto").type == "cpu").is_main_process
    part_processes()
    if not is_first:
        return None
    width_px, height_px = settings.sampling.width_px, settings.sampling.height_px
    tested = load_clips(data_dir, "test", width_px, height_px, cell_px=1)
    test_set = out / f"test-{_hash_of(tested.folder.resolve(), *tested.frame_paths)}"
    _write_test_set(tested, test_set)
    rows = []
    for row in ROWS:
        folder = _put_together(row, models, settings, out / "models")
        options = BenchmarkOptions(
            "synth",
            test_set,
            clips,
            str(folder),
            guidance=None if row.guided else 1.0,
            seed=seed,
            weights_dir=weights_dir,
        )
        report = benchmark(options, out / "rows" / folder.name)
        rows.append({"row": row.name, **report["methods"][folder.name]})
    stages = settings.appearance, settings.pose
    table = {
        "magicpose": __version__,
        "recipe": recipe,
        "frames": report["frames"],
        "unet_trains": any(stage.train_unet for stage in stages if stage is not None),
        "rows": rows,
    }
    write_json(out / "ablation.json", table)
    write_text(out / "ablation.md", as_markdown(table))
    return table


def _train(settings: Recipe, data_dir: Path, out: Path, seed: int) -> dict[str, Path]:
    """Run the stages, and the two that only the ablation has; gives each stage's model."""
    assert settings.pose is not None
    alone = settings.pose.model_copy(update={"controlnet_alone": True, "train_unet": False})
    unmasked = settings.pose.model_copy(update={"mask_face": 0.0, "mask_hand": 0.0})
    runs = (
        ("vae", "vae", settings, None),
        ("base", "base", settings, "vae"),
        ("appearance", "appearance", settings, "base"),
        ("controlnet-alone", "pose", settings.model_copy(update={"pose": alone}), "base"),
        ("pose", "pose", settings, "appearance"),
        ("pose-unmasked", "pose", settings.model_copy(update={"pose": unmasked}), "appearance"),
    )
    models: dict[str, Path] = {}
    for name, stage, changed, before in runs:
        models[name] = run_stage(
            stage,
            recipe=changed,
            data_dir=data_dir,
            init_dirs=[models[before]] if before else [],
            run_dir=out / "stages" / name,
            resume=True,
            seed=seed,
        )
    return models


def _put_together(row: Row, models: dict[str, Path], settings: Recipe, folder: Path) -> Path:
    """A row's model, from the networks of several stages."""
    parts = [models[s] / _TAKEN[s] if s in _TAKEN else models[s] for s in row.stages]
    # named by its weights too: after more training it is another one, and so is its evaluation
    name = row.name.replace(", ", "-").replace(" ", "-")
    target = folder / f"{name}-{_hash_of(*map(sha256_of, parts))}"
    if target.is_dir():
        return target
    pipeline = starting_model("pose", settings, parts, 0)
    with write_folder(target) as written:
        pipeline.to(torch.float16).save_pretrained(written)
    return target


def _hash_of(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:8]


def _write_test_set(clips: Clips, folder: Path) -> None:
    """The test clips with poses of which every second clip lacks the face or the hands, in turn."""
    if folder.is_dir():
        return
    hidden: tuple[list[str], ...] = ([], ["face"], [], ["left_hand", "right_hand"])
    with write_folder(folder) as written, console.progress("Drawing poses", clips.total) as stage:
        for video in range(len(clips)):
            first, last = int(clips.starts[video]), int(clips.starts[video + 1])
            frames = clips.frame_paths[first].parent
            for kind in (FRAMES, MASKS):
                source = clips.folder / kind / frames.name
                if source.is_dir():
                    (written / kind).mkdir(exist_ok=True)
                    os.symlink(source.resolve(), written / kind / frames.name)
            maps = clips.pose_maps(np.arange(first, last), without=hidden[video % len(hidden)])
            target = written / MAPS / frames.name
            target.mkdir(parents=True)
            for path, pose in zip(clips.frame_paths[first:last], maps, strict=True):
                save_picture(target / f"{path.stem}.png", pose)
            stage.advance(last - first)


def as_markdown(table: dict[str, Any]) -> str:
    """The table as a page."""
    shown = [key for key in SHOWN if any(key in row["values"] for row in table["rows"])]
    lines = [
        f"# Ablation (the paper's Table 3) with the recipe {table['recipe']}",
        "",
        f"{table['frames']} frames of test clips; in every second clip faces or hands are missing from the poses. "
        + INTERVALS,
        "",
        *([UNET_TRAINS, ""] if table["unet_trains"] else []),
        "| row | " + " | ".join(shown) + " | identity |",
        "| --- |" + " --- |" * (len(shown) + 1),
    ]
    for row in table["rows"]:
        cells = [cell(row, key) for key in shown]
        kept = row["identity"]
        lines.append(f"| {row['row']} | " + " | ".join(cells) + f" | {kept['kept']} of {kept['of']} |")
    return "\n".join(lines) + "\n"
