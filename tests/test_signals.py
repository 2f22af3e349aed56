"""A command that is told to end leaves nothing unfinished behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

IGNORING = "import signal, runpy; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
# tests may themselves run under nohup, whose children ignore it
AS_MODULE = "import signal, runpy; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
RUN = "runpy.run_module('magicpose_cli', run_name='__main__')"


@contextmanager
def encoding(folder: Path, name: str, program: str = AS_MODULE) -> Iterator[subprocess.Popen[str]]:
    """`magicpose encode` in the middle of a work that takes far longer than any test."""
    frames = [Image.new("RGB", (64, 48), (0, 0, level)) for level in (0, 255)]
    frames[0].save(folder / "slow.gif", save_all=True, append_images=frames[1:], duration=600_000)
    out = folder / "out"
    command = ["encode", str(folder / "slow.gif"), "--fps", "1000", "-o", f"{out}/{name}"]
    with subprocess.Popen(
        [sys.executable, "-c", program + RUN, *command],
        cwd=Path(__file__).parents[1],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while not (out.is_dir() and any(entry.name.endswith(".part") for entry in out.iterdir())):
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGTERM, "out.mp4"), (signal.SIGTERM, "out.gif"), (signal.SIGHUP, "frames/")]
)
def test_a_signal_to_end_leaves_nothing(tmp_path: Path, number: signal.Signals, name: str) -> None:
    with encoding(tmp_path, name) as process:
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"Ended by {number.name}." in said and "Traceback" not in said
    assert os.listdir(tmp_path / "out") == []


def test_a_group_of_workers_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    """As a cluster and a closed terminal do it: the signal comes to the workers too."""
    pytest.importorskip("anny", reason="the synth extra is not installed")
    folder = tmp_path / "clips"
    command = ["synth", "-o", str(folder), "--clips", "8", "--frames", "2", "--size", "64", "--workers", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "magicpose_cli", *command],
        cwd=Path(__file__).parents[1],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while not (folder / "train_set").is_dir():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "Traceback" not in said
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    with encoding(tmp_path, "out.mp4", IGNORING) as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
