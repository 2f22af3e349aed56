"""Little clips in the TikTok layout, and the tiny model's recipe as a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.media.pictures import save_picture

from ..tiny import TINY


def write_recipe(path: Path, *, without: Collection[str] = (), **changes: dict[str, object]) -> Path:
    """The tiny recipe as TOML, with entries of its tables replaced, or without some tables."""
    tables = {name: {**table, **changes.get(name, {})} for name, table in TINY.items() if name not in without}
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """Three training videos of six frames and one held-out video: a square moves over a plain ground."""
    root = tmp_path_factory.mktemp("clips")
    draw = np.random.default_rng(0)
    for split, videos in (("train_set", 3), ("disco_test_set", 1)):
        for video in range(videos):
            ground, square = draw.integers(0, 256, (2, 3), np.uint8)
            for frame in range(6):
                for folder, colours in ((split, (ground, square)), (f"pose_map_{split}", (0, 255))):
                    picture = np.empty((40, 32, 3), np.uint8)
                    picture[:] = colours[0]
                    picture[8 + 2 * frame : 20 + 2 * frame, 8:20] = colours[1]
                    save_picture(root / folder / f"v{video}" / f"{frame:04d}.png", picture)
    return root


def in_two_processes(
    *arguments: str | Path, program: str = "magicpose_cli", **environment: str
) -> subprocess.CompletedProcess[str]:
    """`magicpose train` in two processes on CPUs, with more in their environment.

    In one of thirty runs under FSDP, gloo's own thread crashed in malloc; that, and nothing else, is tried once more.
    """
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", program]
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2]), "CUDA_VISIBLE_DEVICES": ""}
    for more in ([], ["--resume"]):
        done = subprocess.run(
            [sys.executable, *command, "train", *map(str, arguments), *more],
            capture_output=True,
            text=True,
            env={**os.environ, **own, **environment},
            timeout=300,
        )
        if "SIGSEGV" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr[-6000:]
    return done
