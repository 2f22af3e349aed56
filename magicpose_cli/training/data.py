"""Clips for training, from the TikTok folder layout: frames and pose maps, paired by file name.

    DIR/train_set/<video>/<frame>.png
    DIR/pose_map_train_set/<video>/<frame>.png        (test split: disco_test_set, pose_map_disco_test_set)
    DIR/poses/<video>.npz                             (keypoints, where there are any: without maps they are drawn)

Pictures are read when they are asked for. They come to the model's width; what is taller than the model's height is
cut to it at some row: in the middle, or at random, alike for a reference and its targets (paper 5.1).

Each draw depends on (seed, step) alone, so a resumed run sees the batches that an unbroken one would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError, RecipeError
from ..media.files import natural_key
from ..media.pictures import PICTURE_SUFFIXES, Placement, load_picture
from ..pose.draw import pose_map
from ..pose.sequence import PoseSequence

SPLITS = {"train": "train_set", "test": "disco_test_set"}


@dataclass(frozen=True)
class Drawn:
    """What a batch is made of.

    Attributes:
        references: frame numbers ``(b,)``.
        targets: frame numbers ``(b f)``, of the same videos.
        rows: at which latent row each sample's reference and targets are cut, ``(b,)``.
    """

    references: np.ndarray
    targets: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Clips:
    """Clips on disk: frames of all videos one after the other, counted from 0.

    Attributes:
        folder: of the dataset.
        frame_paths, map_paths: of each frame and of its pose map.
        starts: number of the first frame of each video, ``(videos + 1,)``; the last entry counts all frames.
        poses: each video's keypoints, or None where its folder has pose maps alone.
        width_px, height_px: the model's size.
        cell_px: px of a latent cell: pictures are cut at multiples of it.
        spare_rows: by how many cells each video's pictures are taller than the model's height, ``(videos,)``.
        is_random: cut at random rows, or all in the middle.
        draws: where there are keypoints, all maps are drawn from them: those on disk are not complete, or of another
            style, by which a map that lacks a part would be told from one that does not.
    """

    folder: Path
    frame_paths: tuple[Path, ...]
    map_paths: tuple[Path, ...]
    starts: np.ndarray
    poses: tuple[PoseSequence | None, ...]
    width_px: int
    height_px: int
    cell_px: int
    spare_rows: np.ndarray
    is_random: bool
    draws: bool = True

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def total(self) -> int:
        """Number of frames."""
        return len(self.frame_paths)

    def video_of(self, numbers: np.ndarray) -> np.ndarray:
        """Which video frames belong to."""
        return np.searchsorted(self.starts, numbers, side="right") - 1

    def middle_rows(self, numbers: np.ndarray) -> np.ndarray:
        """The rows at which frames are cut in the middle."""
        return self.spare_rows[self.video_of(numbers)] // 2

    def spread(self, count: int) -> np.ndarray:
        """Numbers of up to `count` frames, evenly spread over all."""
        return np.linspace(0, self.total - 1, min(self.total, count)).astype(int)

    def whole_picture(self, number: int, path: Path | None = None) -> np.ndarray:
        """A frame, or with `path` another picture of it, at the model's width and all its height, uint8 ``(H W 3)``."""
        picture = load_picture(self.frame_paths[number] if path is None else path)
        height, width = picture.shape[:2]
        return Placement.crop(width, height, self.width_px, self._full_height_px(number)).apply(picture)

    def whole_map(self, number: int, without: Sequence[str] = ()) -> np.ndarray:
        """A frame's pose map at the model's width and all its height, uint8 ``(H W 3)``.

        From a pose map alone only a face can go: its points are the only white ones.

        Args:
            number: the frame's.
            without: parts to leave out: ``face``, ``left_hand``, ``right_hand``.
        """
        video = int(self.video_of(np.array(number)))
        poses = self.poses[video]
        if poses is None or not (self.draws or without):
            drawn = self.whole_picture(number, self.map_paths[number])
            if "face" in without:
                drawn[drawn.min(-1) >= _WHITE] = 0
            return drawn
        pose = poses[number - int(self.starts[video])]
        kept = pose._replace(**{part: np.zeros_like(getattr(pose, part)) for part in without})
        height_px = self._full_height_px(number)
        placement = Placement.crop(poses.width_px, poses.height_px, self.width_px, height_px)
        return pose_map(kept, poses.width_px, poses.height_px, placement)

    def pictures(self, numbers: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Frames, uint8 ``(n H W 3)``, cut at latent rows ``(n,)``, by default in the middle."""
        return self._cut(self.whole_picture, numbers, rows)

    def pose_maps(
        self, numbers: np.ndarray, rows: np.ndarray | None = None, without: Sequence[str] = ()
    ) -> np.ndarray:
        """Their pose maps, as `pictures`, without some parts."""
        return self._cut(partial(self.whole_map, without=without), numbers, rows)

    def _cut(
        self, whole: Callable[[int], np.ndarray], numbers: np.ndarray, rows: np.ndarray | None
    ) -> np.ndarray:
        rows = self.middle_rows(numbers) if rows is None else rows
        cut = []
        for number, row in zip(numbers, rows, strict=True):
            top = int(row) * self.cell_px
            cut.append(whole(int(number))[top : top + self.height_px])
        return np.stack(cut)

    def _full_height_px(self, number: int) -> int:
        return self.height_px + int(self.spare_rows[self.video_of(np.array(number))]) * self.cell_px

    def crops(
        self, seed: int, step: int, count: int, size_px: int, rows: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same random squares of random frames and of their pose maps, uint8 ``(count size size 3)`` each.

        With `rows`, those of the count alone.
        """
        draw = np.random.default_rng([seed, step])
        if size_px > min(self.height_px, self.width_px):
            raise RecipeError(
                expected=f"a crop_px of at most {min(self.height_px, self.width_px)}",
                found=str(size_px),
                remedy="Change it in the recipe.",
            )
        numbers = draw.integers(self.total, size=count)
        tops = draw.random(count)
        lefts = draw.integers(self.width_px - size_px + 1, size=count)
        cut = []
        for number, share, left in zip(numbers[rows], tops[rows], lefts[rows], strict=True):
            top = int(share * (self._full_height_px(number) - size_px + 1))
            square = (slice(top, top + size_px), slice(left, left + size_px))
            number = int(number)
            cut.append((self.whole_picture(number)[square], self.whole_map(number)[square]))
        frames, pose_maps = zip(*cut, strict=True)
        return np.stack(frames), np.stack(pose_maps)

    def pairs(self, seed: int, step: int, count: int, targets: int) -> Drawn:
        """References and targets drawn uniformly from the same videos (paper 5.2)."""
        draw = np.random.default_rng([seed, step])
        videos = draw.integers(len(self), size=count)
        low, high = self.starts[videos], self.starts[videos + 1]
        references = draw.integers(low, high)
        drawn = draw.integers(low[:, None], high[:, None], size=(count, targets))
        return Drawn(references, drawn, self._rows(draw, videos))

    def runs(self, seed: int, step: int, count: int, length: int) -> Drawn:
        """References and consecutive targets."""
        draw = np.random.default_rng([seed, step])
        long_enough = np.flatnonzero(np.diff(self.starts) >= length)
        if not len(long_enough):
            raise too_short(length, len(self))
        videos = long_enough[draw.integers(len(long_enough), size=count)]
        low, high = self.starts[videos], self.starts[videos + 1]
        first = draw.integers(low, high - length + 1)
        references = draw.integers(low, high)
        return Drawn(references, first[:, None] + np.arange(length), self._rows(draw, videos))

    def _rows(self, draw: np.random.Generator, videos: np.ndarray) -> np.ndarray:
        spare = self.spare_rows[videos]
        return draw.integers(spare + 1) if self.is_random else spare // 2

    def lacks_keypoints(self) -> bool:
        """Whether any video has pose maps alone."""
        return any(poses is None for poses in self.poses)


_WHITE = 26  # least of the three colours from which on a pixel belongs to a face point: no other stroke has all three


def load_clips(
    folder: Path, split: str, width_px: int, height_px: int, cell_px: int, crop: str = "random"
) -> Clips:
    """Find all clips of a split.

    Args:
        folder: of the dataset.
        split: ``train`` or ``test``; the test split is always cut in the middle (paper 5.1).
        width_px, height_px: the model's size.
        cell_px: px of a latent cell along each side.
        crop: ``random`` or ``centre``, as in a recipe's data block.

    Raises:
        InputError: no such layout, or a frame with neither pose map nor keypoints.
    """
    root, pose_root = folder / SPLITS[split], folder / f"pose_map_{SPLITS[split]}"
    frames: list[Path] = []
    maps: list[Path] = []
    videos, starts, spare = [], [0], []
    for video, names in videos_in(root).items():
        videos.append(video)
        frames += [video / name for name in names]
        maps += [pose_root / video.name / name for name in names]
        starts.append(len(frames))
        spare.append(_spare_rows(video / names[0], width_px, height_px, cell_px))
    if not frames:
        raise no_clips(root)
    poses = tuple(
        _keypoints(keypoints_of(folder, video.name), int(length))
        for video, length in zip(videos, np.diff(starts), strict=True)
    )
    for video, own, first, last in zip(videos, poses, starts, starts[1:], strict=False):
        if own is None:
            _check_maps(maps[first:last], video, keypoints_of(folder, video.name))
    clips = Clips(
        folder, tuple(frames), tuple(maps), np.array(starts), poses, width_px, height_px, cell_px,
        np.array(spare), is_random=crop == "random" and split == "train",
    )  # fmt: skip
    return replace(clips, draws=not all(path.is_file() for path in maps) or not _drawn_alike(clips))


_LOOKED_AT, _ALIKE = 8, 0.1  # videos; part of a map's mean, by which two drawings of it may differ


def _drawn_alike(clips: Clips) -> bool:
    """Whether the maps on disk look like those that are drawn from keypoints, by the first frames of some videos."""
    with_keypoints = [
        first for first, poses in zip(clips.starts, clips.poses, strict=False) if poses is not None
    ]
    for number in map(int, with_keypoints[:: max(1, len(with_keypoints) // _LOOKED_AT)]):
        drawn = clips.whole_map(number)
        apart = np.abs(drawn.astype(np.int16) - clips.whole_picture(number, clips.map_paths[number]))
        if apart.mean() > _ALIKE * drawn.mean():
            return False
    return True


def videos_in(root: Path) -> dict[Path, list[str]]:
    """A split's folders of pictures, with the names of their pictures in order.

    What begins with a dot is passed over: a folder that is being written, or was when its program was killed.
    """
    found = {}
    for video in sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []:
        names = [p.name for p in video.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES]
        names = sorted((name for name in names if not name.startswith(".")), key=natural_key)
        if names and not video.name.startswith("."):
            found[video] = names
    return found


def keypoints_of(folder: Path, video: str) -> Path:
    """Where a video's keypoints lie, if there are any."""
    return folder / "poses" / f"{video}.npz"


def no_clips(folder: Path, *, or_videos: bool = True) -> InputError:
    """The error of a folder without clips, where videos would do or would not."""
    others = (
        ", one in the TikTok layout, or one of videos." if or_videos else ", or one in the TikTok layout."
    )
    return InputError(
        expected=f"clips in {folder}/<video>/<frame>.png",
        found="none",
        remedy=f"Give the folder that magicpose synth wrote{others}",
    )


def too_short(frames: int, videos: int) -> InputError:
    """The error of videos of which none has so many frames."""
    return InputError(
        expected=f"clips of at least {frames} frames",
        found=f"none among {videos}",
        remedy="Make longer clips: magicpose synth --frames.",
    )


_ORIENTATION, _SIDEWAYS = 0x0112, 5  # EXIF: from 5 on the picture lies on its side


def _spare_rows(path: Path, width_px: int, height_px: int, cell_px: int) -> int:
    """By how many latent cells a picture is taller than the model's height, once it has the model's width."""
    try:
        with Image.open(path) as picture:  # the header alone
            width, height = picture.size
            if picture.getexif().get(_ORIENTATION, 1) >= _SIDEWAYS:
                width, height = height, width
    except OSError as error:
        raise InputError(
            expected=f"a picture at {path}",
            found=str(error),
            remedy="Put it there again, or take its video out.",
        ) from error
    return max(0, int(height * width_px / width - height_px) // cell_px)


def _check_maps(paths: Sequence[Path], video: Path, keypoints: Path) -> None:
    """See that a video without keypoints has the pose map of each frame."""
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise InputError(
            expected="a pose map for each frame, or keypoints, from which maps are drawn",
            found=f"neither {missing} nor {keypoints}",
            remedy=f"Put that picture there, or run magicpose extract-pose {video} -o {keypoints}.",
        )


def _keypoints(path: Path, frames: int) -> PoseSequence | None:
    """A video's keypoints, where they lie beside it and are as many as its frames."""
    return PoseSequence.load(path, frames) if path.is_file() else None
