"""Clips are paired by name, cropped to the model's shape, and drawn the same for the same step."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from magicpose_cli.errors import InputError
from magicpose_cli.training.data import load_clips


def test_frames_and_pose_maps_stay_together(clips):
    read = load_clips(clips, "train", 32, 32)
    assert len(read) == 3
    assert read.frames.shape == read.pose_maps.shape == (18, 32, 32, 3)
    assert read.starts.tolist() == [0, 6, 12, 18]
    for frame, pose_map in zip(read.frames, read.pose_maps, strict=True):
        square = pose_map[..., 0] == 255
        assert len(np.unique(frame[square], axis=0)) == 1


def test_references_and_targets_come_from_one_video(clips):
    read = load_clips(clips, "train", 32, 32)
    references, targets = read.pairs(0, 5, 50, 4)
    assert targets.shape == (50, 4)
    assert (references[:, None] // 6 == targets // 6).all()
    again = read.pairs(0, 5, 50, 4)
    assert np.array_equal(again[0], references)
    assert not np.array_equal(read.pairs(0, 6, 50, 4)[0], references)


def test_runs_are_consecutive_frames_of_one_video(clips):
    read = load_clips(clips, "train", 32, 32)
    _, targets = read.runs(0, 1, 20, 5)
    assert (np.diff(targets, axis=1) == 1).all()
    assert (targets[:, 0] // 6 == targets[:, -1] // 6).all()
    with pytest.raises(InputError, match="clips of at least 7 frames"):
        read.runs(0, 1, 20, 7)


def test_a_missing_pose_map_is_named(clips, tmp_path):
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    (copy / "pose_map_train_set" / "v1" / "0003.png").unlink()
    with pytest.raises(InputError, match=r"v1/0003\.png"):
        load_clips(copy, "train", 32, 32)


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(InputError, match="magicpose synth"):
        load_clips(tmp_path, "train", 32, 32)
