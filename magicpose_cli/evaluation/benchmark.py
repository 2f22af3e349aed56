"""A test set: each method's frames of each clip, looked at as at the truth, and the numbers put together.

The methods are a model, which makes the frames here, and what others made, which is read (`predictions.py`).

    OUT/frames/<method>/<clip>/0001.png ...     what a method made of a clip, in the truth's size
    OUT/records/<method>/<clip>.json            its numbers, frame by frame (`records.py`)
    OUT/features/                               what FID, FID-VID and FVD saw in it (`distances.py`)
    OUT/videos/<clip>.mp4                       reference | pose | each method | truth; with numbers: <clip>.numbers.mp4
    OUT/poses/<clip>.npz                        poses that were detected, where the dataset has none
    OUT/truth/<clip>/0001.png ...               the truth through the model's VAE, with --gt vae
    OUT/manifest.json                           what was evaluated: hashes of the true frames
    OUT/report.json, report.md, pictures.jpg    what it comes to
    OUT/report.html                             the same on one page, with plots, pictures and the papers' rows
    OUT/frames.csv                              one row a method, clip and frame

Whatever is there already is kept, so an evaluation that was broken off goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, console
from ..device import pick_device, pick_dtype
from ..diffusion.facts import check_model, check_steps, read_facts
from ..errors import InputError, OptionError
from ..media.atomic import write_folder, write_json
from ..media.pictures import save_picture
from ..weights import find_model
from .datasets import TestClip
from .datasets.clip import Size
from .distances import distances_of
from .faces import DETECTOR
from .manifest import make_manifest
from .measuring import record_all
from .methods import COPY, Make, Model, copies
from .metrics import METRICS
from .networks import load_networks
from .page import check_dependencies
from .person_mask import SEGMENTER
from .predictions import Predictions, read_predictions, same_aspect
from .records import Record
from .report import versions
from .results import Results
from .selection import add_poses, detector_for, gather
from .settings import BenchmarkOptions, claim, settings_in, settings_of, sizes_of, were_good
from .stopwatch import Stopwatch
from .summary import sum_up
from .writing import write_results

if TYPE_CHECKING:
    import torch


def benchmark(options: BenchmarkOptions, out: Path, numbers: bool = False) -> dict[str, Any]:
    """Evaluate a model, or what others made, on a dataset's test clips.

    Args:
        options: what to evaluate.
        out: folder of the results.
        numbers: write each frame's number and PSNR into the videos.

    Returns:
        The report, as written to ``out/report.json``.

    Raises:
        InputError: no dataset, no model, a bad clip, or a folder that holds another evaluation.
        OptionError: options that need a model, and there is none; a device or a number format that is not here.
        MissingDependencyError: the eval extra is not installed.
    """
    check_dependencies()
    model = _model_of(options)
    names = _names_of(options, model)
    predictions = read_predictions(options.predictions, names)
    before = settings_in(out)
    selection = gather(
        options.dataset,
        options.root,
        split=options.split,
        limit=options.clips,
        stride=options.stride,
        skip_bad=options.skip_bad,
        poses_needed=model is not None,
        predictions=predictions,
        known=partial(were_good, before),
    )
    device = pick_device(options.device)
    if model is not None:
        pick_dtype(options.dtype, device)  # now, since a model is loaded when its first clip is made
    settings = settings_of(options, model, predictions, selection)
    detector_name = detector_for(selection) if model is not None else None
    # poses of frames that do not follow each other are left as they are
    how = ", cleaned" if options.stride == 1 else ""
    settings["poses"] = None if detector_name is None else detector_name + how
    claim(out, settings, before)
    results = Results(out, sizes_of(options, model, selection), options.gt)
    if detector_name is not None:
        add_poses(selection, detector_name, results.poses, options.device)
    clips = selection.clips
    manifest = make_manifest(clips, options.dataset, options.split, options.stride)
    write_json(out / "manifest.json", manifest)
    for name, make in _methods(options, model, predictions).items():
        _make_all(f"Making clips: {name}", partial(results.frames_dir, name), make, clips, results.sizes)
    if options.gt == "vae" and model is not None:
        _make_all("Truth through the VAE", results.truth_dir, model.through_vae, clips, results.sizes)
    methods = [*names, *(method.name for method in predictions)]
    # nobody has tried the metrics' networks on mps
    computes = device if device.type == "cuda" else "cpu"
    records, measured = _measure(results, methods, clips, options.weights_dir, computes)
    report = {
        "magicpose": __version__,
        "settings": settings,
        "clips": [clip.name for clip in clips],
        "frames": manifest["n_frames"],
        "manifest_sha256": manifest["sha256"],
        "skipped": selection.skipped,
        **measured,
    }
    write_results(results, report, records, clips, numbers)
    return report


def _measure(
    results: Results,
    methods: Sequence[str],
    clips: Sequence[TestClip],
    weights_dir: Path | None,
    device: torch.device | str,
) -> tuple[dict[str, list[Record]], dict[str, Any]]:
    """The records of all methods, and what they come to, with what measured it and how long that took."""
    watch, detecting, whole = Stopwatch(), Stopwatch(), Stopwatch()
    keys = [m.key for m in METRICS if "weights" in m.needs]
    networks = load_networks(keys, weights_dir, watch, device)
    with whole.running():
        records = record_all(results, methods, clips, networks, detecting)
        distances = distances_of(
            networks,
            [partial(results.truth, clip) for clip in clips],
            {name: [partial(results.made, name, clip) for clip in clips] for name in methods},
            results.out / "features",
        )
        found = sum_up(records, distances, networks.missing)
    return records, {
        **found,
        "detector": DETECTOR,
        "segmenter": SEGMENTER if any(clip.masks is None for clip in clips) else "the dataset's masks",
        "weights": networks.weights,
        "missing_weights": networks.missing,
        "versions": versions(networks=bool(networks.weights)),
        "seconds": {"networks": watch.seconds, "detectors": detecting.seconds, "all": whole.seconds},
    }


def _model_of(options: BenchmarkOptions) -> Model | None:
    """The model to evaluate; none where there are predictions and no model is named."""
    if options.model is None and options.predictions:
        if options.gt == "vae":
            raise OptionError(
                expected="a model whose VAE the truth goes through, for --gt vae",
                found="none",
                remedy="Name it with --model.",
            )
        return None
    folder = find_model(options.model)
    facts = read_facts(folder)
    check_model(folder, facts)
    size_px = (facts.sampling.width_px, facts.sampling.height_px)
    if options.size_px is not None and not same_aspect(options.size_px, size_px):
        raise OptionError(
            expected=f"a --size in the aspect of the model's {size_px[0]}x{size_px[1]}, which its frames are cut to",
            found=f"{options.size_px[0]}x{options.size_px[1]}",
            remedy="Choose another, or leave it out.",
        )
    if options.without_motion and not facts.has_motion:
        raise InputError(
            expected=f"a motion module in {folder.name}, to compare with and without it",
            found="none",
            remedy="Leave --without-motion out.",
        )
    sampling = facts.sampling.chosen(options.preset, options.steps, options.guidance, options.solver)
    check_steps(folder, sampling)
    if options.reference_details is not None:
        details = "reference" if options.reference_details else "made"
        sampling = sampling.model_copy(update={"details": details})
    return Model(
        folder,
        size_px,
        sampling,
        options.seed,
        options.device,
        options.dtype,
    )


def _names_of(options: BenchmarkOptions, model: Model | None) -> list[str]:
    """Of the methods that make their frames here."""
    names = [COPY]
    if model is not None:
        names.append(model.folder.name)
    if model is not None and options.without_motion:
        names.append(f"{model.folder.name} without motion module")
    return names


def _methods(
    options: BenchmarkOptions, model: Model | None, predictions: Sequence[Predictions]
) -> dict[str, Make]:
    makes: list[Make] = [copies]
    if model is not None:
        makes += [model.make, partial(model.make, keep_motion=False)]
    made = dict(zip(_names_of(options, model), makes, strict=False))
    return {**made, **{method.name: method.frames for method in predictions}}


def _make_all(
    what: str,
    folder_of: Callable[[TestClip], Path],
    make: Callable[[TestClip, Size], Iterable[np.ndarray]],
    clips: Sequence[TestClip],
    sizes: dict[str, Size],
) -> None:
    """Write the frames of each clip whose folder is not there yet."""
    missing = [clip for clip in clips if not folder_of(clip).is_dir()]
    if not missing:
        return
    with console.progress(what, total=sum(len(clip.targets) for clip in missing)) as stage:
        for clip in missing:
            with write_folder(folder_of(clip)) as folder:
                for i, frame in enumerate(make(clip, sizes[clip.name]), 1):
                    save_picture(folder / f"{i:04d}.png", frame)
                    stage.advance()
