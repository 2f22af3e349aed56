"""DisCo's TSVs: one row a frame, its picture in base64.

    <split>_images.tsv      key <tab> picture (JPEG or PNG)
    <split>_poses.tsv       key <tab> pose map
    <split>_masks.tsv       key <tab> mask <tab> whether it is valid
    <split>_vid2line.tsv    key <tab> [first, last]: the rows of the frame's video

Rows of all files go together. `first` and `last` are counted from the row itself in the released files, from the first
row of all in those that DisCo's script for own data writes: which of both is seen from the numbers. Without the file,
keys tell which video a frame belongs to. A YAML may name the files (``img``, ``poses``, ``masks``, ``vid2line``); in a
composite one each name is of a list of TSVs, and ``caption_linelist`` is a TSV of which row of which comes next.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...media.pictures import decode_picture
from ..extra import from_eval_extra
from .check import check_numbers
from .clip import TestClip
from .found import Found, only_335_to_340
from .pictures import sha256_of_list

_FIELDS = ("img", "poses", "masks", "vid2line")
_NAMED = {"img": "images"}
"""A field whose file is called otherwise: the script for own data writes the one name, and its YAML the other."""

Row = tuple[Path, int]
"""A TSV and the byte at which a row of it starts."""


def is_here(root: Path) -> bool:
    """Whether this is DisCo's YAML or TSV, or a folder with them."""
    if root.is_file():
        return root.suffix in (".yaml", ".tsv")
    return bool(_images_in(root) or _yamls_in(root))


def find(root: Path, split: str) -> Found:
    """As `magicpose_layout.find`.

    Raises:
        InputError: several files to choose from, one that is named and missing, or spans of rows that do not fit.
    """
    tables = {field: list(rows) for field, rows in _tables(root).items()}
    keys = [_key(row) for row in tables["img"]]
    found: Found = {}
    for first, last in _spans(tables.get("vid2line"), keys, root):
        name = _video_of(keys[first])
        if name in found:
            raise InputError(
                expected=f"one run of rows of the video {name} in {root}",
                found="two",
                remedy="Sort the rows by video.",
            )
        found[name] = partial(_open, name, slice(first, last + 1), keys, tables)
    return only_335_to_340(found) if split == "335-340" else found


def _open(
    name: str, span: slice, keys: list[str], tables: dict[str, list[Row]], number: int, poses_needed: bool
) -> TestClip:
    own = keys[span]
    check_numbers(own, tables["img"][span.start][0])
    parts: dict[str, TsvPictures] = {}
    for field in ("img", "poses", "masks"):
        if field not in tables:
            continue
        rows = tables[field][span]
        odd = next((key for key, row in zip(own, rows, strict=False) if _key(row) != key), None)
        if odd is not None or len(rows) != len(own):
            raise InputError(
                expected=f"a row of {odd or own[-1]} in {field}, as in the images",
                found="another",
                remedy="Write the TSVs anew.",
            )
        if field != "masks" or all(_is_valid(row) for row in rows):
            parts[field] = TsvPictures(tuple(rows), tuple(own))
    return TestClip.of(name, number, parts["img"], parts.get("poses"), parts.get("masks"))


@dataclass(frozen=True)
class TsvPictures:
    """Pictures in rows of a TSV."""

    rows: tuple[Row, ...]
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def name_of(self, number: int) -> str:
        return f"{self.keys[number]} in {self.rows[number][0]}"

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray]:
        return (decode_picture(self._bytes(number), self.name_of(number)) for number in numbers)

    def sha256(self, numbers: Sequence[int]) -> str:
        return sha256_of_list(sha256(self._bytes(number)).hexdigest() for number in numbers)

    def _bytes(self, number: int) -> bytes:
        try:
            return base64.b64decode(_cells(self.rows[number])[1], validate=True)
        except (IndexError, binascii.Error) as error:
            raise InputError(
                expected=f"a picture in base64 for {self.name_of(number)}",
                found="something else",
                remedy="Write the TSV anew.",
            ) from error


def _cells(row: Row) -> list[str]:
    path, at = row
    with path.open("rb") as file:
        file.seek(at)
        return [cell.strip() for cell in file.readline().decode("utf-8", "replace").split("\t")]


def _key(row: Row) -> str:
    """The first cell, without the picture behind it."""
    path, at = row
    with path.open("rb") as file:
        file.seek(at)
        return file.readline(4096).split(b"\t")[0].decode("utf-8", "replace").strip()


def _is_valid(row: Row) -> bool:
    """Whether a mask is one: its third cell says so, or there is none."""
    return [cell.lower() for cell in _cells(row)[2:3]] not in (["false"], ["0"])


def _rows_of(path: Path) -> list[Row]:
    """Where its rows start: from the ``.lineidx`` beside it, or by reading it through."""
    index = path.with_suffix(".lineidx")
    if index.is_file():
        try:
            return [(path, int(line)) for line in index.read_text().split()]
        except ValueError as error:  # no number, no text
            raise InputError(
                expected=f"a number in each line of {index}",
                found=str(error),
                remedy="Delete it, or write it anew.",
            ) from error
    rows, at = [], 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                rows.append((path, at))
            at += len(line)
    return rows


