"""MediaPipe on real pictures: order and places of the points, silence, and the accuracy promised."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from magicpose_cli.media.pictures import load_picture
from magicpose_cli.media.video import FrameReader
from magicpose_cli.pose.detect_mediapipe import MediapipePoseDetector
from magicpose_cli.pose.opencv import load_cv2
from magicpose_cli.pose.sequence import BODY_NAMES, FramePose


@pytest.fixture(scope="module")
def detector():
    detector = MediapipePoseDetector()
    yield detector
    detector.close()


@pytest.fixture
def man(shared_media) -> np.ndarray:
    """A man in a red jacket, standing, facing the camera, both hands in view (622x913)."""
    return load_picture(shared_media / "refs" / "ref_full_man_redjacket.png")


def test_every_point_of_a_clear_view_is_found_in_its_place(detector, man):
    pose = detector.detect_still(man)
    assert (pose.body[:, 2] > 0).all() and (pose.face[:, 2] == 1).all()
    assert (pose.left_hand[:, 2] == 1).all() and (pose.right_hand[:, 2] == 1).all()
    at = dict(zip(BODY_NAMES, pose.body, strict=True))
    heights = [at[f"left_{joint}"][1] for joint in ("eye", "shoulder", "elbow", "wrist", "knee", "ankle")]
    assert heights == sorted(heights)
    for joint in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert at[f"right_{joint}"][0] < at[f"left_{joint}"][0]  # he faces us
    np.testing.assert_allclose(at["neck"][:2], (at["left_shoulder"] + at["right_shoulder"])[:2] / 2, atol=0.1)
    shoulders_px = at["left_shoulder"][0] - at["right_shoulder"][0]
    for side, hand in (("left", pose.left_hand), ("right", pose.right_hand)):
        assert np.linalg.norm(hand[0, :2] - at[f"{side}_wrist"][:2]) < 0.15 * shoulders_px
        assert hand[12, 1] > hand[0, 1]  # the middle finger's tip hangs below the wrist


def test_face_points_follow_openposes_order(detector, man):
    x, y, _ = detector.detect_still(man).face.T
    assert (np.diff(x[:17]) > -2).all()  # jaw from his right ear to his left one ...
    assert y[8] == y.max()  # ... by the chin
    assert (np.diff(x[17:27]) > 0).all()  # brows
    assert (np.diff(y[27:31]) > 0).all()  # the nose from top to tip
    for pupil, eye in ((68, slice(36, 42)), (69, slice(42, 48))):
        assert x[eye].min() < x[pupil] < x[eye].max()
        assert y[eye].min() - 1 < y[pupil] < y[eye].max() + 1
    assert y[30] < y[51] < y[57] < y[8]  # nose, upper lip, lower lip, chin


def test_black_bars_get_no_joints(detector, man):
    """Cut at the thighs, put on black: nothing is found in the black with confidence, and the rest stays."""
    whole = detector.detect_still(man)
    cut_px = int(whole.body[8, 1] + 0.4 * (whole.body[9, 1] - whole.body[8, 1]))
    padded = np.zeros_like(man)
    padded[:cut_px] = man[:cut_px]
    body = detector.detect_still(padded).body
    assert not (body[:, 1] > cut_px + 10).any()
    sure = np.array([0, 1, 2, 3, 4, 5, 6, 7])
    assert (body[sure, 2] >= 0.7).all()
    assert np.linalg.norm(body[sure, :2] - whole.body[sure, :2], axis=1).max() < 25


def test_nobody_gives_an_empty_pose_and_the_next_frame_is_found(detector, man):
    assert not any(part.any() for part in detector.detect(np.zeros_like(man)))
    assert detector.detect(man).found("body")


def test_views_of_any_memory_layout_are_read(detector, man):
    np.testing.assert_array_equal(
        detector.detect_still(man[::-1])[0], detector.detect_still(np.ascontiguousarray(man[::-1]))[0]
    )


def test_a_second_run_gives_the_same_numbers(shared_media):
    def run() -> list[FramePose]:
        detector = MediapipePoseDetector()
        video = shared_media / "hard" / "hard_odd_size_355x533.mp4"
        poses = [detector.detect(frame) for frame in FrameReader(video, max_frames=8)]
        detector.close()
        return poses

    for first, second in zip(run(), run(), strict=True):
        for part, part_again in zip(first, second, strict=True):
            np.testing.assert_array_equal(part, part_again)


def test_the_native_code_writes_nothing_to_stderr_but_others_may(shared_media):
    script = f"""
import os
from magicpose_cli.media.pictures import load_picture
from magicpose_cli.pose import native_noise
from magicpose_cli.pose.detect_mediapipe import MediapipePoseDetector
detector = MediapipePoseDetector()
assert detector.detect(load_picture({str(shared_media / "refs" / "ref_full_man_redjacket.png")!r})).found("body")
detector.close()
with native_noise.filtered():
    os.write(2, b"a real error\\n")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "a real error\n"


def lie_near(off_px: np.ndarray, points: np.ndarray, most_px: float) -> list[bool]:
    """Whether each point (n 2) is within `most_px` of the drawing; outside of the picture none is."""
    height_px, width_px = off_px.shape
    return [
        bool(0 <= x < width_px and 0 <= y < height_px and off_px[int(y), int(x)] <= most_px)
        for x, y in points
    ]


def test_a_joint_outside_of_the_picture_is_off():
    on_all = np.zeros((10, 20), np.float32)
    points = np.array([[5, 5], [19.5, 9.5], [-0.5, 5], [-3, 5], [20, 5], [5, -2], [5, 10]])
    assert lie_near(on_all, points, 1) == [True, True, False, False, False, False, False]
    assert lie_near(on_all + 2, points, 1) == [False] * 7


@pytest.mark.slow
def test_joints_lie_on_the_skeleton_of_a_real_pair(detector, shared_media):
    """Against another detector's drawing of 250 frames, a third of each hidden by black bars."""
    cv2 = load_cv2()
    pairs = shared_media / "pairs"
    on_skeleton, confident = [], []
    videos = FrameReader(pairs / "pair_xdyna4_raw.mp4"), FrameReader(pairs / "pair_xdyna4_pose.mp4")
    for frame, drawn in zip(*videos, strict=True):
        body = detector.detect(frame).body
        off_px = cv2.distanceTransform((drawn.max(axis=2) <= 60).astype(np.uint8), cv2.DIST_L2, 5)
        on_skeleton += lie_near(off_px, body[body[:, 2] >= 0.7, :2], 20)
        confident.append(body[:8, 2] >= 0.7)
    assert len(confident) == 250
    assert np.mean(on_skeleton) >= 0.97
    seen = dict(zip(BODY_NAMES[:8], np.mean(confident, axis=0), strict=True))
    assert min(seen.values()) >= 0.95, seen
