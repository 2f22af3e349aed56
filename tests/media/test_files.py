"""Hashes and order of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from magicpose_cli.errors import InputError
from magicpose_cli.media.files import natural_key, sha256_of


def test_natural_order() -> None:
    names = ["10.png", "9.png", "a2b10.png", "a2b9.png", "frame.png", "007.png"]
    assert sorted(names, key=natural_key) == [
        "007.png",
        "9.png",
        "10.png",
        "a2b9.png",
        "a2b10.png",
        "frame.png",
    ]


def test_hash_of_a_file_is_the_one_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 1_000_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_hash_of_a_folder_covers_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, text in (("b", "1"), ("a", "2"), ("in/c", "3")):
        (tmp_path / name).write_text(text)
    whole = sha256_of(tmp_path)
    (tmp_path / ".DS_Store").write_text("junk")
    assert sha256_of(tmp_path) == whole
    (tmp_path / "a").rename(tmp_path / "z")
    renamed = sha256_of(tmp_path)
    (tmp_path / "in" / "c").write_text("4")
    assert len({whole, renamed, sha256_of(tmp_path)}) == 3


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        sha256_of(tmp_path / "missing")
