"""Clips for training, from the TikTok folder layout: frames and pose maps, paired by file name.

    DIR/train_set/<video>/<frame>.png
    DIR/pose_map_train_set/<video>/<frame>.png        (test split: disco_test_set, pose_map_disco_test_set)

Each draw depends on (seed, step) alone, so a resumed run sees the batches that an unbroken one would.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import console
from ..errors import InputError, RecipeError
from ..media.files import natural_key
from ..media.pictures import PICTURE_SUFFIXES, Placement, load_picture
from ..pose.draw import pose_map
from ..pose.sequence import PoseSequence

SPLITS = {"train": "train_set", "test": "disco_test_set"}


@dataclass(frozen=True)
class Clips:
    """Clips in memory: frames of all videos one after the other.

    Attributes:
        frames: uint8 ``(n H W 3)``.
        pose_maps: uint8 ``(n H W 3)``.
        starts: number of the first frame of each video, ``(videos + 1,)``; the last entry is n.
        poses: each video's keypoints, or None where its folder has pose maps alone.
    """

    frames: np.ndarray
    pose_maps: np.ndarray
    starts: np.ndarray
    poses: tuple[PoseSequence | None, ...]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def crops(
        self, seed: int, step: int, count: int, size_px: int, rows: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same random squares of random frames and of their pose maps, uint8 ``(count size size 3)`` each.

        With `rows`, those of the count alone.
        """
        draw = np.random.default_rng([seed, step])
        _, height, width, _ = self.frames.shape
        if size_px > min(height, width):
            raise RecipeError(
                expected=f"a crop_px of at most {min(height, width)}",
                found=str(size_px),
                remedy="Change it in the recipe.",
            )
        numbers = draw.integers(len(self.frames), size=count)
        tops = draw.integers(height - size_px + 1, size=count)
        lefts = draw.integers(width - size_px + 1, size=count)
        cut = []
        for number, top, left in zip(numbers[rows], tops[rows], lefts[rows], strict=True):
            square = (number, slice(top, top + size_px), slice(left, left + size_px))
            cut.append((self.frames[square], self.pose_maps[square]))
        frames, pose_maps = zip(*cut, strict=True)
        return np.stack(frames), np.stack(pose_maps)

    def pairs(self, seed: int, step: int, count: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame numbers of references ``(count,)`` and of targets from the same videos ``(count targets)``.

        As in the paper (5.2), both are drawn uniformly from a video.
        """
        draw = np.random.default_rng([seed, step])
        videos = draw.integers(len(self), size=count)
        low, high = self.starts[videos], self.starts[videos + 1]
        return draw.integers(low, high), draw.integers(low[:, None], high[:, None], size=(count, targets))

    def runs(self, seed: int, step: int, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame numbers of references ``(count,)`` and of consecutive targets ``(count length)``."""
        draw = np.random.default_rng([seed, step])
        long_enough = np.flatnonzero(np.diff(self.starts) >= length)
        if not len(long_enough):
            raise InputError(
                expected=f"clips of at least {length} frames",
                found=f"none among {len(self)}",
                remedy="Make longer clips: magicpose synth --frames.",
            )
        videos = long_enough[draw.integers(len(long_enough), size=count)]
        low, high = self.starts[videos], self.starts[videos + 1]
        first = draw.integers(low, high - length + 1)
        return draw.integers(low, high), first[:, None] + np.arange(length)

    def maps_without(self, numbers: np.ndarray, parts: list[str]) -> np.ndarray:
        """Pose maps of frames of one video without some parts (``face``, ``left_hand``, ``right_hand``).

        Drawn anew from the keypoints. From pose maps alone only a face can go: its points are the only white ones.

        Returns:
            uint8 ``(n H W 3)``.
        """
        video = int(np.searchsorted(self.starts, numbers[0], side="right")) - 1
        poses = self.poses[video]
        maps = self.pose_maps[numbers].copy()
        if poses is None:
            maps[(maps.min(-1) >= _WHITE)] = 0
            return maps
        height, width = maps.shape[1:3]
        placement = Placement.crop(poses.width_px, poses.height_px, width, height)
        for place, number in enumerate(numbers):
            pose = poses[int(number - self.starts[video])]
            kept = pose._replace(**{part: np.zeros_like(getattr(pose, part)) for part in parts})
            maps[place] = pose_map(kept, poses.width_px, poses.height_px, placement)
        return maps

    def lacks_keypoints(self) -> bool:
        """Whether any video has pose maps alone."""
        return any(poses is None for poses in self.poses)


_WHITE = 26  # least of the three colours from which on a pixel belongs to a face point: no other stroke has all three


def load_clips(folder: Path, split: str, width_px: int, height_px: int) -> Clips:
    """Read all clips of a split, centre-cropped and resized to the model's size.

    Raises:
        InputError: no such layout, or a frame without its pose map.
    """
    root, pose_root = folder / SPLITS[split], folder / f"pose_map_{SPLITS[split]}"
    videos = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    pairs: list[tuple[Path, Path]] = []
    starts = [0]
    for video in videos:
        names = [p.name for p in video.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES]
        names.sort(key=natural_key)
        pairs += [(video / name, pose_root / video.name / name) for name in names]
        starts.append(len(pairs))
    if not pairs:
        raise InputError(
            expected=f"clips in {root}/<video>/<frame>.png",
            found="none",
            remedy="Give the folder that magicpose synth wrote, one in the TikTok layout, or one of videos.",
        )
    missing = next((pose for _, pose in pairs if not pose.is_file()), None)
    if missing is not None:
        raise InputError(
            expected="a pose map for each frame", found=f"no {missing}", remedy="Extract the poses again."
        )
    frames = np.empty((len(pairs), height_px, width_px, 3), np.uint8)
    pose_maps = np.empty_like(frames)

    def read(number: int) -> None:
        for store, path in zip((frames, pose_maps), pairs[number], strict=True):
            picture = load_picture(path)
            height, width = picture.shape[:2]
            store[number] = Placement.crop(width, height, width_px, height_px).apply(picture)

    with console.progress("reading clips", total=len(pairs)) as stage, ThreadPoolExecutor(4) as pool:
        for _ in pool.map(read, range(len(pairs))):
            stage.advance()
    lengths = np.diff(starts)
    poses = tuple(
        _keypoints(folder / "poses" / f"{video.name}.npz", int(length))
        for video, length in zip(videos, lengths, strict=True)
    )
    return Clips(frames, pose_maps, np.array(starts), poses)


def _keypoints(path: Path, frames: int) -> PoseSequence | None:
    """A video's keypoints, where they lie beside it and are as many as its frames."""
    if not path.is_file():
        return None
    poses = PoseSequence.load(path)
    if len(poses) != frames:
        raise InputError(
            expected=f"keypoints of {frames} frames in {path}",
            found=f"{len(poses)}",
            remedy="Make or extract them again.",
        )
    return poses
