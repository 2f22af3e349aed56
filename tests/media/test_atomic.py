"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from magicpose_cli.errors import OptionError, OutputExistsError
from magicpose_cli.media.atomic import write_file, write_folder, write_json, write_text
from magicpose_cli.media.video import check_output


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder" / "a.txt"
    with write_file(out) as temporary:
        temporary.write_text("half")
        assert not out.exists()
        assert temporary.parent == out.parent, "a rename works only within one file system"
        assert temporary.name.startswith(".") and temporary.name.endswith(".part")
    assert out.read_text() == "half"
    assert os.listdir(out.parent) == ["a.txt"]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    out = tmp_path / "a.txt"
    write_text(out, "old")
    with pytest.raises(RuntimeError), write_file(out) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert out.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    write_json(out, {"a": 1}, overwrite=False)
    with pytest.raises(OutputExistsError, match=r"a\.json exists"), write_file(out, overwrite=False):
        pytest.fail("the block must not run")


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "a.txt"
    with pytest.raises(OutputExistsError), write_file(out, overwrite=False) as temporary:
        temporary.write_text("mine")
        out.write_text("someone else's")
    assert out.read_text() == "someone else's"


def test_the_place_may_be_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="can be written to"), write_file(tmp_path / "file" / "a.txt"):
        pytest.fail("the block must not run")
    with pytest.raises(OptionError, match="found a folder"), write_file(tmp_path):
        pytest.fail("the block must not run")


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(OptionError, match="found a device or pipe"), write_file(tmp_path / "pipe.mp4"):
        pytest.fail("the block must not run")
    with pytest.raises(OptionError, match="found a device or pipe"):
        check_output(tmp_path / "pipe.mp4", overwrite=True)
    assert (tmp_path / "pipe.mp4").is_fifo()


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    for name in ("real", "links"):
        (tmp_path / name).mkdir()
    write_text(tmp_path / "real" / "a.txt", "old")
    with write_folder(tmp_path / "real" / "frames") as temporary:
        (temporary / "0001.png").write_text("old")
    for name in ("a.txt", "frames"):
        (tmp_path / "links" / name).symlink_to(tmp_path / "real" / name)
    with pytest.raises(OutputExistsError):
        write_text(tmp_path / "links" / "a.txt", "new", overwrite=False)
    write_text(tmp_path / "links" / "a.txt", "new")
    with write_folder(tmp_path / "links" / "frames", overwrite=True) as temporary:
        (temporary / "0001.png").write_text("new")
    assert all(path.is_symlink() for path in (tmp_path / "links").iterdir())
    assert (tmp_path / "real" / "a.txt").read_text() == "new"
    assert (tmp_path / "real" / "frames" / "0001.png").read_text() == "new"
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_appears_when_the_block_ends(tmp_path: Path) -> None:
    out = tmp_path / "frames"
    out.mkdir()  # an empty folder counts as absent
    with write_folder(out) as temporary:
        (temporary / "0001.png").write_text("x")
        assert os.listdir(out) == []
    assert os.listdir(out) == ["0001.png"]
    with pytest.raises(OutputExistsError), write_folder(out):
        pytest.fail("the block must not run")
    with write_folder(out, overwrite=True) as temporary:
        (temporary / "0002.png").write_text("y")
    assert os.listdir(out) == ["0002.png"]
    assert os.listdir(tmp_path) == ["frames"]


def test_a_stop_between_two_renames_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "old").write_text("x")
    rename = os.rename

    def stopped(source: Path, target: Path) -> None:
        monkeypatch.undo()
        rename(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", stopped)
    with pytest.raises(KeyboardInterrupt), write_folder(tmp_path / "frames", overwrite=True) as temporary:
        (temporary / "new").write_text("y")
    assert os.listdir(tmp_path) == ["frames"]
    assert os.listdir(tmp_path / "frames") == ["old"]


def test_overwriting_never_removes_what_is_not_ours(tmp_path: Path) -> None:
    out = tmp_path / "holiday"
    out.mkdir()
    (out / "beach.jpg").write_text("precious")
    with (
        pytest.raises(OptionError, match=r"beach\.jpg"),
        write_folder(out, overwrite=True, is_ours=lambda entry: entry.suffix == ".png"),
    ):
        pytest.fail("the block must not run")
    assert (out / "beach.jpg").read_text() == "precious"


def test_a_folder_is_not_put_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(OptionError, match="found a file"), write_folder(tmp_path / "a", overwrite=True):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("out", [".", "./", "..", "../", "", "{here}", "{here}/", "../../"])
def test_the_working_folder_and_its_parents_are_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    here = tmp_path / "project" / "empty"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    for overwrite in (False, True):
        with pytest.raises(OptionError, match="an output folder of its own"):
            check_output(out.format(here=here), overwrite)
    assert os.listdir(tmp_path / "project") == ["empty"]


def test_a_folder_in_the_working_folder_is_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    assert check_output("frames") == check_output("./frames/") == check_output("new/") == "folder"


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "frames/"])
def test_a_killed_writer_leaves_nothing_under_the_final_name(tmp_path: Path, name: str) -> None:
    program = (
        "import sys, time, numpy as np\n"
        "from magicpose_cli.media.video import open_writer\n"
        "with open_writer(sys.argv[1], 25) as writer:\n"
        "    for index in range(60): writer.write(np.full((64, 64, 3), index, np.uint8))\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, f"{tmp_path}/{name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    left = os.listdir(tmp_path)
    assert left, "the writer was killed in the middle of its work"
    assert all(entry.startswith(".") and entry.endswith(".part") for entry in left)


@pytest.mark.parametrize("name", ["a/out.mp4", "a/b/frames/"])
def test_a_place_that_cannot_be_is_told_before_the_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(OptionError, match="a folder that can be written to"):
        check_output(f"{tmp_path}/{name}")
