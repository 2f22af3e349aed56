"""Files as such: their hash, their order, how long their names may be and whether they can be read."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that orders names as people do: `frame2.png` comes before `frame10.png`."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def shortened(name: str, most_bytes: int) -> str:
    """The start of a name, whole characters that take so many bytes at most: a file system counts bytes."""
    return os.fsencode(name)[:most_bytes].decode(errors="ignore")


def why_unreadable(path: Path) -> str | None:
    """What is at `path` instead of a file that can be read, or what the system says of it; None where one is."""
    try:
        if path.is_dir():
            return "a folder"
        if path.stat().st_size == 0:
            return "an empty file"
        path.open("rb").close()
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def sha256_of(path: str | os.PathLike[str], on_read: Callable[[int], object] | None = None) -> str:
    """SHA-256 of a file's bytes, or of a folder, as 64 hexadecimal digits.

    A folder's hash covers the relative names and the contents of all files in it and below, in the
    order of their names; hidden ones (a leading dot) are left out, since systems put their own there.

    Args:
        path: of the file or folder.
        on_read: called with each number of bytes that was read.

    Raises:
        InputError: there is nothing at `path`, or it cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return _sha256_of_file(path, on_read)
        digest = hashlib.sha256()
        for name in sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()):
            if not any(part.startswith(".") for part in name.split("/")):
                digest.update(f"{name}\0{_sha256_of_file(path / name, on_read)}\n".encode())
        return digest.hexdigest()
    except OSError as error:
        raise InputError(
            expected=f"a readable file or folder at {path}",
            found=(error.strerror or str(error)).lower(),
            remedy="Check the path.",
        ) from error


def _sha256_of_file(path: Path, on_read: Callable[[int], object] | None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
            if on_read is not None:
                on_read(len(part))
    return digest.hexdigest()
