"""What drives: a video, a saved pose sequence, pose maps as pictures, or OpenPose's JSON files, told apart and
brought to one thing, pose maps at the model's size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from .. import console
from ..errors import OptionError, PoseError
from ..media.pictures import Placement
from ..media.video import FOLDER_FPS, FrameReader, chosen_frames, folder_rate
from ..pose.clean import clean
from ..pose.compressed import CompressedMaps
from ..pose.detect import Detector, detect_sequence
from ..pose.maps import is_plain, looks_like_pose_maps
from ..pose.openpose_json import is_openpose_folder
from ..pose.sequence import PoseSequence
from .hashes import Hashes

Kind = Literal["video", "npz", "pose-maps", "openpose-json"]
KINDS = ("auto", "video", "pose-maps", "openpose-json")
_NAMES = {
    "video": "a video: its poses are detected",
    "npz": "a saved pose sequence",
    "pose-maps": "pose maps: they are used as they are",
    "openpose-json": "OpenPose JSON files",
}
_LOOKED_AT, _LOOKED_AT_S, _LOOKED_AT_MOST = 8, 4, 240
"""Frames that tell a video from pose maps, spread over so many seconds, or over so many frames at most."""


@dataclass(frozen=True)
class Cut:
    """Which part of the driving is used.

    Attributes:
        start_s: from here, s.
        duration_s: so long; None to the end.
    """

    start_s: float = 0.0
    duration_s: float | None = None

    def of(self, sequence: PoseSequence) -> PoseSequence:
        """Cut a pose sequence: the poses of those frames that a cut of the video itself would give.

        Raises:
            OptionError: a time that makes no sense, or a start beyond its end.
        """
        name = sequence.source_name or "the poses"
        chosen = chosen_frames(len(sequence), sequence.fps, self.start_s, self.duration_s, name)
        frames = [sequence[i] for i in chosen]
        return PoseSequence.from_frames(
            frames, sequence.width_px, sequence.height_px, sequence.fps, *sequence.source
        )


class Driving:
    """A driving of any kind, looked at but not yet read.

    Args:
        path: video, `.npz`, folder, or picture.
        kind: what it is, or ``auto`` to find out; what was found is said.
        cut: which part to use.
        fps: frame rate of a folder, which has none of its own (None is what a report in it says, or 25), or one at
            which a video is taken instead of its own.
        hashes: of the run's inputs, among which it may be already.

    Attributes:
        kind: what it is.
        fps: exact frame rate.
        size_px: (width, height) of its pictures.
        sequence: its poses, once `find_poses` was called; None for pose maps. The job puts those in their place that
            were brought to the reference's person.
        empty_frames: how many of its frames show nobody, once `find_poses` and `maps` were called.
        filled_frames: in how many frames points were filled in, by part of the pose; None where nothing was cleaned.

    Raises:
        InputError: it cannot be read, or is not what it was said to be.
    """

    def __init__(
        self,
        path: Path,
        kind: str = "auto",
        cut: Cut | None = None,
        fps: Fraction | None = None,
        hashes: Hashes | None = None,
    ) -> None:
        self.path, self.cut = path, cut or Cut()
        self.sequence: PoseSequence | None = None
        self.empty_frames = 0
        self.filled_frames: dict[str, int] | None = None
        self._hashes = hashes or Hashes()
        self._reader: FrameReader | None = None
        self.kind: Kind
        if kind not in KINDS:
            raise OptionError(
                expected=f"a driving kind of {', '.join(KINDS)}",
                found=repr(kind),
                remedy="Use --driving-kind auto.",
            )
        if path.suffix.lower() == ".npz" and kind == "auto":
            self._refuse_rate(fps)
            self.kind, self.sequence = "npz", self.cut.of(PoseSequence.load(path))
        elif kind == "openpose-json" or (kind == "auto" and _is_openpose(path)):
            sequence = PoseSequence.from_openpose_json(path, fps=fps or folder_rate(path) or FOLDER_FPS)
            self.kind, self.sequence = "openpose-json", self.cut.of(sequence)
        else:
            rate = fps or folder_rate(path)
            self._reader = FrameReader(path, rate, self.cut.start_s, self.cut.duration_s)
            are_maps = kind == "pose-maps" or (kind == "auto" and self._shows_pose_maps())
            self.kind = "pose-maps" if are_maps else "video"
        info = None if self._reader is None else self._reader.info
        shown = info or self._poses
        self.size_px = shown.width_px, shown.height_px
        console.say(f"Driving: {path.name} is {_NAMES[self.kind]}.")

    def _refuse_rate(self, fps: Fraction | None) -> None:
        if fps is not None:
            raise OptionError(
                expected="--fps with a video, or with a folder of pictures or of JSON files",
                found=f"it with {self.path.name}, poses at a rate of their own",
                remedy="Leave it out, or give it to extract-pose.",
            )

    @property
    def fps(self) -> Fraction:
        return self._reader.fps if self._reader is not None else self._poses.fps

    @property
    def expected_frames(self) -> int | None:
        """How many frames it has, as far as it tells before it is read."""
        return self._reader.expected_frames if self._reader is not None else len(self._poses)

    @property
    def has_audio(self) -> bool:
        return self._reader is not None and self._reader.info.has_audio

    def is_of(self, video: Path) -> bool:
        """Whether it is this video, or the poses that were found in it."""
        if self._reader is not None:
            return self.path.resolve() == video.resolve()
        return bool(self._poses.source_sha256) and self._poses.source_sha256 == self._hashes.of(video)

    def _shows_pose_maps(self) -> bool:
        """Looks at frames of the first seconds: the very first are often black."""
        most = min(math.ceil(_LOOKED_AT_S * self.fps), _LOOKED_AT_MOST)
        # at the stated rate, so that a variable one is not announced twice
        reader = FrameReader(self.path, self.fps, self.cut.start_s, self.cut.duration_s, most)
        step = math.ceil((reader.expected_frames or most) / _LOOKED_AT)
        return looks_like_pose_maps(islice(reader, 0, None, step))

    @property
    def _poses(self) -> PoseSequence:
        if self.sequence is None:
            raise ValueError("the poses were not found yet")
        return self.sequence

    def find_poses(self, detector: Detector, cleaned: bool = True) -> None:
        """Detect the poses of a video, a frame at a time; anything else has them already.

        Args:
            detector: what finds them.
            cleaned: whether what it found is cleaned (`pose/clean.py`).

        Raises:
            PoseError: nobody in any frame.
        """
        if self.kind == "video" and self._reader is not None:
            digest = self._hashes.of(self.path)
            self.sequence = detect_sequence(self._reader, detector, self.path.name, digest)
            if cleaned:
                self.sequence, self.filled_frames = clean(self.sequence)
        if self.sequence is not None:
            shown = sum(any(pose.found(part) for part in pose._fields) for pose in self.sequence)
            self._count_empty(len(self.sequence) - shown, len(self.sequence))

    def _count_empty(self, empty: int, frames: int) -> None:
        self.empty_frames = empty
        if empty == frames:
            raise PoseError(
                expected=f"a person in {self.path.name}",
                found=f"nobody in any of {frames} frames",
                remedy="Give another driving.",
            )
        if empty:
            console.warn(f"{empty} of {frames} frames show nobody: their pose maps are empty.")

    def maps(self, placement: Placement, last: int | None = None) -> CompressedMaps:
        """The pose maps, placed for the model; pictures are read here, once.

        Args:
            placement: of the driving's pictures at the model's size.
            last: as in `CompressedMaps`; pictures, which cannot be drawn again, are all kept.

        Raises:
            PoseError: pictures that are all of one colour, so maps of nobody.
            VideoError: pictures that cannot be read to the end.
        """
        if self.kind == "pose-maps" and self._reader is not None:
            plain: list[bool] = []
            maps = CompressedMaps.drawn(_placed(self._reader, placement, plain))
            self._count_empty(sum(plain), len(plain))
            return maps
        return CompressedMaps.of(self._poses, placement, last)


def _is_openpose(path: Path) -> bool:
    """Also of a single file, so that it is told to be one."""
    return is_openpose_folder(path) or path.suffix.lower() == ".json"


def _placed(pictures: Iterable[np.ndarray], placement: Placement, plain: list[bool]) -> Iterator[np.ndarray]:
    """Place pose maps, and note of each whether it shows nobody."""
    for picture in pictures:
        plain.append(is_plain(picture))
        yield placement.apply(picture)
