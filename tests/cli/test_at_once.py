"""A wrong input is told before anything that takes seconds is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
from magicpose_cli.cli import main
try:
    main()
except SystemExit as end:
    slow = {"torch", "diffusers", "transformers", "mediapipe", "cv2"}
    print(json.dumps([end.code, sorted(slow & set(sys.modules))]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["retarget", "none.png", "none.mp4", "-o", "out.mp4"],
        ["retarget", "picture.png", "picture.png", "-o", "out.mp4", "--model", "nowhere"],
        ["eval", "--dataset", "tiktok", "--root", "nowhere", "-o", "out"],
        ["eval", "--dataset", "synth", "--model", "nowhere", "-o", "out"],
        ["train", "pose", "--data", "nowhere", "-o", "run"],
        ["train", "pose", "--data", "clips", "-o", "run", "--init", "nowhere"],
        ["train", "pose", "--data", "clips", "-o", "run"],
        ["train", "all", "--data", "nowhere", "-o", "run"],
        ["train", "vae", "--data", "clips", "-o", "run", "--recipe", "nowhere"],
        ["bench", "--model", "nowhere"],
        ["bench", "--size", "large"],
    ],
    ids=" ".join,
)
def test_a_wrong_input_is_told_at_once(tmp_path, arguments):
    (tmp_path / "clips" / "train_set").mkdir(parents=True)
    (tmp_path / "picture.png").write_bytes(bytes(8))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [2, []], done.stderr
