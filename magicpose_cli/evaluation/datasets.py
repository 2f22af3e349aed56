"""Test clips on disk: true frames, their pose maps, and where the person is, where the dataset says so.

    synth, tiktok    DIR/disco_test_set/<video>/<frame>.png
                     DIR/pose_map_disco_test_set/<video>/<frame>.png
                     DIR/mask_disco_test_set/<video>/<frame>.png        (synth writes it; the paper's data has none)

The reference is a video's first frame, the targets are all later ones (as the reference implementation tests).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..media.files import natural_key, sha256_of
from ..media.pictures import PICTURE_SUFFIXES, Placement, load_picture

DATASETS = ("synth", "tiktok")
FRAMES, MAPS, MASKS = "disco_test_set", "pose_map_disco_test_set", "mask_disco_test_set"

_WHERE_TO_GET = {
    "synth": "Render it: magicpose synth --split test --fps 8 --frames 24 -o DIR, then --root DIR.",
    "tiktok": "Its folder layout is in README, section Evaluation; give its folder with --root.",
}


@dataclass(frozen=True)
class TestClip:
    """One video of a test set.

    Attributes:
        name: its folder's.
        frames: paths of its frames; the first is the reference.
        maps: paths of their pose maps.
        masks: paths of pictures that are white where the person is, or None.
    """

    __test__ = False  # no test of pytest's

    name: str
    frames: tuple[Path, ...]
    maps: tuple[Path, ...]
    masks: tuple[Path, ...] | None

    def read(self, paths: tuple[Path, ...], width_px: int, height_px: int) -> np.ndarray:
        """Pictures cropped to the middle and resized, uint8 ``(f H W 3)``."""
        pictures = []
        for path in paths:
            picture = load_picture(path)
            place = Placement.crop(picture.shape[1], picture.shape[0], width_px, height_px)
            pictures.append(place.apply(picture))
        return np.stack(pictures)

    def sha256(self) -> dict[str, str | None]:
        """Of the folders of frames, pose maps and masks."""
        folders = {"frames": self.frames, "maps": self.maps, "masks": self.masks}
        return {kind: sha256_of(paths[0].parent) if paths else None for kind, paths in folders.items()}


def find_clips(dataset: str, root: Path | None, limit: int | None = None) -> list[TestClip]:
    """The test clips of a dataset, in order of their names.

    Args:
        dataset: one of `DATASETS`.
        root: its folder; None for ``$MAGICPOSE_DATA/<dataset>``.
        limit: take the first so many.

    Raises:
        InputError: it is not there, a video has fewer than two frames, or a frame has no pose map.
    """
    if root is None:
        home = os.environ.get("MAGICPOSE_DATA")
        if not home:
            raise InputError(
                expected=f"the folder of {dataset}: --root DIR, or {dataset} in $MAGICPOSE_DATA",
                found="neither",
                remedy=_WHERE_TO_GET[dataset],
            )
        root = Path(home) / dataset
    folders = sorted(p for p in (root / FRAMES).iterdir() if p.is_dir()) if (root / FRAMES).is_dir() else []
    if not folders:
        raise InputError(
            expected=f"videos in {root / FRAMES}/<video>/<frame>.png",
            found="none",
            remedy=_WHERE_TO_GET[dataset],
        )
    return [_clip(root, folder) for folder in folders[:limit]]


def _clip(root: Path, folder: Path) -> TestClip:
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES]
    names.sort(key=natural_key)
    if len(names) < 2:
        raise InputError(
            expected=f"a reference and at least one target in {folder}",
            found=f"{len(names)} pictures",
            remedy="Take the folder out, or put its frames there.",
        )
    maps = tuple(root / MAPS / folder.name / name for name in names)
    missing = next((path for path in maps if not path.is_file()), None)
    if missing is not None:
        raise InputError(
            expected="a pose map for each frame", found=f"no {missing}", remedy="Extract the poses again."
        )
    masks = tuple(root / MASKS / folder.name / name for name in names)
    has_masks = all(path.is_file() for path in masks)
    return TestClip(folder.name, tuple(folder / name for name in names), maps, masks if has_masks else None)
