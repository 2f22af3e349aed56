"""What a user reads where cv2 cannot be loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from magicpose_cli.errors import MissingDependencyError
from magicpose_cli.pose.draw import draw_pose
from magicpose_cli.pose.opencv import load_cv2
from magicpose_cli.pose.sequence import FramePose


def test_the_message_tells_both_ways_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)  # importing it now raises ImportError
    with pytest.raises(MissingDependencyError, match="an import that fails") as error:
        load_cv2()
    assert "opencv-python-headless==4.11.0.86" in error.value.remedy
    assert "apt-get install libgl1 libglib2.0-0" in error.value.remedy
    assert error.value.exit_code == 2
    with pytest.raises(MissingDependencyError):
        draw_pose(FramePose.empty(), 8, 8)


def test_the_pose_files_need_neither_cv2_nor_a_detector():
    script = (
        "import sys, magicpose_cli.pose.sequence, magicpose_cli.pose.openpose_json, magicpose_cli.pose.draw, "
        "magicpose_cli.pose.detect, magicpose_cli.pose.maps, magicpose_cli.cli.extract_pose\n"
        "print(sorted({'cv2', 'torch', 'mediapipe', 'controlnet_aux'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[]", done.stderr
