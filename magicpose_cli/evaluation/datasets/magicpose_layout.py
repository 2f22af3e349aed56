"""The layout of MagicPose's own data, which `synth` writes too.

    DIR/disco_test_set/<video>/<frame>.png
    DIR/pose_map_disco_test_set/<video>/<frame>.png
    DIR/mask_disco_test_set/<video>/<frame>.png        (synth writes it; the paper's data has none)
    DIR/poses/<video>.npz                              (keypoints, from which missing pose maps are drawn)

The videos of the split 335-340 are looked for in DIR/train_set too.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ... import console
from ...errors import InputError
from ...media.probe import folder_pictures
from ...pose.sequence import PoseSequence
from .check import check_numbers
from .clip import TestClip
from .found import Found, only_335_to_340
from .pictures import DrawnPoses, PictureFiles

FRAMES, MAPS, MASKS, POSES = "disco_test_set", "pose_map_disco_test_set", "mask_disco_test_set", "poses"
_TRAIN, _TRAIN_MAPS = "train_set", "pose_map_train_set"


def is_here(root: Path) -> bool:
    """Whether a folder is laid out so."""
    return (root / FRAMES).is_dir()


def find(root: Path, split: str) -> Found:
    """The clips by name, each with the function that opens it (its number, whether pose maps are a must)."""
    found = _videos(root, FRAMES, MAPS)
    return only_335_to_340({**_videos(root, _TRAIN, _TRAIN_MAPS), **found}) if split == "335-340" else found


def _videos(root: Path, frames: str, maps: str) -> Found:
    if not (root / frames).is_dir():
        return {}
    folders = (p for p in (root / frames).iterdir() if p.is_dir() and p.name[0] != ".")
    return {
        p.name: partial(_open, p, root / maps / p.name, root / MASKS / p.name, root / POSES / f"{p.name}.npz")
        for p in sorted(folders, key=lambda p: p.name)
    }


def _open(
    frames: Path, maps: Path, masks: Path, keypoints: Path, number: int, poses_needed: bool
) -> TestClip:
    paths = folder_pictures(frames)
    check_numbers([path.name for path in paths], frames)
    return TestClip.of(
        frames.name,
        number,
        PictureFiles(tuple(paths)),
        DrawnPoses(PoseSequence.load(keypoints, len(paths)), tuple(range(len(paths))))
        if keypoints.is_file() and not maps.is_dir()
        else _maps(paths, maps, poses_needed),
        _beside(paths, masks, "a mask") if masks.is_dir() else None,
    )


def _maps(frames: list[Path], folder: Path, needed: bool) -> PictureFiles | None:
    """Pose maps, which are only shown where no model needs them: then they need not fit."""
    if not needed and not folder.is_dir():
        return None
    try:
        return _beside(frames, folder, "a pose map")
    except InputError as error:
        if needed:
            raise
        console.warn(f"shown without pose maps: {error}")
        return None


def _beside(frames: list[Path], folder: Path, what: str) -> PictureFiles:
    """The picture for each frame: of the frame's name, whatever its suffix; or, where no name fits, in their order."""
    there = {path.stem: path for path in folder_pictures(folder)} if folder.is_dir() else {}
    if len(there) == len(frames) and not any(path.stem in there for path in frames):
        console.say(f"{folder}: named otherwise than the frames, {what} goes with each in their order.")
        return PictureFiles(tuple(there.values()))
    missing = next((path for path in frames if path.stem not in there), None)
    if missing is not None:
        raise InputError(
            expected=f"{what} for each frame",
            found=f"no {folder / missing.name}",
            remedy="Make it.",
        )
    odd = set(there) - {path.stem for path in frames}
    if odd:
        raise InputError(
            expected=f"a frame for {what} {there[min(odd)]}",
            found=f"none in {frames[0].parent}",
            remedy="Take it out.",
        )
    return PictureFiles(tuple(there[path.stem] for path in frames))
