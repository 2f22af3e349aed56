"""The TikTok dataset as its authors give it out.

    DIR/00335/images/0001.png        (or DIR/TikTok_dataset/00335/...)

It has none of DisCo's test videos, so only the split 335-340 can be taken from it. Its masks are not used.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...errors import InputError
from ...media.probe import folder_pictures
from .check import check_numbers
from .clip import TestClip
from .found import Found, only_335_to_340
from .pictures import PictureFiles

_NAME = "[0-9]" * 5


def is_here(root: Path) -> bool:
    """Whether a folder is laid out so."""
    return bool(_folders(root))


def find(root: Path, split: str) -> Found:
    """As `magicpose_layout.find`.

    Raises:
        InputError: another split than 335-340, or one of these is missing.
    """
    if split != "335-340":
        raise InputError(
            expected="DisCo's ten test videos",
            found=f"the TikTok dataset itself in {root}, which does not hold them",
            remedy="Add --split 335-340, or give --root the folder of DisCo's TSVs.",
        )
    return only_335_to_340({folder.parent.name: partial(_open, folder) for folder in _folders(root)})


def _folders(root: Path) -> list[Path]:
    return sorted(
        [*root.glob(f"{_NAME}/images"), *root.glob(f"TikTok_dataset/{_NAME}/images")],
        key=lambda folder: folder.parent.name,
    )


def _open(folder: Path, number: int, poses_needed: bool) -> TestClip:
    paths = folder_pictures(folder)
    check_numbers([path.name for path in paths], folder)
    return TestClip.of(folder.parent.name, number, PictureFiles(tuple(paths)), None, None)
