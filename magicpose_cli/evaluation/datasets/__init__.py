"""Test sets on disk: their clips, each with its true frames and, where the dataset has them, pose maps and masks.

    synth, tiktok          `magicpose_layout.py`: DIR/disco_test_set/<video>/<frame>.png, with pose maps
    tiktok                 `disco_tsv.py`: DisCo's <split>_images.tsv and its companions
    tiktok, split 335-340  the same, or `raw_tiktok.py`: DIR/00335/images/0001.png
    everybody-dance-now    `everybody_dance_now.py`: test_img of each subject
    folder                 `videos.py`: any folder of videos or of folders of frames

The reference is a video's first frame, the targets are all later ones (as the reference implementation tests).
"""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import InputError
from . import disco_tsv, everybody_dance_now, magicpose_layout, raw_tiktok, videos
from .clip import Size, TestClip
from .found import Found
from .magicpose_layout import FRAMES, MAPS, MASKS

__all__ = ["DATASETS", "FRAMES", "MAPS", "MASKS", "SIZES", "SPLITS", "Found", "TestClip", "find_clips"]

SPLITS = ("disco", "335-340")
"""Of TikTok: DisCo's ten test videos, or six of the dataset's own. Numbers of the two cannot be compared."""

SIZES: dict[str, Size | None] = {
    "synth": None,
    "tiktok": (512, 512),
    "everybody-dance-now": (512, 512),
    "folder": None,
}
"""At which size a dataset is evaluated where no model sets it: the paper's, or each clip's own."""

DATASETS = tuple(SIZES)

_WHERE_TO_GET = {
    "synth": "Render it: magicpose synth --split test --fps 8 --frames 24 -o DIR, then --root DIR.",
    "tiktok": "README, section Evaluate, says how it may be laid out; give its folder with --root.",
    "everybody-dance-now": "Its frames lie in test_img of each subject; give the folder of all with --root.",
    "folder": "Give a folder of videos, or of folders of frames, with --root.",
}


def find_clips(dataset: str, root: Path | None, split: str = "disco") -> tuple[Path, Found]:
    """The test clips of a dataset by name, not opened yet.

    Args:
        dataset: one of `DATASETS`.
        root: its folder, or DisCo's YAML or TSV file; None for ``$MAGICPOSE_DATA/<dataset>``.
        split: one of `SPLITS`, for ``tiktok``.

    Returns:
        The folder, and the clips in order of their names.

    Raises:
        InputError: it is not there, or there is no clip in it.
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
    if not root.exists():
        raise InputError(
            expected=f"{dataset} in {root}", found="no such folder", remedy=_WHERE_TO_GET[dataset]
        )
    found = _layout(dataset, root, split)
    if not found:
        raise InputError(
            expected=_EXPECTED[dataset].format(root=root), found="none", remedy=_WHERE_TO_GET[dataset]
        )
    return root, found


_EXPECTED = {
    "synth": "videos in {root}/disco_test_set/<video>/<frame>.png",
    "tiktok": "videos in {root}: disco_test_set/<video>/<frame>.png, *_images.tsv, or 00335/images/0001.png",
    "everybody-dance-now": "subjects in {root}/<subject>/test_img/<frame>.png",
    "folder": "videos or folders of frames in {root}",
}


def _layout(dataset: str, root: Path, split: str) -> Found:
    if dataset == "tiktok" and disco_tsv.is_here(root):
        return disco_tsv.find(root, split)
    if root.is_file():
        return {}
    if dataset == "tiktok" and not magicpose_layout.is_here(root) and raw_tiktok.is_here(root):
        return raw_tiktok.find(root, split)
    layouts = {"everybody-dance-now": everybody_dance_now, "folder": videos}
    return layouts.get(dataset, magicpose_layout).find(root, split)  # type: ignore[attr-defined]
