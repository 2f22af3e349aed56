"""What is written appears whole or not at all.

The work goes to a temporary name in the same folder (`.NAME.XXXXXXXX.part`), is flushed to the disk
and then renamed, which a file system does in one step. A process that is killed (SIGKILL) leaves at most
such a hidden `.part` behind, never half a result under the name that was asked for.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import MagicPoseError, OptionError, OutputExistsError
from .files import shortened

# full, over quota, over the largest file, read-only, failing
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})


def refuse_existing(path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Raise before any work is done if there is something at the output's place.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False.
        OptionError: its name is too long, or its folder cannot be made or written to.
    """
    _check_name(path)
    if not overwrite and os.path.lexists(path):
        raise OutputExistsError(path)
    parents = Path(os.path.realpath(path)).parents  # a link is written through
    above = next((folder for folder in parents if os.path.lexists(folder)), Path(os.sep))
    if not above.is_dir():
        raise _unwritable(above, NotADirectoryError(errno.ENOTDIR, "Not a directory"))
    if not os.access(above, os.W_OK | os.X_OK):
        raise _unwritable(above, PermissionError(errno.EACCES, "Permission denied"))


def check_file_output(path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Raise before any work what `write_file` would raise about the output's place; arguments and errors as there."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OptionError(
            expected=f"a file as the output {path}",
            found="a folder" if os.path.isdir(path) else "a device or pipe",
            remedy="Choose another path.",
        )
    refuse_existing(path, overwrite)


def keep_apart(output: str | os.PathLike[str], other: Path, name: str = "") -> None:
    """Refuse an output that is, or holds, an input or another output, here called by its path and a name.

    Raises:
        OptionError: it does.
    """
    place, its_place = Path(output).resolve(), other.resolve()
    if place == its_place or place in its_place.parents:
        raise OptionError(
            expected="an output apart from the inputs and other outputs",
            found=f"{output}, which is or holds {other}" + (f" ({name})" if name else ""),
            remedy="Choose another output path.",
        )


def _check_name(path: str | os.PathLike[str]) -> None:
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise OptionError(
                expected="an output name that the file system takes",
                found=f"one of {len(os.fsencode(Path(path).name))} bytes, {path}",
                remedy="Choose a shorter one.",
            ) from error


@contextlib.contextmanager
def write_file(path: str | os.PathLike[str], overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; when the block ends well, that file becomes `path`.

    Missing parent folders are made. If the block raises, the temporary file is removed and `path` is
    as it was. A link stays: the file that it points to is replaced.

    Args:
        path: where the file shall be.
        overwrite: replace a file that is there already.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False.
        OptionError: `path` is a folder or a device, or its folder cannot be written to.
    """
    check_file_output(path, overwrite)
    path = Path(os.path.realpath(path))
    temporary = _temporary_beside(path)
    try:
        with _disk_errors(path):
            yield temporary
        _flush(temporary)
        refuse_existing(path, overwrite)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_folder(
    path: str | os.PathLike[str],
    overwrite: bool = False,
    is_ours: Callable[[Path], bool] | None = None,
) -> Iterator[Path]:
    """Give a temporary folder to fill; when the block ends well, that folder becomes `path`.

    An empty folder at `path` counts as absent, and a link stays, as in `write_file`. With `overwrite` a
    folder that is there is replaced with all that is in it, so `is_ours` is asked first about each entry:
    one entry that this program did not write, and the folder is left alone.

    Args:
        path: where the folder shall be.
        overwrite: replace a folder that is there already.
        is_ours: says of one entry of the old folder that it may go; None means that all may.

    Raises:
        OutputExistsError: `path` exists, is not an empty folder, and `overwrite` is False.
        OptionError: `path` is a file, the working folder or a parent of it (it would be moved away
            under one's feet), holds entries that are not ours, or cannot be written to.
    """
    check_folder_output(path, overwrite, is_ours)
    path = Path(os.path.realpath(path))
    temporary = _temporary_beside(path)
    try:
        with _disk_errors(path):
            temporary.mkdir()
            yield temporary
        for entry in sorted(temporary.rglob("*")):
            _flush(entry)
        _flush(temporary)
        check_folder_output(path, overwrite, is_ours)
        _swap_in(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_folder_output(
    path: str | os.PathLike[str],
    overwrite: bool = False,
    is_ours: Callable[[Path], bool] | None = None,
) -> None:
    """Raise what `write_folder` would raise about the output's place; arguments and errors as there."""
    path = Path(path)
    refuse_existing(path, True)
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        refuse_existing(path, overwrite)
        raise OptionError(
            expected=f"a folder as the output {path}", found="a file", remedy="Choose another path."
        )
    if _holds_working_folder(path):
        raise OptionError(
            expected="an output folder of its own",
            found=f"{path}, which is the working folder or one that it lies in",
            remedy="Name a new folder.",
        )
    entries = sorted(path.iterdir())
    if not entries:
        return
    refuse_existing(path, overwrite)
    foreign = [entry.name for entry in entries if is_ours is not None and not is_ours(entry)]
    if foreign:
        raise OptionError(
            expected=f"only earlier results in {path}, since the folder is replaced as a whole",
            found=f"{foreign[0]}" + (f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""),
            remedy="Choose another folder, or move these files away.",
        )


def _holds_working_folder(path: Path) -> bool:
    try:
        return Path.cwd().is_relative_to(path.resolve())
    except FileNotFoundError:  # somebody removed the working folder
        return False


def write_text(path: str | os.PathLike[str], text: str, overwrite: bool = True) -> None:
    """Write a UTF-8 text file, whole or not at all; errors as in `write_file`."""
    with write_file(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any, overwrite: bool = True) -> None:
    """Write one JSON document, whole or not at all; paths and fractions become strings."""
    write_text(path, json.dumps(value, indent=2, default=str) + "\n", overwrite)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """A full or failing disk is the user's to read; other errors of the block are not about the output."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise MagicPoseError(
            expected=f"room to write {path}",
            found=(error.strerror or str(error)).lower(),
            remedy="Make room, or choose another place.",
        ) from error


def _temporary_beside(path: Path) -> Path:
    """A fresh hidden name in the folder of `path`, which is made if it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _unwritable(path.parent, PermissionError("Permission denied"))
    # file names end at 255 bytes; a long one still leaves room for the mark
    return path.parent / f".{shortened(path.name, 180)}.{secrets.token_hex(4)}.part"


def _unwritable(folder: Path, error: OSError) -> OptionError:
    return OptionError(
        expected=f"a folder that can be written to at {folder}",
        found=error.strerror or str(error),
        remedy="Choose another output path.",
    )


def _swap_in(temporary: Path, path: Path) -> None:
    """Put the new folder at its place; the old one is moved aside first and removed last."""
    if not path.is_dir():
        os.rename(temporary, path)
        _flush(path.parent)
        return
    aside = _temporary_beside(path)
    try:
        os.rename(path, aside)
        os.rename(temporary, path)
        _flush(path.parent)
    finally:
        if not os.path.lexists(path):  # an error or a signal came in between
            os.rename(aside, path)
        shutil.rmtree(aside, ignore_errors=True)


def _flush(path: Path) -> None:
    """Ask the system to bring a file, or the names in a folder, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle for a folder to flush
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
