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

SPLITS = {"train": "train_set", "test": "disco_test_set"}


@dataclass(frozen=True)
class Clips:
    """Clips in memory: frames of all videos one after the other.

    Attributes:
        frames: uint8 ``(n H W 3)``.
        pose_maps: uint8 ``(n H W 3)``.
        starts: number of the first frame of each video, ``(videos + 1,)``; the last entry is n.
    """

    frames: np.ndarray
    pose_maps: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def crops(self, seed: int, step: int, count: int, size_px: int) -> tuple[np.ndarray, np.ndarray]:
        """The same random squares of random frames and of their pose maps, uint8 ``(count size size 3)`` each."""
        draw = np.random.default_rng([seed, step])
        _, height, width, _ = self.frames.shape
        if size_px > min(height, width):
            raise RecipeError(
                expected=f"a crop_px of at most {min(height, width)}",
                found=str(size_px),
                remedy="Change it in the recipe.",
            )
        cut = []
        for number in draw.integers(len(self.frames), size=count):
            top, left = draw.integers(height - size_px + 1), draw.integers(width - size_px + 1)
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
            remedy="Give the folder that magicpose synth wrote, or one in the TikTok layout.",
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
    return Clips(frames, pose_maps, np.array(starts))