def _tables(root: Path) -> dict[str, list[Row]]:
    """Rows by field."""
    if root.suffix == ".tsv" and root.is_file():
        return _companions(root)
    yamls = [root] if root.is_file() else _yamls_in(root)
    images = [] if root.is_file() else _images_in(root)
    if len(images) == 1 and len(yamls) != 1:
        return _companions(images[0])
    if len(yamls) != 1:
        raise InputError(
            expected=f"one test split in {root}",
            found=", ".join(path.name for path in yamls or images),
            remedy="Name one of these files with --root.",
        )
    named = _read_yaml(yamls[0])
    order = named.get("caption_linelist") if named.get("composite") else None
    tables = {}
    for field in _FIELDS:
        if named.get(field):
            path = _named(yamls[0], field, str(named[field]))
            tables[field] = _rows_of(path) if order is None else _composite(path, yamls[0].parent / order)
    if "img" not in tables:
        raise InputError(expected=f"img in {yamls[0]}", found="none", remedy="Name the TSV of images there.")
    return tables


def _read_yaml(path: Path) -> dict[str, Any]:
    with from_eval_extra("PyYAML", "DisCo's YAML"):
        import yaml
    try:
        named = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            expected=f"YAML in {path}", found=str(error).splitlines()[0], remedy="Correct it."
        ) from error
    return named if isinstance(named, dict) else {}


def _named(yaml_file: Path, field: str, name: str) -> Path:
    path = yaml_file.parent / name
    other = path.with_name(path.name.replace(f"_{field}.", f"_{_NAMED.get(field, field)}."))
    found = next((p for p in (path, other) if p.is_file()), None)
    if found is None:
        raise InputError(
            expected=f"{path}, as {yaml_file.name} says", found="no such file", remedy="Put it there."
        )
    return found


def _composite(list_file: Path, order: Path) -> list[Row]:
    files = [list_file.parent / line for line in list_file.read_text().split()]
    missing = next((path for path in (*files, order) if not path.is_file()), None)
    if missing is not None:
        raise InputError(
            expected=f"{missing}, as the YAML says", found="no such file", remedy="Put it there."
        )
    sources = [_rows_of(path) for path in files]
    rows = []
    for line in filter(str.strip, order.read_text().splitlines()):
        try:
            source, row = (int(cell) for cell in line.split("\t")[:2])
            rows.append(sources[source][row])
        except (ValueError, IndexError) as error:
            raise InputError(
                expected=f"a TSV's number and a row's in each line of {order}, of those in {list_file}",
                found=repr(line[:40]),
                remedy="Write the files anew.",
            ) from error
    return rows


def _companions(images: Path) -> dict[str, list[Row]]:
    """The TSVs that lie beside one of images, by their names."""
    tables = {"img": _rows_of(images)}
    for field in _FIELDS[1:]:
        path = images.with_name(re.sub(r"_(images|img)\.tsv$", f"_{field}.tsv", images.name))
        if path != images and path.is_file():
            tables[field] = _rows_of(path)
    return tables


def _images_in(root: Path) -> list[Path]:
    return [p for p in sorted([*root.glob("*_images.tsv"), *root.glob("*_img.tsv")]) if "train" not in p.stem]


def _yamls_in(root: Path) -> list[Path]:
    """Those that name a TSV of images, and not one to train on."""
    return [p for p in sorted(root.glob("*.yaml")) if "train" not in p.stem and "img" in _read_yaml(p)]


def _spans(rows: list[Row] | None, keys: list[str], root: Path) -> list[tuple[int, int]]:
    """First and last row of each video."""
    if not keys:
        raise InputError(
            expected=f"rows in the TSV of images in {root}", found="none", remedy="Write it anew."
        )
    if rows is None:
        starts = [i for i, key in enumerate(keys) if i == 0 or _video_of(key) != _video_of(keys[i - 1])]
        return list(zip(starts, [start - 1 for start in starts[1:]] + [len(keys) - 1], strict=True))
    given = [_span(row) for row in rows]
    for offset in (1, 0):  # counted from the row, or from the first of all
        spans = [(first + offset * i, last + offset * i) for i, (first, last) in enumerate(given)]
        fits = all(0 <= first <= i <= last < len(keys) for i, (first, last) in enumerate(spans))
        if fits and len(spans) == len(keys) and all(span == spans[span[0]] for span in spans):
            return sorted(set(spans))
    raise InputError(
        expected=f"the first and last row of its video in each of {len(keys)} rows of vid2line, for {root}",
        found=f"{len(given)} rows that do not fit",
        remedy="Write the TSVs anew, or take vid2line away.",
    )


def _span(row: Row) -> tuple[int, int]:
    try:
        first, last = json.loads(_cells(row)[1])
        return int(first), int(last)
    except (IndexError, ValueError, TypeError) as error:
        raise InputError(
            expected=f"[first, last] for {_key(row)} in {row[0]}",
            found="something else",
            remedy="Write the TSV anew.",
        ) from error


def _video_of(key: str) -> str:
    """``TiktokDance_00337_0010.png`` is a frame of ``TiktokDance_00337``."""
    match = re.fullmatch(r"(.*?)[_-]*\d+\D*", key.rsplit(".", 1)[0])
    return (match[1] if match else key).replace("/", "_").lstrip(".") or "video"
