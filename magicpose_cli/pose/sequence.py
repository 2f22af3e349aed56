"""What a pose is: the keypoints of one frame, and of a whole driving video, on disk and in memory.

Order and count of the points are OpenPose's: 18 body points (COCO-18), 21 per hand, 70 per face. Left and
right are the person's own. OpenPose's JSON files are read and written in `openpose_json.py`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import OptionError, PoseError
from ..media import atomic
from ..media.video import as_rate

FORMAT_VERSION = 1
POINT_COUNTS = {"body": 18, "left_hand": 21, "right_hand": 21, "face": 70}
"""How many points each part of a pose has."""
MOST_PX = 1_000_000
"""No coordinate lies farther from the picture's corner: beyond it, arithmetic in px breaks."""
MOST_SIDE_PX, MOST_ASPECT = 16_384, 50
"""Largest side of the picture, and of how many times the other one."""

BODY_NAMES = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
"""The 18 body points in order (OpenPose's COCO model)."""


class FramePose(NamedTuple):
    """One frame's pose: per part float32 (n 3), x px, y px, confidence 0..1; missing points are zeros."""

    body: np.ndarray
    left_hand: np.ndarray
    right_hand: np.ndarray
    face: np.ndarray

    @classmethod
    def empty(cls) -> FramePose:
        """A frame with nobody in it."""
        return cls(*(np.zeros((count, 3), np.float32) for count in POINT_COUNTS.values()))

    def found(self, part: str) -> bool:
        """Whether any point of `part` (body, left_hand, right_hand, face) was found."""
        return bool((getattr(self, part)[:, 2] > 0).any())


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """The poses of all frames of one driving video.

    Attributes:
        body: float32 (f 18 3), x px, y px, confidence 0..1; missing points are zeros. Read-only, as all.
        left_hand: float32 (f 21 3), the same.
        right_hand: float32 (f 21 3), the same.
        face: float32 (f 70 3), the same.
        width_px: width of the picture the coordinates belong to.
        height_px: its height.
        fps: frames per second.
        source_name: file name of the video the poses came from, or "".
        source_sha256: its SHA-256 in hex, or "".

    Raises:
        PoseError: an array of the wrong shape, a number that is not finite, a coordinate beyond `MOST_PX`, a
            confidence outside 0..1, or a size or rate that no video has.
    """

    body: np.ndarray
    left_hand: np.ndarray
    right_hand: np.ndarray
    face: np.ndarray
    width_px: int
    height_px: int
    fps: Fraction
    source_name: str = ""
    source_sha256: str = ""

    def __post_init__(self) -> None:
        length = len(np.atleast_1d(self.body))
        for part, count in POINT_COUNTS.items():
            object.__setattr__(self, part, _checked_part(getattr(self, part), part, (length, count, 3)))
        check_size(self.width_px, self.height_px, "Run extract-pose again on the video.")
        object.__setattr__(self, "width_px", int(self.width_px))
        object.__setattr__(self, "height_px", int(self.height_px))
        try:
            object.__setattr__(self, "fps", as_rate(self.fps))
        except OptionError as error:
            raise _malformed(error.expected, error.found) from error

    @classmethod
    def from_frames(
        cls,
        frames: Sequence[FramePose],
        width_px: int,
        height_px: int,
        fps: Fraction | float,
        source_name: str = "",
        source_sha256: str = "",
    ) -> PoseSequence:
        """Join the poses of single frames.

        Args:
            frames: one pose per frame, in order; may be empty.
            width_px: width of the picture the coordinates belong to.
            height_px: its height.
            fps: frames per second; 29.97 means 30000/1001, as in `as_rate`.
            source_name: file name of the video.
            source_sha256: its SHA-256 in hex.

        Raises:
            OptionError: a rate that no video has.
        """
        parts = {
            part: np.stack([np.asarray(getattr(frame, part), np.float32) for frame in frames])
            if frames
            else np.zeros((0, count, 3), np.float32)
            for part, count in POINT_COUNTS.items()
        }
        return cls(
            **parts,
            width_px=width_px,
            height_px=height_px,
            fps=as_rate(fps),
            source_name=source_name,
            source_sha256=source_sha256,
        )

    @property
    def source(self) -> tuple[str, str]:
        """Name and SHA-256 of the video the poses came from."""
        return self.source_name, self.source_sha256

    def __len__(self) -> int:
        return len(self.body)

    def __getitem__(self, index: int) -> FramePose:
        return FramePose(*(getattr(self, part)[index] for part in POINT_COUNTS))

    def __iter__(self) -> Iterator[FramePose]:
        return (self[index] for index in range(len(self)))

    def counts(self) -> dict[str, int]:
        """How many frames there are, and in how many of them each part was found.

        Returns:
            `frames`, `body`, `left_hand`, `right_hand`, `hands` (at least one of them) and `face`.
        """
        seen = {part: (getattr(self, part)[..., 2] > 0).any(axis=1) for part in POINT_COUNTS}
        seen["hands"] = seen["left_hand"] | seen["right_hand"]
        order = ("body", "left_hand", "right_hand", "hands", "face")
        return {"frames": len(self)} | {part: int(seen[part].sum()) for part in order}

    def save(self, path: str | Path) -> None:
        """Write one .npz file without pickles; the same poses give the same bytes.

        An existing file is replaced.

        Args:
            path: the file, its name kept as it is.
        """
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            format_version=np.int64(FORMAT_VERSION),
            **{part: getattr(self, part) for part in POINT_COUNTS},
            size_px=np.array([self.width_px, self.height_px], np.int64),
            fps=np.array([self.fps.numerator, self.fps.denominator], np.int64),
            source=np.array([self.source_name, self.source_sha256], np.str_),
        )
        with atomic.write_file(path) as temporary:
            temporary.write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path, frames: int | None = None) -> PoseSequence:
        """Read what `save` wrote.

        Args:
            path: a .npz file.
            frames: how many it must have; None for any number.

        Raises:
            PoseError: it is absent, no pose file, of another version, damaged, or without so many frames.
        """
        arrays = _read_arrays(Path(path))
        try:
            version = int(arrays["format_version"])
            if version != FORMAT_VERSION:
                raise PoseError(
                    expected=f"a pose file of version {FORMAT_VERSION}",
                    found=f"version {version} in {path}",
                    remedy="Update magicpose, or run extract-pose again.",
                )
            width_px, height_px = (int(number) for number in arrays["size_px"])
            numerator, denominator = (int(number) for number in arrays["fps"])
            source_name, source_sha256 = (str(text) for text in arrays["source"])
            sequence = cls(
                **{part: arrays[part] for part in POINT_COUNTS},
                width_px=width_px,
                height_px=height_px,
                fps=Fraction(numerator, denominator),
                source_name=source_name,
                source_sha256=source_sha256,
            )
        except KeyError as error:
            raise _unreadable(path, f"no entry {error}") from error
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise _unreadable(path, str(error)) from error
        if not len(sequence):
            raise _unreadable(path, "no frames in it")
        if frames is not None and len(sequence) != frames:
            raise PoseError(
                expected=f"keypoints of {frames} frames in {path}",
                found=f"{len(sequence)}",
                remedy="Make or extract them again.",
            )
        return sequence

    def to_openpose_json(self, folder: str | Path, overwrite: bool = False) -> None:
        """Write one OpenPose JSON file a frame into a folder of their own; see `openpose_json.write`."""
        from . import openpose_json

        openpose_json.write(self, Path(folder), overwrite)

    @classmethod
    def from_openpose_json(
        cls,
        folder: str | Path,
        width_px: int | None = None,
        height_px: int | None = None,
        fps: Fraction | float = 25,
    ) -> PoseSequence:
        """Read a folder of OpenPose JSON files; see `openpose_json.read`."""
        from . import openpose_json

        return openpose_json.read(Path(folder), width_px, height_px, as_rate(fps))


