"""What is made of clips once, kept on disk beside them, and mapped from there.

    DATA/.magicpose/<what it is>/<video>-<its frames>.npy        one file a video

A video's file appears whole or not at all; other frames make another file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from accelerate import PartialState
from torch import nn

from .. import console
from ..device import pick_device
from ..media.atomic import write_file
from ..weights import models_dir
from .data import Clips

_TOGETHER = 8  # pictures


class Kept:
    """Arrays of clips, mapped from disk: what is not asked for takes no memory, and processes share it.

    Args:
        files: one a video.
    """

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._mapped: dict[int, np.ndarray] = {}

    def of(self, video: int) -> np.ndarray:
        """A video's array, a row a frame."""
        if video not in self._mapped:
            self._mapped[video] = np.load(self._files[video], mmap_mode="r")
        return self._mapped[video]


def keep(clips: Clips, kind: str, title: str, make: Callable[[np.ndarray], np.ndarray]) -> Kept:
    """Make what is not there yet; processes share the work.

    Args:
        clips: of which videos.
        kind: what it is, with a digest of all that it depends on besides the frames.
        title: for the progress line.
        make: whole pictures, uint8 ``(n H W 3)``, to a row each.
    """
    folder = _writable(clips.folder / ".magicpose") / kind
    files = [
        folder / f"{clips.frame_paths[start].parent.name}-{_listing(clips.frame_paths[start:stop])}.npy"
        for start, stop in zip(clips.starts, clips.starts[1:], strict=False)
    ]
    state = PartialState(cpu=pick_device("auto").type == "cpu")
    # each process's share is of all videos, not of those that are missing: others write while this one looks
    own = range(state.process_index, len(files), state.num_processes)
    todo = [video for video in own if not files[video].is_file()]
    if todo:
        folder.mkdir(parents=True, exist_ok=True)
        frames = sum(int(clips.starts[video + 1] - clips.starts[video]) for video in todo)
        with console.progress(title, total=frames) as stage:
            for video in todo:
                rows = _rows(clips, video, make)
                with write_file(files[video]) as temporary, temporary.open("wb") as file:
                    np.save(file, rows)
                stage.advance(len(rows))
    state.wait_for_everyone()
    return Kept(files)


def digest_of(module: nn.Module, settings: str) -> str:
    """Of a network's weights and of what else its outputs depend on."""
    digest = hashlib.sha256(settings.encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _rows(clips: Clips, video: int, make: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    parts = []
    first, last = int(clips.starts[video]), int(clips.starts[video + 1])
    for start in range(first, last, _TOGETHER):
        numbers = range(start, min(start + _TOGETHER, last))
        parts.append(make(np.stack([clips.whole_picture(number) for number in numbers])))
    return np.concatenate(parts)


def _writable(folder: Path) -> Path:
    """The folder, or where nothing can be written beside the clips, one in magicpose's cache."""
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    instead = models_dir().parent / "clips" / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    console.say(f"nothing can be written to {folder}: what is made of the clips is kept in {instead}.")
    instead.mkdir(parents=True, exist_ok=True)
    return instead


def _listing(paths: tuple[Path, ...]) -> str:
    """Of the names, sizes and times of frames."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]
