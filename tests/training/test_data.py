"""Clips are paired by name, cropped to the model's shape, and drawn the same for the same step."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from magicpose_cli.errors import InputError
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.training.data import load_clips


def test_frames_and_pose_maps_stay_together(clips):
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    assert len(read) == 3
    numbers = np.arange(18)
    frames, maps = read.pictures(numbers), read.pose_maps(numbers)
    assert frames.shape == maps.shape == (18, 32, 32, 3)
    assert read.starts.tolist() == [0, 6, 12, 18]
    for frame, pose_map in zip(frames, maps, strict=True):
        square = pose_map[..., 0] == 255
        assert len(np.unique(frame[square], axis=0)) == 1


def test_references_and_targets_come_from_one_video(clips):
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    drawn = read.pairs(0, 5, 50, 4)
    assert drawn.targets.shape == (50, 4)
    assert (drawn.references[:, None] // 6 == drawn.targets // 6).all()
    again = read.pairs(0, 5, 50, 4)
    assert np.array_equal(again.references, drawn.references) and np.array_equal(again.rows, drawn.rows)
    assert not np.array_equal(read.pairs(0, 6, 50, 4).references, drawn.references)


def test_what_is_hidden_is_no_clip_and_no_frame(clips, tmp_path):
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    train = copy / "train_set"
    shutil.copytree(train / "v0", train / ".v0.0badcafe.part")  # as a killed program leaves it
    shutil.copy(train / "v0" / "0000.png", train / "v0" / ".0000.png")
    assert load_clips(copy, "train", 32, 32, cell_px=4).total == 18


def test_tall_pictures_are_cut_at_random_rows_to_train_and_in_the_middle_to_test(clips):
    read = load_clips(clips, "train", 32, 32, cell_px=4)  # of 40 px in height
    assert read.spare_rows.tolist() == [2, 2, 2]
    assert set(read.pairs(0, 0, 60, 1).rows) == {0, 1, 2}
    whole = read.whole_picture(7)
    assert whole.shape == (40, 32, 3)
    for row in range(3):
        numbers, rows = np.array([7]), np.array([row])
        assert np.array_equal(read.pictures(numbers, rows)[0], whole[4 * row : 4 * row + 32])
        square = read.pose_maps(numbers, rows)[0][..., 0] == 255
        assert len(np.unique(read.pictures(numbers, rows)[0][square], axis=0)) == 1
    assert np.array_equal(read.pictures(np.array([7]))[0], whole[4:36])
    for read in (load_clips(clips, "test", 32, 32, 4), load_clips(clips, "train", 32, 32, 4, crop="centre")):
        assert set(read.pairs(0, 0, 60, 1).rows) == {1}
    wide = load_clips(clips, "train", 32, 48, cell_px=4)  # nothing to spare: the sides go
    assert wide.spare_rows.tolist() == [0, 0, 0]
    assert wide.pictures(np.array([0])).shape == (1, 48, 32, 3)


def test_a_folder_without_pictures_is_passed_over(clips, tmp_path):
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    (copy / "train_set" / "v0a").mkdir()
    assert len(load_clips(copy, "train", 32, 32, cell_px=4)) == 3


def test_runs_are_consecutive_frames_of_one_video(clips):
    read = load_clips(clips, "train", 32, 32, cell_px=4)
    targets = read.runs(0, 1, 20, 5).targets
    assert (np.diff(targets, axis=1) == 1).all()
    assert (targets[:, 0] // 6 == targets[:, -1] // 6).all()
    with pytest.raises(InputError, match="clips of at least 7 frames"):
        read.runs(0, 1, 20, 7)


def test_a_missing_pose_map_is_named(clips, tmp_path):
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    (copy / "pose_map_train_set" / "v1" / "0003.png").unlink()
    with pytest.raises(
        InputError, match=r"v1/0003\.png nor .*extract-pose .*train_set/v1 -o .*poses/v1\.npz"
    ):
        load_clips(copy, "train", 32, 32, cell_px=4)


def test_a_picture_that_is_none_is_named(clips, tmp_path):
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    (copy / "train_set" / "v1" / "0000.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a picture at .*v1/0000\.png"):
        load_clips(copy, "train", 32, 32, cell_px=4)


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(InputError, match="magicpose synth"):
        load_clips(tmp_path, "train", 32, 32, cell_px=4)


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
    read = load_clips(copy, "train", 32, 32, cell_px=4)
    assert not read.lacks_keypoints()
    numbers = np.array([8, 9])
    whole, faceless, handless = (
        read.pose_maps(numbers, without=parts) for parts in ([], ["face"], ["left_hand", "face"])
    )
    assert whole.shape == (2, 32, 32, 3)
    assert faceless.astype(int).sum() < whole.astype(int).sum()
    assert handless.astype(int).sum() < faceless.astype(int).sum()
    assert handless.any()  # the body stays
    # all maps are drawn alike, and the dataset's own are not asked for
    shutil.rmtree(copy / "pose_map_train_set")
    read = load_clips(copy, "train", 32, 32, cell_px=4)
    assert np.array_equal(read.pose_maps(numbers), whole)
    assert read.crops(0, 0, 2, 16)[1].any()
    # those that are drawn so already are read
    for number in range(18):
        target = copy / "pose_map_train_set" / f"v{number // 6}" / f"{number % 6:04d}.png"
        save_picture(target, read.whole_map(number))
    assert read.draws and not load_clips(copy, "train", 32, 32, cell_px=4).draws
    _dancer(5).save(copy / "poses" / "v1.npz")
    with pytest.raises(InputError, match="keypoints of 6 frames"):
        load_clips(copy, "train", 32, 32, cell_px=4)


def test_without_keypoints_a_face_goes_by_its_colour(clips, tmp_path):
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    drawn = np.zeros((40, 32, 3), np.uint8)
    drawn[14:16, 10:12] = 255  # a face point
    drawn[24:26, 4:9] = (153, 0, 0)  # a limb
    save_picture(copy / "pose_map_train_set" / "v1" / "0001.png", drawn)
    read = load_clips(copy, "train", 32, 32, cell_px=4)
    assert read.lacks_keypoints()
    left = read.pose_maps(np.array([7]), np.array([0]), without=["face"])[0]
    assert not left[14:16, 10:12].any()
    assert (left[24:26, 4:9] == (153, 0, 0)).all()
