"""The folder of an evaluation: where its parts lie, and its pictures read back, all in the truth's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..media.pictures import load_picture
from .datasets.clip import Size, TestClip
from .methods import COPY

TRUTH = "truth"


@dataclass(frozen=True)
class Results:
    """An evaluation's folder.

    Attributes:
        out: the folder.
        sizes: width and height in px at which each clip is compared, by its name.
        gt: ``real``, or ``vae``: the truth is what a model's VAE made of the real frames.
    """

    out: Path
    sizes: dict[str, Size]
    gt: str

    def frames_dir(self, method: str, clip: TestClip) -> Path:
        """Where a method's frames of a clip lie, ``0001.png`` the first target's."""
        return self.out / "frames" / folder_of(method) / clip.name

    def truth_dir(self, clip: TestClip) -> Path:
        """Where the true frames lie that have gone through a VAE."""
        return self.out / TRUTH / clip.name

    def record(self, method: str, clip: TestClip) -> Path:
        """Where a method's numbers of a clip lie."""
        return self.out / "records" / folder_of(method) / f"{clip.name}.json"

    def video(self, clip: TestClip, *, with_numbers: bool) -> Path:
        """Where a clip's video side by side lies, the plain one or the one with numbers."""
        return self.out / "videos" / f"{clip.name}{'.numbers' if with_numbers else ''}.mp4"

    def poses(self, clip: str) -> Path:
        """Where a clip's keypoints lie that were detected."""
        return self.out / "poses" / f"{clip}.npz"

    def made(self, method: str, clip: TestClip) -> np.ndarray:
        """A method's frames for a clip's targets, uint8 ``(f H W 3)``."""
        return _read(sorted(self.frames_dir(method, clip).iterdir()))

    def truth(self, clip: TestClip) -> np.ndarray:
        """A clip's true targets, uint8 ``(f H W 3)``."""
        if self.gt == "vae":
            return _read(sorted(self.truth_dir(clip).iterdir()))
        return clip.read(clip.frames, self.sizes[clip.name])

    def people(self, clip: TestClip) -> np.ndarray | None:
        """Where the person is in each true target, bool ``(f H W)``; None where nobody knows."""
        if clip.masks is None:
            return None
        return clip.read(clip.masks, self.sizes[clip.name])[..., 0] > 127

    def maps(self, clip: TestClip) -> np.ndarray | None:
        """The targets' pose maps, uint8 ``(f H W 3)``; None where there are none."""
        return None if clip.maps is None else clip.read(clip.maps, self.sizes[clip.name])

    def shown(self, clip: TestClip, methods: Sequence[str], place: int) -> dict[str, np.ndarray]:
        """What there is of one target, by title: reference, pose, each method but the copies, truth.

        Args:
            clip: the clip.
            methods: names.
            place: which of its targets, counted from 0.
        """
        size_px, numbers = self.sizes[clip.name], [clip.targets[place]]
        pictures = {"reference": clip.reference(size_px)}
        if clip.maps is not None:
            pictures["pose"] = clip.read(clip.maps, size_px, numbers)[0]
        name = f"{place + 1:04d}.png"
        for method in methods:
            if method != COPY:
                pictures[method] = load_picture(self.frames_dir(method, clip) / name)
        if self.gt == "vae":
            return {**pictures, TRUTH: load_picture(self.truth_dir(clip) / name)}
        return {**pictures, TRUTH: clip.read(clip.frames, size_px, numbers)[0]}


def folder_of(method: str) -> str:
    """A method's name as a folder's."""
    return method.replace(" ", "-")


def _read(paths: Sequence[Path]) -> np.ndarray:
    return np.stack([load_picture(path) for path in paths])
