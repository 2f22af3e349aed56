"""Any folder: each video in it is a clip, and each folder of frames.

DIR/a.mp4, DIR/b.gif, DIR/c/0001.png ...
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...errors import InputError
from ...media.files import natural_key
from ...media.probe import folder_pictures
from .check import check_numbers
from .clip import TestClip
from .found import Found
from .pictures import PictureFiles, Pictures, VideoFrames

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")


def find(root: Path, split: str) -> Found:
    """As `magicpose_layout.find`; there is one split.

    Raises:
        InputError: two clips of one name.
    """
    by_name: dict[str, Path] = {}
    for path in sorted(root.iterdir(), key=lambda path: natural_key(path.name)):
        if path.name[0] == "." or not (path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES):
            continue
        name = path.name if path.is_dir() else path.stem
        if name in by_name:
            raise InputError(
                expected=f"one clip of the name {name} in {root}",
                found=f"{by_name[name].name} and {path.name}",
                remedy="Rename one.",
            )
        by_name[name] = path
    return {name: partial(_open, path, name) for name, path in by_name.items()}


def _open(path: Path, name: str, number: int, poses_needed: bool) -> TestClip:
    return TestClip.of(name, number, frames_of(path), None, None)


def frames_of(path: Path) -> Pictures:
    """The frames of a video, an animation or a folder of pictures.

    Raises:
        InputError: a video that cannot be read, or a frame number that is missing.
    """
    if not path.is_dir():
        return VideoFrames.open(path)
    paths = folder_pictures(path)
    check_numbers([picture.name for picture in paths], path)
    return PictureFiles(tuple(paths))
