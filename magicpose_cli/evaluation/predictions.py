"""What others made of a test set's clips: a folder or video for each, named as the clip.

    DIR/<clip>/0001.png ...             or DIR/<clip>/gen_images/001.jpg ..., as MagicPose's own test script writes
    DIR/<clip>.mp4, DIR/<clip>.gif ...
    DIR/<clip>_0001png.png ...          all clips in one folder, as DisCo writes them

There may be a frame for each target; one for each frame, with the reference's first, which is passed over; or, with a
stride, one for each target that is evaluated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import console
from ..errors import InputError, OptionError
from ..media.pictures import Placement
from ..media.probe import folder_pictures
from .datasets.check import check_numbers, check_pictures
from .datasets.clip import Size, TestClip
from .datasets.pictures import PictureFiles, Pictures, VideoFrames
from .datasets.videos import VIDEO_SUFFIXES, frames_of
from .reconstruction import resized_like
from .results import folder_of

_PAPERS = "gen_images"
_SAME_RATE = 0.001
_SAME_ASPECT = 0.02  # of the other: sizes are whole pixels


@dataclass(frozen=True)
class Predictions:
    """One method's results.

    Attributes:
        name: the method's.
        root: its folder.
        said: what was said of them already; each thing once.
    """

    name: str
    root: Path
    said: set[str] = field(default_factory=set, compare=False)

    def pictures_of(self, clip: str) -> Pictures:
        """A clip's results.

        Raises:
            InputError: there are none, or at several places, or they cannot be read.
        """
        here = self.root / clip
        there = [here] if here.is_dir() else []
        spellings = (case for suffix in VIDEO_SUFFIXES for case in (suffix, suffix.upper()))
        there += [path for end in spellings if (path := here.with_name(clip + end)).is_file()]
        flat = [] if there else self._in_one_folder(clip)
        if len(there) + bool(flat) != 1:
            raise InputError(
                expected=f"one folder or video of the clip {clip} in {self.root}",
                found=" and ".join(path.name for path in there) or "none",
                remedy="Put it there, named as the clip.",
            )
        if flat:
            check_numbers([path.name for path in flat], self.root)
            return PictureFiles(tuple(flat))
        inside = there[0] / _PAPERS
        return frames_of(inside if inside.is_dir() else there[0])

    def _in_one_folder(self, clip: str) -> list[Path]:
        """Pictures of the clip among those of all clips, such as ``<clip>_0001png.png``."""
        return [
            path
            for path in folder_pictures(self.root)
            if re.fullmatch(rf"{re.escape(clip)}[_-]+\d+\D*", path.stem)
        ]

    def check(self, clip: TestClip) -> None:
        """See that there is a result for each target, whole and of one size.

        Raises:
            InputError: there is not; names the file.
        """
        pictures = self.pictures_of(clip.name)
        check_pictures(pictures, self._chosen(clip, pictures))
        if isinstance(pictures, VideoFrames) and isinstance(clip.frames, VideoFrames):
            own, theirs = float(pictures.fps), float(clip.frames.fps)
            if abs(own / theirs - 1) > _SAME_RATE:
                self._say(
                    f"{self.name} has {own:.3f} frames a second in {clip.name}, the truth {theirs:.3f}: "
                    "they are compared frame by frame.",
                    warn=True,
                )

    def frames(self, clip: TestClip, size_px: Size) -> Iterator[np.ndarray]:
        """The results for a clip's targets in the truth's size.

        Those of the size or the aspect of the clip's own frames are cropped as the truth is; others are resized to the
        truth's size, as the protocol does it.

        Yields:
            uint8 ``(H W 3)``.
        """
        pictures, own = self.pictures_of(clip.name), clip.own_size()
        for frame in pictures.read(self._chosen(clip, pictures)):
            yield self._placed(frame, own, size_px)

    def sha256(self, clip: TestClip) -> str:
        """Of a clip's results."""
        pictures = self.pictures_of(clip.name)
        return pictures.sha256(range(len(pictures)))

    def _chosen(self, clip: TestClip, pictures: Pictures) -> Sequence[int]:
        count, targets = len(pictures), len(clip.frames) - 1
        if count == targets + 1:
            self._say(
                f"{self.name} has as many frames as the truth with its reference: the first is passed over.",
            )
            return clip.targets
        if count == targets:
            return [number - 1 for number in clip.targets]
        if count == len(clip.targets):
            return range(count)
        raise InputError(
            expected=f"{targets} results, or {targets + 1} with the reference's, of {clip.name} in {self.root}",
            found=str(count),
            remedy="Make one for each true frame.",
        )

    def _placed(self, frame: np.ndarray, own: Size, size_px: Size) -> np.ndarray:
        width, height = frame.shape[1], frame.shape[0]
        if (width, height) == size_px:
            return frame
        text = f"{self.name} has frames of {width}x{height}: they are"
        to = f"{size_px[0]}x{size_px[1]}, the truth's size"
        is_like_truth, is_like_clip = (same_aspect((width, height), other) for other in (size_px, own))
        if (width, height) == own or (is_like_clip and not is_like_truth):
            self._say(f"{text} cropped and resized to {to}, as the clip's own frames are.")
            return Placement.crop(width, height, *size_px).apply(frame)
        if is_like_truth:
            self._say(f"{text} resized to {to}.")
        else:
            self._say(
                f"{text} resized to {to}, which is of another aspect, so they are distorted.", warn=True
            )
        return resized_like(frame, np.empty((size_px[1], size_px[0], 3), np.uint8))

    def _say(self, text: str, warn: bool = False) -> None:
        if text not in self.said:
            self.said.add(text)
            (console.warn if warn else console.say)(text)


def same_aspect(a: Size, b: Size) -> bool:
    return abs(a[0] * b[1] / (a[1] * b[0]) - 1) < _SAME_ASPECT


def read_predictions(values: Sequence[str], taken: Sequence[str]) -> list[Predictions]:
    """Methods from ``DIR`` or ``NAME=DIR``.

    Args:
        values: as given on the command line.
        taken: names that other methods have.

    Raises:
        InputError: no such folder.
        OptionError: a name that is taken, or that cannot be a folder's.
    """
    found: list[Predictions] = []
    for value in values:
        name, equals, folder = value.partition("=")
        if not equals or Path(value).is_dir():
            folder = value
            name = Path(os.path.abspath(value)).name  # as it is called, link or not
        if not Path(folder).is_dir():
            raise InputError(
                expected=f"a folder of results at {folder}",
                found="a file" if Path(folder).exists() else "no such folder",
                remedy="Check --predictions: DIR, or NAME=DIR.",
            )
        if not name.strip(" .") or "/" in name or "\\" in name:
            raise OptionError(
                expected="a method's name before =",
                found=repr(name),
                remedy="Write NAME=DIR, without slashes.",
            )
        others = {folder_of(other) for other in [*taken, *(method.name for method in found)]}
        if folder_of(name) in others:
            raise OptionError(
                expected="a name of its own for each method",
                found=f"{name} twice",
                remedy="Name them: --predictions NAME=DIR.",
            )
        found.append(Predictions(name, Path(folder)))
    return found
