"""A test set: each method's frames of each clip, looked at as at the truth, and the numbers put together.

The methods are a model, which makes the frames here, and what others made, which is read (`predictions.py`).

    OUT/frames/<method>/<clip>/0001.png ...     what a method made of a clip, in the truth's size
    OUT/records/<method>/<clip>.json            its numbers, frame by frame (`records.py`)
    OUT/features/                               what FID, FID-VID and FVD saw in it (`distances.py`)
    OUT/videos/<clip>.mp4                       reference | pose | each method | truth
    OUT/poses/<clip>.npz                        poses that were detected, where the dataset has none
    OUT/truth/<clip>/0001.png ...               the truth through the model's VAE, with --gt vae
    OUT/manifest.json                           what was evaluated: hashes of the true frames
    OUT/report.json, report.md, pictures.jpg    what it comes to

Whatever is there already is kept, so an evaluation that was broken off goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, console
from ..errors import InputError, OptionError
from ..media.atomic import write_folder, write_json, write_text
from ..media.compare import side_by_side
from ..media.pictures import save_picture
from ..media.video import open_writer
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
from .person_mask import SEGMENTER
from .predictions import Predictions, read_predictions
from .results import Results
from .selection import add_poses, detector_for, gather
from .settings import BenchmarkOptions, claim, settings_in, settings_of, sizes_of, were_good
from .stopwatch import Stopwatch
from .tables import as_markdown, as_pictures, summarise

VIDEO_FPS = 8


def benchmark(options: BenchmarkOptions, out: Path) -> dict[str, Any]:
    """Evaluate a model, or what others made, on a dataset's test clips.

    Returns:
        The report, as written to ``out/report.json``.

    Raises:
        InputError: no dataset, no model, a bad clip, or a folder that holds another evaluation.
        OptionError: options that need a model, and there is none.
    """
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
    settings = settings_of(options, model, predictions, selection)
    detector_name = settings["poses"] = detector_for(selection) if model is not None else None
    claim(out, settings, before)
    results = Results(out, sizes_of(options, model, selection), options.gt)
    if detector_name is not None:
        add_poses(selection, detector_name, results.poses)
    clips = selection.clips
    manifest = make_manifest(clips, options.dataset, options.split, options.stride)
    write_json(out / "manifest.json", manifest)
    for name, make in _methods(options, model, predictions).items():
        _make_all(f"Making clips: {name}", partial(results.frames_dir, name), make, clips, results.sizes)
    if options.gt == "vae" and model is not None:
        _make_all("Truth through the VAE", results.truth_dir, model.through_vae, clips, results.sizes)
    methods = [*names, *(method.name for method in predictions)]
    watch, whole = Stopwatch(), Stopwatch()
    networks = load_networks((m.key for m in METRICS if "weights" in m.needs), options.weights_dir, watch)
    with whole.running():
        records = record_all(results, methods, clips, networks)
        distances = distances_of(
            networks,
            [partial(results.truth, clip) for clip in clips],
            {name: [partial(results.made, name, clip) for clip in clips] for name in methods},
            out / "features",
        )
        summaries = {name: summarise(of_clips) for name, of_clips in records.items()}
    for name, found in distances.items():
        summaries[name]["values"] |= found.values
        summaries[name] |= {"samples": found.samples, "too_few": found.missing}
    for clip in clips:
        _write_video(results, clip, methods)
    report = {
        "magicpose": __version__,
        "settings": settings,
        "clips": [clip.name for clip in clips],
        "frames": manifest["n_frames"],
        "manifest_sha256": manifest["sha256"],
        "skipped": selection.skipped,
        "methods": summaries,
        "detector": DETECTOR,
        "segmenter": SEGMENTER if any(clip.masks is None for clip in clips) else "the dataset's masks",
        "weights": networks.weights,
        "missing_weights": networks.missing,
        "seconds": {"networks": watch.seconds, "all": whole.seconds},
    }
    write_json(out / "report.json", report)
    write_text(out / "report.md", as_markdown(report))
    save_picture(
        out / "pictures.jpg", as_pictures(_of_one_size([_strip(results, c, methods) for c in clips]))
    )
    return report


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
    from ..diffusion.folder import read_facts

    folder = find_model(options.model)
    facts = read_facts(folder)
    if options.without_motion and not facts.has_motion:
        raise InputError(
            expected=f"a motion module in {folder.name}, to compare with and without it",
            found="none",
            remedy="Leave --without-motion out.",
        )
    return Model(
        folder,
        (facts.sampling.width_px, facts.sampling.height_px),
        options.steps or facts.sampling.num_inference_steps,
        facts.sampling.guidance_scale if options.guidance is None else options.guidance,
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


def _write_video(results: Results, clip: TestClip, names: list[str]) -> None:
    path = results.video(clip)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    reference, maps, truth = clip.reference(results.sizes[clip.name]), results.maps(clip), results.truth(clip)
    made = [results.made(name, clip) for name in names if name != COPY]
    columns = [frames for frames in (maps, *made, truth) if frames is not None]
    with open_writer(path, VIDEO_FPS) as writer:
        for i in range(len(truth)):
            writer.write(side_by_side([reference, *(frames[i] for frames in columns)]))


def _strip(results: Results, clip: TestClip, names: list[str]) -> np.ndarray:
    """Reference, pose map, each method and truth at two thirds of a clip."""
    return side_by_side(list(results.shown(clip, names, 2 * len(clip.targets) // 3).values()))


def _of_one_size(strips: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Strips with black beside and below the smaller ones."""
    height_px, width_px = (max(strip.shape[axis] for strip in strips) for axis in (0, 1))
    placed = []
    for strip in strips:
        canvas = np.zeros((height_px, width_px, 3), np.uint8)
        canvas[: strip.shape[0], : strip.shape[1]] = strip
        placed.append(canvas)
    return placed
