"""Training that a cluster ends in the middle of it, under torch's launcher."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from .conftest import write_recipe


def test_processes_that_are_told_to_end_leave_nothing_unfinished(clips: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", vae={"steps": 100_000, "save_every": 1})
    run = tmp_path / "run"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "magicpose_cli"]
    with subprocess.Popen(
        [sys.executable, *launcher, "train", "vae", "--recipe", recipe, "--data", clips, "-o", run],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            while not (run / "model").is_dir():
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGTERM)  # as a cluster does; the launcher sends its own after it
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "Ended by SIGTERM." in said and "a fault of magicpose" not in said
    assert not list(tmp_path.rglob("*.part"))
