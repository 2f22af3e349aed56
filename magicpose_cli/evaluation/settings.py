"""The settings of an evaluation: what was asked for, what came of it, and whether a folder is of the same one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError
from ..media.atomic import write_json
from ..media.files import sha256_of
from ..sampling import Solver
from .datasets import SIZES, TestClip
from .datasets.clip import Size
from .methods import Model
from .predictions import Predictions
from .selection import Selection


@dataclass(frozen=True)
class BenchmarkOptions:
    """What to evaluate.

    Attributes:
        dataset: one of `datasets.DATASETS`.
        root: its folder, or None for ``$MAGICPOSE_DATA``.
        clips: take the first so many; None for all.
        model: name or folder; None for the best at hand, or for none where there are predictions.
        preset: one of the model's ways of sampling; the three that follow overrule it.
        steps, guidance, solver: None is the model's own.
        seed: of the noise.
        reference_details: whether frames take the reference's details; None is the model's own.
        without_motion: the model without its motion module too, beside it.
        device, dtype: where the model computes, and in which format; on a CUDA GPU the metrics' networks do too.
        predictions: ``DIR`` or ``NAME=DIR``, what others made.
        split: one of `datasets.SPLITS`, for ``tiktok``.
        stride: take every so manyth target.
        gt: ``real``, or ``vae``: compare with what the model's VAE makes of the real frames.
        size_px: width and height to compare at; None for the model's, or without a model the dataset's.
        skip_bad: leave bad clips out, and count them.
        weights_dir: folder of the weights of the metrics' networks; they do not change what is made.
    """

    dataset: str
    root: Path | None = None
    clips: int | None = None
    model: str | None = None
    steps: int | None = None
    guidance: float | None = None
    solver: Solver | None = None
    preset: str | None = None
    seed: int = 0
    reference_details: bool | None = None
    without_motion: bool = False
    device: str = "auto"
    dtype: str = "auto"
    predictions: tuple[str, ...] = ()
    split: str = "disco"
    stride: int = 1
    gt: str = "real"
    size_px: Size | None = None
    skip_bad: bool = False
    weights_dir: Path | None = None


def settings_of(
    options: BenchmarkOptions, model: Model | None, predictions: Sequence[Predictions], selection: Selection
) -> dict[str, Any]:
    """All that the frames and numbers depend on."""
    given = asdict(options)
    del given["skip_bad"]  # what it left out is seen from the clips
    del given["weights_dir"]
    del given["reference_details"]  # `details` below, the model's own or not
    return {
        "magicpose": __version__,
        **given,
        "root": str(selection.root),
        "model": None if model is None else model.folder.name,
        "steps": None if model is None else model.sampling.num_inference_steps,
        "guidance": None if model is None else model.sampling.guidance_scale,
        "solver": None if model is None else model.sampling.solver,
        # only where it is so, since evaluations of before it could be go on
        **({"details": "reference"} if model is not None and model.sampling.takes_details() else {}),
        "size_px": one_size(sizes_of(options, model, selection), selection.clips),
        "model_sha256": None if model is None else sha256_of(model.folder),
        "clips_sha256": {name: hashes["clip"] for name, hashes in selection.hashes.items()},
        "predictions": {
            method.name: {
                "path": str(method.root),
                "clips_sha256": {name: hashes[method.name] for name, hashes in selection.hashes.items()},
            }
            for method in predictions
        },
    }


def were_good(before: dict[str, Any], name: str, hashes: dict[str, Any]) -> bool:
    """Whether a clip and its results are those that an earlier run, with these settings, has looked through."""
    methods = {key: value["clips_sha256"].get(name) for key, value in before.get("predictions", {}).items()}
    return bool(before) and hashes == {"clip": before.get("clips_sha256", {}).get(name), **methods}


def sizes_of(options: BenchmarkOptions, model: Model | None, selection: Selection) -> dict[str, Size]:
    """At which size each clip is compared."""
    size = options.size_px or (model.size_px if model is not None else SIZES[options.dataset])
    return {name: size or own for name, own in selection.sizes.items()}


def one_size(sizes: dict[str, Size], clips: Sequence[TestClip]) -> list[int] | None:
    """The size of all clips; None if they have several."""
    found = {sizes[clip.name] for clip in clips}
    return list(found.pop()) if len(found) == 1 else None


def settings_in(out: Path) -> dict[str, Any]:
    """Those of the evaluation in a folder; none where there is none."""
    path = out / "settings.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def claim(out: Path, settings: dict[str, Any], before: dict[str, Any]) -> None:
    """Make the folder this evaluation's, or see that it is."""
    if before:
        now = json.loads(json.dumps(settings, default=str))
        odd = [key for key in {**now, **before} if before.get(key) != now.get(key)]
        if odd:
            raise InputError(
                expected=f"the same evaluation as in {out}",
                found=f"another {', '.join(odd)}",
                remedy="Choose another folder with -o.",
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "settings.json", settings)
