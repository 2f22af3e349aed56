"""Exact poses: they lie on the person, left is the person's left, and MediaPipe sees the same."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.pose.sequence import BODY_NAMES
from magicpose_cli.synth import render
from magicpose_cli.synth.keypoints import Skeleton

MEDIAPIPE_OF_BODY = {
    0: 0, 2: 12, 3: 14, 4: 16, 5: 11, 6: 13, 7: 15, 8: 24, 9: 26, 10: 28, 11: 23, 12: 25, 13: 27,
    14: 5, 15: 2, 16: 8, 17: 7,
}  # fmt: skip


def test_every_joint_lies_on_the_person(scenes: list) -> None:
    on = total = 0
    for scene in scenes:
        for index, (_, pose, _) in enumerate(scene.frames(0, 1)):
            posed = scene.body.pose(scene.person.shape, scene.motion.rotations[:1], {})
            vertices = posed.vertices[0] + scene.motion.root_m[index]
            normals = render.vertex_normals(vertices, scene.body.triangles)
            _, depth = render.draw(
                scene.surface, vertices, normals, scene.camera, scene.light, scene.backdrop.picture
            )
            person = depth < 1e8
            for points in pose:
                seen = points[points[:, 2] > 0]
                x, y = (np.floor(seen[:, :2] * render.SUPERSAMPLING).astype(int)).T
                on += person[y, x].sum()
                total += len(seen)
    assert total > 1500
    assert on / total > 0.97


def test_left_is_the_persons_left(renders: list) -> None:
    for _, _, pose in renders:
        if pose.body[2, 2] > 0 and pose.body[5, 2] > 0:  # right and left shoulder
            assert pose.body[2, 0] < pose.body[5, 0]
        if (pose.left_hand[:, 2] > 0).all() and pose.body[7, 2] > 0:
            assert np.hypot(*(pose.left_hand[0] - pose.body[7])[:2]) < 1e-3
        if (pose.face[:, 2] > 0).all():
            assert pose.face[36, 0] < pose.face[45, 0] and pose.face[68, 0] < pose.face[69, 0]


def test_points_outside_the_picture_are_missing(renders: list) -> None:
    for scene, _, pose in renders:
        for points in pose:
            seen = points[:, 2] > 0
            assert ((points[seen, :2] > 0) & (points[seen, :2] < scene.camera.size_px)).all()
            assert (points[~seen] == 0).all()
            assert set(np.unique(points[:, 2])) <= {0.0, 1.0}
    assert any((pose.body[10] == 0).all() for _, _, pose in renders)  # upper bodies have no ankle


def test_an_open_jaw_parts_the_inner_lips(body: object) -> None:
    skeleton = Skeleton(body)
    rest = np.tile(np.eye(3), (2, len(body.bones), 1, 1))
    face = body.pose({}, rest, {"jawOpen": np.array([0.0, 1.0])}).vertices[:, skeleton.face]
    gap_m = face[:, [61, 62, 63], 2] - face[:, [67, 66, 65], 2]
    assert (np.abs(gap_m[0]) < 0.004).all()
    assert (gap_m[1] > 0.02).all()


def test_face_is_symmetric_at_rest(body: object) -> None:
    face = body.canonical[Skeleton(body).face]
    pairs = (
        [(i, 16 - i) for i in range(8)]
        + [(17 + i, 26 - i) for i in range(5)]
        + [(36, 45), (37, 44), (39, 42)]
    )
    pairs += [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65), (31, 35)]
    for one, other in pairs:
        assert np.abs(face[one] * [-1, 1, 1] - face[other]).max() < 1e-3
    assert (np.diff(face[:17, 0]) > 0).all()  # the jaw runs from the right ear to the left


def test_mediapipe_finds_the_joints_where_they_are(renders: list) -> None:
    holistic = pytest.importorskip("mediapipe").solutions.holistic
    errors: dict[str, list[float]] = {name: [] for name in BODY_NAMES}
    faces = hands_found = hands_there = 0
    with holistic.Holistic(static_image_mode=True, model_complexity=1) as detector:
        for scene, picture, pose in renders:
            found = detector.process(picture)
            faces += found.face_landmarks is not None
            for part, hand in (
                ("left_hand", found.left_hand_landmarks),
                ("right_hand", found.right_hand_landmarks),
            ):
                if (getattr(pose, part)[:, 2] > 0).all():
                    hands_there += 1
                    hands_found += hand is not None
            joints = scene.body.rest_joints(scene.person.shape)
            height_px = np.ptp(joints[:, 2]) * scene.camera.focal_px / -scene.camera.y_m
            places = found.pose_landmarks.landmark if found.pose_landmarks else None
            for index, other in MEDIAPIPE_OF_BODY.items():
                if pose.body[index, 2] > 0:
                    seen = (places[other].x, places[other].y) if places else (9, 9)
                    error_px = np.hypot(*(pose.body[index, :2] - np.array(seen) * scene.camera.size_px))
                    errors[BODY_NAMES[index]].append(float(error_px / height_px))
    everything = np.concatenate([np.array(values) for values in errors.values()])
    assert len(everything) > 300
    assert (everything < 0.05).mean() > 0.95
    assert faces >= 0.9 * len(renders)
    assert hands_found >= 0.8 * hands_there
