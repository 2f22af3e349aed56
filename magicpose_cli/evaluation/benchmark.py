"""A model on a whole test set: make each clip, look at it as at the truth, and put the numbers together.

    OUT/frames/<method>/<clip>/0001.png ...     what a method made of a clip
    OUT/records/<method>/<clip>.json            its numbers, frame by frame (`records.py`)
    OUT/videos/<clip>.mp4                       reference | pose | each method | truth; with numbers: <clip>.numbers.mp4
    OUT/report.json, report.md, pictures.jpg    what it comes to
    OUT/report.html                             the same on one page, with plots, pictures and the papers' rows
    OUT/frames.csv                              one row a method, clip and frame

Whatever is there already is kept, so an evaluation that was broken off goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, console
from ..errors import InputError
from ..media.atomic import write_folder, write_json, write_text
from ..media.compare import side_by_side
from ..media.files import sha256_of
from ..media.pictures import load_picture, save_picture
from ..media.video import open_writer
from ..pose.detect import Detector, open_detector
from ..pose.sequence import FramePose
from ..weights import find_model
from .by_frame import values_by_frame, write_frames_csv
from .captions import captioned
from .datasets import TestClip, find_clips
from .page import check_dependencies, write_page
from .records import Record, make_record
from .summary import sum_up
from .tables import as_markdown, as_pictures

if TYPE_CHECKING:
    from ..diffusion.pipeline import MagicPosePipeline

COPY, TRUTH = "copy of the reference", "truth"
VIDEO_FPS = 8


@dataclass(frozen=True)
class BenchmarkOptions:
    """What to evaluate.

    Attributes:
        dataset: one of `datasets.DATASETS`.
        root: its folder, or None for ``$MAGICPOSE_DATA``.
        clips: take the first so many; None for all.
        model: name or folder; None for the best at hand.
        steps, guidance: None is the model's own.
        seed: of the noise.
        without_motion: the model without its motion module too, beside it.
        device, dtype: where and in which format to compute.
    """

    dataset: str
    root: Path | None = None
    clips: int | None = None
    model: str | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    without_motion: bool = False
    device: str = "auto"
    dtype: str = "auto"


def benchmark(options: BenchmarkOptions, out: Path, numbers: bool = False) -> dict[str, Any]:
    """Evaluate a model on a dataset's test clips.

    Args:
        options: what to evaluate.
        out: folder of the results.
        numbers: write each frame's number and PSNR into the videos.

    Returns:
        The report, as written to ``out/report.json``.

    Raises:
        InputError: no dataset, no model, or a folder that holds another evaluation.
        MissingDependencyError: the eval extra is not installed.
    """
    from ..diffusion.folder import read_facts

    check_dependencies()
    clips = find_clips(options.dataset, options.root, options.clips)
    folder = find_model(options.model)
    facts = read_facts(folder)
    if options.without_motion and not facts.has_motion:
        raise InputError(
            expected=f"a motion module in {folder.name}, to compare with and without it",
            found="none",
            remedy="Leave --without-motion out.",
        )
    size_px = facts.sampling.width_px, facts.sampling.height_px
    settings = {
        "magicpose": __version__,
        **asdict(options),
        "root": str(clips[0].frames[0].parents[2]),
        "model": folder.name,
        "steps": options.steps or facts.sampling.num_inference_steps,
        "guidance": facts.sampling.guidance_scale if options.guidance is None else options.guidance,
        "size_px": list(size_px),
        "model_sha256": sha256_of(folder),
        "clips_sha256": {clip.name: clip.sha256() for clip in clips},
    }
    _claim(out, settings)
    methods = _methods(options, folder, settings)
    for name, make in methods.items():
        _make_all(out, name, make, clips, size_px)
    with closing(open_detector("mediapipe")) as detector:
        records = _record_all(out, list(methods), clips, size_px, detector)
    for number, clip in enumerate(clips):
        psnr = {name: of_clips[number]["frames"]["psnr"] for name, of_clips in records.items()}
        _write_video(out, clip, list(methods), size_px, psnr if numbers else None)
    report = {
        "magicpose": __version__,
        "settings": settings,
        "clips": [clip.name for clip in clips],
        "frames": sum(len(clip.frames) - 1 for clip in clips),
        **sum_up(records),
    }
    write_json(out / "report.json", report)
    write_text(out / "report.md", as_markdown(report))
    save_picture(out / "pictures.jpg", as_pictures([_strip(out, c, list(methods), size_px) for c in clips]))
    rows = (
        ((name, c.name), values_by_frame(r))
        for name in methods
        for c, r in zip(clips, records[name], strict=True)
    )
    write_frames_csv(out / "frames.csv", rows, ("method", "clip"))
    write_page(out / "report.html", report, records, lambda *at: _shown(out, clips, size_px, *at))
    return report


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Make the folder this evaluation's, or see that it is."""
    path = out / "settings.json"
    if path.is_file():
        there = json.loads(path.read_text())
        odd = [
            key for key in settings if there.get(key) != json.loads(json.dumps(settings[key], default=str))
        ]
        if odd:
            raise InputError(
                expected=f"the same evaluation as in {out}",
                found=f"another {', '.join(odd)}",
                remedy="Choose another folder with -o.",
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


Make = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""(reference ``(H W 3)``, pose maps ``(f H W 3)``, number of the clip) -> frames, all uint8."""


def _methods(options: BenchmarkOptions, folder: Path, settings: dict[str, Any]) -> dict[str, Make]:
    def with_model(keep_motion: bool) -> Make:
        loaded: list[MagicPosePipeline] = []  # when its first clip is made, if there is one to make

        def make(reference: np.ndarray, maps: np.ndarray, clip: int) -> np.ndarray:
            if not loaded:
                loaded.append(_load(folder, options, keep_motion))
            frames = loaded[0](
                reference,
                maps,
                num_inference_steps=settings["steps"],
                guidance_scale=settings["guidance"],
                seed=options.seed + clip,
            )
            return np.stack(list(frames))

        return make

    methods: dict[str, Make] = {
        COPY: lambda reference, maps, clip: np.repeat(reference[None], len(maps), axis=0),
        folder.name: with_model(keep_motion=True),
    }
    if options.without_motion:
        methods[f"{folder.name} without motion module"] = with_model(keep_motion=False)
    return methods


def _load(folder: Path, options: BenchmarkOptions, keep_motion: bool) -> MagicPosePipeline:
    from ..device import pick_device, pick_dtype
    from ..diffusion.folder import load_model
    from ..diffusion.pipeline import MagicPosePipeline

    device = pick_device(options.device)
    pipeline = load_model(folder, device, pick_dtype(options.dtype, device))
    if keep_motion or pipeline.motion_adapter is None:
        return pipeline
    parts = {**pipeline.components, "motion_adapter": None}
    bare = MagicPosePipeline(**parts, sampling=pipeline.sampling.model_dump())
    bare.prompt_embeds = pipeline.prompt_embeds
    return bare


def _make_all(out: Path, name: str, make: Make, clips: list[TestClip], size_px: tuple[int, int]) -> None:
    missing = [(i, clip) for i, clip in enumerate(clips) if not _frames_of(out, name, clip).is_dir()]
    total = sum(len(clip.frames) - 1 for _, clip in missing)
    if not missing:
        return
    with console.progress(f"Making clips: {name}", total=total) as stage:
        for number, clip in missing:
            (reference,) = clip.read(clip.frames[:1], *size_px)
            made = make(reference, clip.read(clip.maps[1:], *size_px), number)
            with write_folder(_frames_of(out, name, clip)) as folder:
                for i, frame in enumerate(made, 1):
                    save_picture(folder / f"{i:04d}.png", frame)
            stage.advance(len(made))


def _frames_of(out: Path, name: str, clip: TestClip) -> Path:
    return out / "frames" / _folder_of(name) / clip.name


def _folder_of(method: str) -> str:
    return method.replace(" ", "-")


def _read_made(out: Path, name: str, clip: TestClip) -> np.ndarray:
    return np.stack([load_picture(path) for path in sorted(_frames_of(out, name, clip).iterdir())])


def _record_all(
    out: Path, names: list[str], clips: list[TestClip], size_px: tuple[int, int], detector: Detector
) -> dict[str, list[Record]]:
    records: dict[str, list[Record]] = {name: [] for name in names}
    with console.progress("Measuring", total=len(clips) * len(names), unit="clips") as stage:
        for clip in clips:
            paths = {name: out / "records" / _folder_of(name) / f"{clip.name}.json" for name in names}
            truth, poses, person = None, None, None
            for name, path in paths.items():
                if not path.is_file():
                    if truth is None:
                        truth = clip.read(clip.frames[1:], *size_px)
                        poses = [detector.detect_still(frame) for frame in truth]
                        if clip.masks is not None:
                            person = clip.read(clip.masks[1:], *size_px)[..., 0] > 127
                    made = _read_made(out, name, clip)
                    found = _found(made, detector)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_json(path, make_record(made, truth, found, poses or [], person))
                records[name].append(json.loads(path.read_text()))
                stage.advance()
    return records


def _found(frames: np.ndarray, detector: Detector) -> list[FramePose]:
    """Poses of frames; equal neighbours are looked at once."""
    poses: list[FramePose] = []
    for i, frame in enumerate(frames):
        same = i > 0 and np.array_equal(frame, frames[i - 1])
        poses.append(poses[-1] if same else detector.detect_still(frame))
    return poses


def _write_video(
    out: Path,
    clip: TestClip,
    names: list[str],
    size_px: tuple[int, int],
    psnr: dict[str, list[float]] | None,
) -> None:
    """Write a clip's video, with a PSNR a frame by method where its numbers are to stand below."""
    path = out / "videos" / f"{clip.name}{'' if psnr is None else '.numbers'}.mp4"
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    (reference,) = clip.read(clip.frames[:1], *size_px)
    maps, truth = clip.read(clip.maps[1:], *size_px), clip.read(clip.frames[1:], *size_px)
    made = {name: _read_made(out, name, clip) for name in names if name != COPY}
    with open_writer(path, VIDEO_FPS) as writer:
        for i in range(len(truth)):
            pictures = {"reference": reference, "pose": maps[i]}
            pictures |= {name: frames[i] for name, frames in made.items()} | {TRUTH: truth[i]}
            if psnr is not None:
                below = {name: f"frame {i + 1}   {psnr[name][i]:.2f} dB" for name in made}
                pictures = {n: captioned(picture, [n, below.get(n, "")]) for n, picture in pictures.items()}
            writer.write(side_by_side(list(pictures.values())))


def _shown(
    out: Path, clips: list[TestClip], size_px: tuple[int, int], name: str, number: int, frame: int
) -> list[np.ndarray]:
    """Reference, pose map, a method's result and truth; frames are counted from 1, as the files are."""
    clip = clips[number]
    paths = (clip.frames[:1], clip.maps[frame : frame + 1], clip.frames[frame : frame + 1])
    (reference,), (pose_map,), (truth,) = (clip.read(of_one, *size_px) for of_one in paths)
    result = load_picture(_frames_of(out, name, clip) / f"{frame:04d}.png")
    return [reference, pose_map, result, truth]


def _strip(out: Path, clip: TestClip, names: list[str], size_px: tuple[int, int]) -> np.ndarray:
    """Reference, pose map, each method and truth at two thirds of a clip."""
    at = 1 + 2 * (len(clip.frames) - 1) // 3
    (reference,) = clip.read(clip.frames[:1], *size_px)
    (pose_map,), (truth,) = (clip.read(paths[at : at + 1], *size_px) for paths in (clip.maps, clip.frames))
    made = [load_picture(_frames_of(out, name, clip) / f"{at:04d}.png") for name in names if name != COPY]
    return side_by_side([reference, pose_map, *made, truth])
