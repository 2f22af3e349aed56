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


def _dancer(frames, hand=True):
    from magicpose_cli.pose.sequence import FramePose, PoseSequence

    poses = []
    for step in range(frames):
        pose = FramePose.empty()
        pose.body[:3] = (16, 6, 1), (16, 14, 1), (10, 14, 1)
        pose.left_hand[:] = [(24 + n % 3, 20 + step, 1) for n in range(21)]
        pose.face[:] = [(14 + n % 5, 4 + n // 20, 1) for n in range(70)]
        poses.append(pose)
    return PoseSequence.from_frames(poses, 32, 40, 8, "v", "0" * 64)


def test_parts_leave_a_pose_map_by_its_keypoints(clips, tmp_path):
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    (copy / "poses").mkdir()
    for video in range(3):
        _dancer(6).save(copy / "poses" / f"v{video}.npz")
    read = load_clips(copy, "train", 32, 32)
    assert not read.lacks_keypoints()
    numbers = np.array([8, 9])
    whole, faceless, handless = (
        read.maps_without(numbers, parts) for parts in ([], ["face"], ["left_hand", "face"])
    )
    assert whole.shape == (2, 32, 32, 3)
    assert faceless.astype(int).sum() < whole.astype(int).sum()
    assert handless.astype(int).sum() < faceless.astype(int).sum()
    assert handless.any()  # the body stays
    _dancer(5).save(copy / "poses" / "v1.npz")
    with pytest.raises(InputError, match="keypoints of 6 frames"):
        load_clips(copy, "train", 32, 32)


def test_without_keypoints_a_face_goes_by_its_colour(clips):
    read = load_clips(clips, "train", 32, 32)
    assert read.lacks_keypoints()
    maps = read.pose_maps
    maps[7] = 0
    maps[7, 10:12, 10:12] = 255  # a face point
    maps[7, 20:22, 4:9] = (153, 0, 0)  # a limb
    left = read.maps_without(np.array([7]), ["face"])[0]
    assert not left[10:12, 10:12].any()
    assert (left[20:22, 4:9] == (153, 0, 0)).all()
