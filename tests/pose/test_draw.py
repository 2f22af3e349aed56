"""The drawing of pose maps against controlnet-aux's, which is the reference's for one person."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from magicpose_cli.media.pictures import Placement
from magicpose_cli.pose.draw import MAP_SHORT_SIDE_PX, draw_pose, pose_map
from magicpose_cli.pose.sequence import FramePose


@pytest.fixture(scope="module")
def reference_drawing():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from controlnet_aux.open_pose import BodyResult, Keypoint, PoseResult, draw_poses

    def draw(pose: FramePose, width_px: int, height_px: int) -> np.ndarray:
        def keypoints(points, missing):
            return [
                Keypoint(float(x) / width_px, float(y) / height_px) if confidence > 0 else missing
                for x, y, confidence in points
            ]

        beyond = Keypoint(
            -1 / width_px, -1 / height_px
        )  # how the reference marks missing hand and face points
        body = BodyResult(keypoints(pose.body, None), 1.0, 18)
        rest = (keypoints(part, beyond) for part in pose[1:])
        return draw_poses([PoseResult(body, *rest)], height_px, width_px)

    return draw


def test_random_poses_give_the_references_pixels(reference_drawing, random_pose):
    rng = np.random.default_rng(0)
    for seed in range(200):
        width_px, height_px = (int(side) for side in rng.integers(40, 700, 2))
        pose = random_pose(seed, width_px, height_px, found=rng.uniform(0.3, 1))
        np.testing.assert_array_equal(
            draw_pose(pose, width_px, height_px), reference_drawing(pose, width_px, height_px), str(seed)
        )


def test_joints_on_whole_pixels_and_straight_limbs_too(reference_drawing, random_pose):
    for seed in range(20):
        pose = FramePose(*(np.round(part / 64) * 64 for part in random_pose(seed, 512, 512)))
        for part in pose:
            part[:, 2] = part[:, 2] > 0
        np.testing.assert_array_equal(draw_pose(pose, 512, 512), reference_drawing(pose, 512, 512))


def test_an_empty_pose_is_black():
    assert not draw_pose(FramePose.empty(), 30, 20).any()
    assert draw_pose(FramePose.empty(), 30, 20).shape == (20, 30, 3)


def test_missing_points_leave_no_trace(random_pose):
    pose = random_pose(1, 200, 200, found=1)
    pose.body[4] = 0  # right wrist, beside which nothing else starts
    colors = draw_pose(FramePose.empty()._replace(body=pose.body), 200, 200).reshape(-1, 3)
    assert not (colors == (170, 255, 0)).all(axis=1).any()  # the wrist's colour
    assert not (colors == (153, 153, 0)).all(axis=1).any()  # the forearm's


def test_strokes_have_one_width_whatever_the_size_of_the_video(random_pose):
    """A video and its copy at twice the size give the same map."""
    pose = random_pose(3, 302, 540, around=0)
    doubled = FramePose(*(part * np.float32([2, 2, 1]) for part in pose))
    small = pose_map(pose, 302, 540, Placement.crop(302, 540, 256, 256))
    large = pose_map(doubled, 604, 1080, Placement.crop(604, 1080, 256, 256))
    assert small.shape == (256, 256, 3)
    assert small.any()
    np.testing.assert_array_equal(small, large)


def test_a_map_at_the_references_size_is_the_plain_drawing(random_pose):
    pose = random_pose(4, 604, 1080)
    drawn = pose_map(pose, 604, 1080, Placement.crop(604, 1080, 604, 1080))
    assert MAP_SHORT_SIDE_PX == 604
    np.testing.assert_array_equal(drawn, draw_pose(pose, 604, 1080))


@pytest.mark.parametrize("size", [(512, 896), (355, 533), (201, 301), (220, 995), (1920, 1080), (33, 1000)])
def test_maps_of_any_size_come_out_where_the_picture_does(size):
    """One joint is drawn where the placement puts the same point of the picture."""
    point = size[0] * 0.5, size[1] * 0.505
    body = np.zeros((18, 3), np.float32)
    body[0] = *point, 1
    for placement in (Placement.crop(*size, 256, 320), Placement.pad(*size, 256, 320)):
        drawn = pose_map(FramePose.empty()._replace(body=body), *size, placement)
        y, x = np.argwhere(drawn[..., 0] > drawn[..., 0].max() / 2).mean(axis=0)
        np.testing.assert_allclose((x, y), placement.maps_point(*point), atol=1.5)
