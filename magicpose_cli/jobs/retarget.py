"""The main job: detect, draw, sample, decode, write, report.

reference ─> placed picture ─────────────────────┐
driving ──> PoseSequence ──> pose maps ──────────┴─> latents ─> frames, one at a time ─> out.mp4, out.json
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import console
from ..device import TILE_PX
from ..imports import without_collecting
from ..media.atomic import write_file
from ..media.background import in_background
from ..media.compare import side_by_side
from ..media.video import open_writer
from ..pose.compressed import CompressedMaps
from ..pose.detect import open_detector
from ..pose.sequence import FramePose
from .alignment import Aligned, align
from .fit import edge_colour, say_what_is_cut, say_what_is_missing, say_what_leaves
from .plan import Plan, RetargetOptions, check_length, make_plan
from .report import Found, describe, hash_inputs

if TYPE_CHECKING:
    from ..diffusion.pipeline import MagicPosePipeline
    from ..media.writer import FrameWriter


class _Clock:
    """Seconds by stage of the job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start_s = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - start_s, 3)

    def each(self, name: str, items: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The items, with the time that each is waited for."""
        while True:
            with self.stage(name):
                item = next(items, None)
            if item is None:
                return
            yield item


def retarget(
    reference_path: Path, driving_path: Path, out: str | Path, options: RetargetOptions
) -> dict[str, Any]:
    """Make the reference's person move as the driving does.

    Args:
        reference_path: a picture of one person.
        driving_path: a video, a saved pose sequence, pose maps or OpenPose JSON files.
        out: `.mp4`, `.gif`, or a folder (ends in / or has no suffix).
        options: how.

    Returns:
        The report, as it was written.

    Raises:
        InputError: anything wrong with what was given, before a model is loaded.
    """
    clock = _Clock()
    plan = make_plan(reference_path, driving_path, out, options)
    hashes = hash_inputs(plan, options)  # now, since a run may take hours and its inputs change meanwhile

    with (
        in_background() as later,  # left last, so that waiting for it is not counted as detection
        clock.stage("detect"),
        closing(open_detector(options.detector, str(plan.device))) as detector,
    ):
        later(_import_networks)
        reference_pose = detector.detect_still(plan.reference)
        if not reference_pose.found("body"):
            console.warn(
                f"nobody was found in {reference_path.name}; if it is a drawing of a person this may still work."
            )
        if detector.several_people:
            console.warn(f"{reference_path.name} shows several people; the largest is taken.")
        plan.driving.find_poses(detector, options.clean)
    from ..diffusion.folder import load_model
    from ..diffusion.pipeline import STRETCH

    aligned = _align(reference_pose, plan, options)
    if aligned.poses is not None:
        plan.driving.sequence = aligned.poses
        plan = replace(plan, driving_place=plan.reference_place)
    cut = _say_crops(reference_pose, plan, aligned)
    # all frames are asked for in each step where they see each other, else a stretch's, and then not again
    maps = plan.driving.maps(plan.driving_place, None if plan.facts.has_motion else STRETCH)
    check_length(len(maps), plan.facts, options)
    with clock.stage("load"):
        pipeline = load_model(plan.model_dir, plan.device, plan.dtype, plan.swaps, plan.offload)
        if plan.vae_tiles:
            pipeline.use_tiles(TILE_PX)
        if options.compile:
            from ..diffusion.compiled import compile_blocks

            count = compile_blocks(pipeline)
            console.say(
                f"{count} blocks of the networks are compiled at their first use: minutes, once a run."
            )
    placed = plan.reference_place.apply(plan.reference, edge_colour(plan.reference))

    with ExitStack() as stack:
        # entered last, published first: no report and no comparison without the result they belong to
        report_file = None
        if not plan.outputs.is_folder:
            report_file = stack.enter_context(write_file(plan.outputs.report, options.force))
        shown = None
        if plan.outputs.compare is not None:
            opened = open_writer(plan.outputs.compare, plan.driving.fps, options.force, plan.audio)
            shown = stack.enter_context(opened)
        writer = stack.enter_context(open_writer(out, plan.driving.fps, options.force, plan.audio))
        # last in, first out: all is written before the files are closed
        later = stack.enter_context(in_background())
        total = plan.sampling.num_inference_steps * len(maps)
        with console.progress("Making frames", total=total, unit="frame-steps") as bar:
            references = np.stack([placed, *plan.also])
            frames = _make(pipeline, references, maps, plan, options, bar.advance)
            for number, made in enumerate(clock.each("make", frames)):
                frame = plan.reference_place.unpad(made)
                with clock.stage("wait for the encoder"):
                    later(writer.write, frame)
                    if shown is not None:
                        later(_write_comparison, shown, plan, placed, maps[number], frame)
        found = Found(reference_pose, detector.name, aligned, cut)
        report = describe(plan, options, hashes, len(maps), found, clock.seconds)
        text = json.dumps(report, indent=2, default=str) + "\n"
        if report_file is not None:
            report_file.write_text(text)
        else:
            writer.add_report(text)  # appears with the frames: a folder without one names no frame rate
    return report


def _import_networks() -> None:
    """Seconds of Python's own work, which fits beside a detector's native code."""
    with without_collecting():
        from ..diffusion import folder, pipeline  # noqa: F401


def _write_comparison(
    writer: FrameWriter, plan: Plan, reference: np.ndarray, pose_map: np.ndarray, frame: np.ndarray
) -> None:
    panels = plan.reference_place.unpad(reference), plan.driving_place.unpad(pose_map), frame
    writer.write(side_by_side(panels))


def _align(reference_pose: FramePose, plan: Plan, options: RetargetOptions) -> Aligned:
    if not options.align:
        return Aligned("--no-align")
    if plan.driving.sequence is None:
        return Aligned("pose maps are used as they are")
    return align(plan.driving.sequence, reference_pose, plan.driving_place, plan.reference_place)


def _say_crops(reference_pose: FramePose, plan: Plan, aligned: Aligned) -> int:
    """Warn of crops that cut the person; gives the number of driving frames in which one does."""
    say_what_is_cut([reference_pose], plan.reference_place, "reference")
    if plan.driving.sequence is None:
        return 0
    poses = list(plan.driving.sequence)
    say_what_is_missing(poses, reference_pose, plan.reference_place)
    if aligned.poses is not None:
        return 0  # the driving's own shape plays no part then
    if plan.driving_place.fit == "pad":
        return say_what_leaves(poses, plan.driving_place, plan.reference_place)
    return say_what_is_cut(poses, plan.driving_place, "driving")


def _make(
    pipeline: MagicPosePipeline,
    reference: np.ndarray,
    maps: CompressedMaps,
    plan: Plan,
    options: RetargetOptions,
    on_step: Callable[[int], None],
) -> Iterator[np.ndarray]:
    """Frames, made as they are taken."""
    return pipeline(
        reference,
        maps,
        num_inference_steps=plan.sampling.num_inference_steps,
        guidance_scale=plan.sampling.guidance_scale,
        solver=plan.sampling.solver,
        guided=plan.sampling.guided,
        batch=plan.batch,
        seed=options.seed,
        window=options.window,
        overlap=options.overlap,
        circular=options.windows == "reference",
        noise=options.noise,
        noisy_reference=options.noisy_reference,
        reference_details=options.reference_details,
        controls=plan.controls,
        on_step=on_step,
    )