def check_size(width_px: float, height_px: float, remedy: str) -> None:
    """Raise a PoseError with this remedy if no picture that poses belong to has such a size."""
    short_px, long_px = sorted((width_px, height_px))
    if not (short_px >= 1 and long_px <= MOST_SIDE_PX and long_px <= MOST_ASPECT * short_px):
        raise PoseError(
            expected=f"a picture size of at least 1x1 px, at most {MOST_SIDE_PX} px a side and {MOST_ASPECT}:1",
            found=f"{width_px}x{height_px}",
            remedy=remedy,
        )


def _checked_part(values: np.ndarray, part: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Float32, of the right shape, finite, confidences in 0..1, missing points zeroed, read-only."""
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise _malformed(f"{part} as numbers of shape {shape}", f"{array.dtype} of shape {array.shape}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise _malformed(f"finite numbers in {part}", "NaN or infinity")
    confidence = array[..., 2]
    if (confidence < 0).any() or (confidence > 1).any():
        raise _malformed(
            f"confidences from 0 to 1 in {part}", f"{float(confidence.min())} to {float(confidence.max())}"
        )
    array[confidence == 0] = 0
    if array.size and np.abs(array[..., :2]).max() > MOST_PX:
        farthest = float(np.abs(array[..., :2]).max())
        raise _malformed(f"coordinates in {part} of at most {MOST_PX} px", f"{farthest:g}")
    array.setflags(write=False)
    return array


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise _unreadable(path, "a single array")
        with archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise _unreadable(path, "no such file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise _unreadable(path, str(error)) from error


def _malformed(expected: str, found: str) -> PoseError:
    return PoseError(expected=expected, found=found, remedy="Run extract-pose again on the video.")


def _unreadable(path: str | Path, found: str) -> PoseError:
    return PoseError(
        expected=f"a pose file made by extract-pose at {path}",
        found=found,
        remedy="Check the path, or run extract-pose again on the video.",
    )
