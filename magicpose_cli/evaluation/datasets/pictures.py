"""The pictures of a clip, wherever they lie: read when they are asked for, one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import InputError
from ...media.files import sha256_of
from ...media.pictures import Placement, load_picture
from ...media.video import FrameReader
from ...pose.draw import MAP_SHORT_SIDE_PX, pose_map
from ...pose.sequence import PoseSequence


class Pictures(Protocol):
    """Frames, pose maps or masks of one clip, in order, counted from 0."""

    def __len__(self) -> int: ...

    def name_of(self, number: int) -> str:
        """What a picture is called in messages."""

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        """Those of these rising numbers, uint8 ``(H W 3)``.

        Raises:
            InputError: one that cannot be read; names it.
        """

    def sha256(self, numbers: Sequence[int]) -> str:
        """Of the contents of those of these numbers: of their bytes as stored, whatever their names."""


@dataclass(frozen=True)
class PictureFiles:
    """Pictures that are files of their own."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def name_of(self, number: int) -> str:
        return str(self.paths[number])

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        return (load_picture(self.paths[number]) for number in numbers)

    def sha256(self, numbers: Sequence[int]) -> str:
        return sha256_of_list(sha256_of(self.paths[number]) for number in numbers)


@dataclass(frozen=True)
class VideoFrames:
    """Frames of a video or animation, which is decoded from its start each time."""

    path: Path
    count: int
    fps: Fraction

    @classmethod
    def open(cls, path: Path) -> VideoFrames:
        """Count its frames: all are decoded where the container does not tell.

        Raises:
            VideoError: it cannot be read.
        """
        reader = FrameReader(path)
        count = reader.expected_frames
        return cls(path, sum(1 for _ in reader) if count is None else count, reader.fps)

    def __len__(self) -> int:
        return self.count

    def name_of(self, number: int) -> str:
        return f"frame {number} of {self.path}"

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        wanted, found = set(numbers), 0
        for number, frame in enumerate(FrameReader(self.path, max_frames=max(numbers) + 1)):
            if number in wanted:
                found += 1
                yield frame
        if found != len(wanted):
            raise InputError(
                expected=f"{self.count} frames in {self.path}",
                found=f"fewer than {max(numbers) + 1} that can be decoded",
                remedy="It is damaged; export or download it again.",
            )

    def sha256(self, numbers: Sequence[int]) -> str:
        return sha256_of_list([sha256_of(self.path), *map(str, numbers)])


@dataclass(frozen=True)
class DrawnPoses:
    """Pose maps drawn from keypoints, on a canvas of the frames' aspect.

    Attributes:
        poses: of some of the clip's frames.
        numbers: whose they are.
    """

    poses: PoseSequence
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def name_of(self, number: int) -> str:
        return f"the pose of frame {number}"

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        width_px, height_px = self.poses.width_px, self.poses.height_px
        scale = MAP_SHORT_SIDE_PX / min(width_px, height_px)
        canvas = Placement.crop(width_px, height_px, round(width_px * scale), round(height_px * scale))
        for number in numbers:
            yield pose_map(self.poses[self.numbers.index(number)], width_px, height_px, canvas)

    def sha256(self, numbers: Sequence[int]) -> str:
        return sha256_of_list(
            hashlib.sha256(np.concatenate(self.poses[self.numbers.index(number)]).tobytes()).hexdigest()
            for number in numbers
        )


def sha256_of_list(digests: Iterator[str] | Sequence[str]) -> str:
    """One digest of many, in their order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
