"""The hashes by which a report names a run's inputs."""

from __future__ import annotations

from pathlib import Path

from .. import console
from ..media.files import sha256_of

LARGE_BYTES = 2**30
"""What takes seconds to read, so that it is shown."""


class Hashes:
    """SHA-256 of files and folders, each read once, however often and by whichever path it is asked for."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """As `sha256_of`, whose errors it has."""
        place = path.resolve()
        if place not in self._known:
            self._known[place] = _hashed(path)
        return self._known[place]


def _hashed(path: Path) -> str:
    files = path.rglob("*") if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    if size < LARGE_BYTES:
        return sha256_of(path)
    with console.progress(f"Hashing {path.name}", total=size // 2**20, unit="MB") as bar:
        read = 0

        def advance(count: int) -> None:
            nonlocal read
            read += count
            bar.advance(read // 2**20 - bar.done)

        return sha256_of(path, advance)
