"""Telling pose maps from videos."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.errors import VideoError
from magicpose_cli.media.video import FrameReader
from magicpose_cli.pose.draw import draw_pose
from magicpose_cli.pose.maps import looks_like_pose_maps

BLACK = np.zeros((300, 200, 3), np.uint8)


def some_frames(path) -> list[np.ndarray]:
    return [frame for index, frame in enumerate(FrameReader(path, max_frames=60)) if index % 15 == 0]


def gathered(part: np.ndarray, x_px: float, y_px: float, size_px: float) -> np.ndarray:
    """The points brought into a small square, where a hand or a face would be."""
    corner, span = part[:, :2].min(axis=0), np.ptp(part[:, :2], axis=0)
    return np.column_stack([(part[:, :2] - corner) / span * size_px + (x_px, y_px), part[:, 2]])


def test_drawn_poses_are_pose_maps(random_pose):
    for seed in range(20):
        pose = random_pose(seed, 512, 768, around=-0.2)
        pose = pose._replace(
            left_hand=gathered(pose.left_hand, 60, 300, 50),
            right_hand=gathered(pose.right_hand, 400, 300, 50),
            face=gathered(pose.face, 200, 100, 70),
        )
        whole = draw_pose(pose, 512, 768)
        assert looks_like_pose_maps(whole)
        assert looks_like_pose_maps([whole, BLACK, whole])


def test_plain_frames_tell_nothing(random_pose):
    drawn = draw_pose(random_pose(1, 512, 768, around=-0.2)._replace(face=np.zeros((70, 3))), 512, 768)
    assert not looks_like_pose_maps([BLACK, BLACK])
    assert not looks_like_pose_maps([])
    assert looks_like_pose_maps([BLACK, BLACK, BLACK, drawn])


def test_a_small_photo_on_a_plain_ground_is_no_pose_map():
    rng = np.random.default_rng(0)
    picture = np.full((512, 512, 3), 40, np.uint8)
    skin = np.array([150, 110, 90]) + rng.integers(-60, 60, (100, 100, 1))
    picture[200:300, 200:300] = np.clip(skin, 0, 255)
    assert not looks_like_pose_maps(picture)


@pytest.mark.parametrize(
    "name",
    [
        "pairs/pose_magicdance_seq001",
        "pairs/pose_fullbody_standing_kps.mp4",
        "pairs/pose_tall_9x16_kps.mp4",
        "pairs/pair_xdyna4_pose.mp4",
        "pairs/pair_yellowtop_aligned_plaid",
        "pairs/pose_still_arm_up.png",
        "pairs/pose_still_fullbody.png",
        "anchors/anchor_zeroshot_pose.gif",
    ],
)
def test_pose_maps_of_others_are_told(shared_media, name):
    frames = some_frames(shared_media / name)
    assert looks_like_pose_maps(frames)
    assert all(looks_like_pose_maps(frame) for frame in frames)


def test_no_real_video_passes_for_pose_maps(shared_media):
    checked = 0
    for folder in ("driving", "hard", "refs"):
        for path in sorted((shared_media / folder).iterdir()):
            try:
                frames = some_frames(path)
            except VideoError:
                continue  # the damaged ones
            checked += 1
            assert not looks_like_pose_maps(frames), path.name
    assert checked > 30
