"""Clips of rendered dancers on disk, in the folder layout of the TikTok dataset the paper trains on.

    DIR/train_set/<video>/0000.png ...              the frames
    DIR/pose_map_train_set/<video>/0000.png ...     their pose maps
    DIR/mask_train_set/<video>/0000.png ...         where the dancer is: 255, else 0
    DIR/poses/<video>.npz                           the exact poses, a PoseSequence

and `disco_test_set`, `pose_map_disco_test_set`, `mask_disco_test_set` for the test split.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from .. import console
from ..errors import OptionError
from ..media import atomic
from ..media.files import sha256_of
from ..media.pictures import Placement
from ..pose.draw import pose_map
from ..pose.sequence import FramePose, PoseSequence
from ..signals import Ended, unwind_on_signals
from .body import BodyModel, check_extra, load_body

FRAME_FOLDERS = {"train": "train_set", "test": "disco_test_set"}
MAP_FOLDERS = {"train": "pose_map_train_set", "test": "pose_map_disco_test_set"}
MASK_FOLDERS = {"train": "mask_train_set", "test": "mask_disco_test_set"}
_CHUNK = 32  # frames posed together


@dataclass(frozen=True)
class ClipPlan:
    """What clips to make.

    Attributes:
        out: the dataset's folder.
        clips: how many there shall be.
        frames: frames of each.
        size_px: side of the square frames.
        fps: frames per second.
        seed: seed of the whole set; clip i of a split depends on (seed, split, i) alone.
        split: "train" or "test".
        still: the dancer stands with hanging arms, as for a reference picture.

    Raises:
        OptionError: a number out of range or an unknown split.
    """

    out: Path
    clips: int
    frames: int
    size_px: int
    fps: Fraction
    seed: int
    split: str
    still: bool = False

    def __post_init__(self) -> None:
        if self.split not in FRAME_FOLDERS:
            raise OptionError(expected="split train or test", found=self.split, remedy="Use one of the two.")
        for name, value, low, high in (
            ("clips", self.clips, 1, 10**6),
            ("frames", self.frames, 1, 10**4),
            ("size", self.size_px, 32, 2048),
            ("fps", self.fps, Fraction(1, 10), 240),
            ("seed", self.seed, 0, 2**63),
        ):
            if not low <= value <= high:
                raise OptionError(
                    expected=f"--{name} of {low} to {high}", found=str(value), remedy="Choose another number."
                )

    def name(self, index: int) -> str:
        """Name of a clip: split, seed and index, so that sets of several seeds can share a folder."""
        return f"{self.split}_s{self.seed}_{index:05d}" + ("_still" if self.still else "")

    def frames_folder(self, index: int) -> Path:
        return self.out / FRAME_FOLDERS[self.split] / self.name(index)

    def maps_folder(self, index: int) -> Path:
        return self.out / MAP_FOLDERS[self.split] / self.name(index)

    def masks_folder(self, index: int) -> Path:
        return self.out / MASK_FOLDERS[self.split] / self.name(index)

    def poses_file(self, index: int) -> Path:
        return self.out / "poses" / f"{self.name(index)}.npz"


@dataclass(frozen=True)
class Clip:
    """One rendered clip: frames uint8 (f H W 3), where the dancer is, bool (f H W), and the poses."""

    frames: np.ndarray
    dancer: np.ndarray
    poses: list[FramePose]


def write_clips(plan: ClipPlan, workers: int = 1) -> int:
    """Render the clips of a plan that are not there yet; returns how many were rendered.

    Args:
        plan: what clips.
        workers: processes that render, 1.2 GB of memory each; the bytes do not depend on it.

    Raises:
        MissingDependencyError: the `synth` extra is not installed.
        OptionError: no worker, or a clip of the same name but another size, length or rate is there.
    """
    if workers < 1:
        raise OptionError(expected="--workers of at least 1", found=str(workers), remedy="Leave it out.")
    check_extra()
    missing = [index for index in range(plan.clips) if not is_complete(plan, index)]
    if len(missing) < plan.clips:
        console.say(f"{plan.clips - len(missing)} of {plan.clips} clips are there already.")
    if not missing:
        return 0
    with console.progress(f"Rendering {plan.split} clips", len(missing) * plan.frames) as stage:
        for _ in _render_all(plan, missing, min(workers, len(missing))):
            stage.advance(plan.frames)
    return len(missing)


def _render_all(plan: ClipPlan, missing: list[int], workers: int) -> Iterator[None]:
    """Render and write clips, here or in other processes; yields once a clip."""
    if workers == 1:
        for index in missing:
            _render_one(plan, index)
            yield
        return
    # spawned, not forked: torch's threads do not survive a fork
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=unwind_on_signals) as pool:
        futures = [pool.submit(_render_in_worker, plan, index) for index in missing]
        try:
            for future in as_completed(futures):
                future.result()
                yield
        finally:
            pool.shutdown(cancel_futures=True)


def _render_one(plan: ClipPlan, index: int) -> None:
    write_clip(plan, index, render_clip(load_body(), plan, index))


def _render_in_worker(plan: ClipPlan, index: int) -> None:
    try:
        _render_one(plan, index)
    except Ended as error:
        # unwound, so nothing is left; a pool would hand its worker the next clip
        os._exit(int(error.code or 1))


def is_complete(plan: ClipPlan, index: int) -> bool:
    """Whether a clip is on disk, whole and as planned.

    Raises:
        OptionError: it is there with another size, length or rate.
    """
    if not plan.poses_file(index).is_file() or not plan.frames_folder(index).is_dir():
        return False
    if not plan.maps_folder(index).is_dir() or not plan.masks_folder(index).is_dir():
        return False
    found = PoseSequence.load(plan.poses_file(index))
    planned = (plan.frames, plan.size_px, plan.fps)
    if (len(found), found.width_px, found.fps) != planned:
        raise OptionError(
            expected=f"clips of {plan.frames} frames, {plan.size_px} px, {plan.fps} fps in {plan.out}",
            found=f"{plan.name(index)} with {len(found)} frames, {found.width_px} px, {found.fps} fps",
            remedy="Choose another folder or seed.",
        )
    return True


def render_clip(body: BodyModel, plan: ClipPlan, index: int) -> Clip:
    """Render one clip; the same plan and index give the same pixels."""
    from .scene import draw_scene

    rng = np.random.default_rng([plan.seed, sorted(FRAME_FOLDERS).index(plan.split), index])
    scene = draw_scene(rng, body, plan.frames, plan.fps, plan.size_px, plan.still)
    rendered = []
    for start in range(0, plan.frames, _CHUNK):
        rendered += list(scene.frames(start, min(start + _CHUNK, plan.frames)))
    frames, poses, dancer = zip(*rendered, strict=True)
    return Clip(np.stack(frames), np.stack(dancer), list(poses))


def write_clip(plan: ClipPlan, index: int, clip: Clip) -> None:
    """Write a clip's pose maps, masks, frames and poses, each whole or not at all, the poses last."""
    size = plan.size_px
    placement = Placement.crop(size, size, size, size)
    with atomic.write_folder(plan.maps_folder(index), overwrite=True) as folder:
        for i, pose in enumerate(clip.poses):
            _save(folder / f"{i:04d}.png", pose_map(pose, size, size, placement))
    with atomic.write_folder(plan.masks_folder(index), overwrite=True) as folder:
        for i, mask in enumerate(clip.dancer):
            _save(folder / f"{i:04d}.png", np.where(mask, 255, 0).astype(np.uint8))
    with atomic.write_folder(plan.frames_folder(index), overwrite=True) as folder:
        for i, frame in enumerate(clip.frames):
            _save(folder / f"{i:04d}.png", frame)
    sequence = PoseSequence.from_frames(
        clip.poses, size, size, plan.fps, plan.name(index), sha256_of(plan.frames_folder(index))
    )
    sequence.save(plan.poses_file(index))


def _save(path: Path, picture: np.ndarray) -> None:
    # the folder as a whole is what appears at once, so a frame needs no temporary name of its own
    Image.fromarray(picture).save(path, "PNG", compress_level=3)
