"""Everybody Dance Now (Chan et al., 2019): five subjects, full body, frames of 1024x512.

    DIR/.../<subject>/.../test_img/frame000001.png

The test part of each subject is a clip. Where ``test_img`` lies differs between copies, so it is looked for up to
three folders deep; the path to it, without the word ``test``, names the subject.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ...errors import InputError
from ...media.files import natural_key
from ...media.probe import folder_pictures
from .check import check_numbers
from .clip import TestClip
from .found import Found
from .pictures import PictureFiles

_TEST = "test_img"


def find(root: Path, split: str) -> Found:
    """As `magicpose_layout.find`; there is one split."""
    folders = [path for depth in range(4) for path in root.glob("*/" * depth + _TEST) if path.is_dir()]
    by_name: dict[str, Path] = {}
    for folder in folders:
        name = _subject(folder.relative_to(root)) or root.resolve().name
        if name in by_name:
            raise InputError(
                expected=f"one {_TEST} of the subject {name}",
                found=f"{by_name[name]} and {folder}",
                remedy="Give --root a folder that holds each subject once.",
            )
        by_name[name] = folder
    names = sorted(by_name, key=natural_key)
    return {name: partial(_open, by_name[name], name) for name in names}


def _subject(folder: Path) -> str:
    """``subject1/test/test_img`` and ``subject1_test/test_img`` are both of ``subject1``."""
    words = (re.sub(r"(^|[_-])(test|val)$", "", part) for part in folder.parts[:-1])
    return "-".join(word for word in words if word)


def _open(folder: Path, name: str, number: int, poses_needed: bool) -> TestClip:
    paths = folder_pictures(folder)
    check_numbers([path.name for path in paths], folder)
    return TestClip.of(name, number, PictureFiles(tuple(paths)), None, None)
