"""Hashes and order of files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.errors import InputError, PictureError, VideoError
from magicpose_cli.media.files import natural_key, sha256_of
from magicpose_cli.media.pictures import load_picture, save_picture
from magicpose_cli.media.video import FrameReader, folder_rate, probe
from magicpose_cli.pose.openpose_json import is_openpose_folder


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


def test_what_the_system_refuses_is_told_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / f"{'long' * 100}.png"
    with pytest.raises(PictureError, match=r"file name too long\. Check the path"):
        load_picture(path)
    with pytest.raises(VideoError, match="file name too long"):
        probe(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_what_may_not_be_read_is_not_called_broken(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    save_picture(folder / "1.png", np.zeros((8, 8, 3), np.uint8))
    (folder / "1.png").chmod(0)
    for read in (load_picture, probe):
        with pytest.raises((PictureError, VideoError), match="permission denied"):
            read(folder / "1.png")
    with pytest.raises(VideoError, match="permission denied"):
        probe(folder)
    folder.chmod(0)
    assert not is_openpose_folder(folder)
    with pytest.raises(VideoError, match="cannot be read"):
        FrameReader(folder, folder_rate(folder))
    folder.chmod(0o700)


def test_a_folder_without_pictures_is_no_matter_of_its_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VideoError, match="a folder without pictures"):
        FrameReader(tmp_path, folder_rate(tmp_path))
    assert capsys.readouterr().err == ""
