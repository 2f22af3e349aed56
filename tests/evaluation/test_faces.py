"""Faces of both sides: which frames count, and the cosine of those that do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from magicpose_cli.evaluation.face_crop import TEMPLATE_PX, crop_face
from magicpose_cli.evaluation.faces import (
    BATCH_SIZE,
    FaceNetwork,
    FacePairs,
    aligned_crop,
    face_found,
    five_points_px,
)
from magicpose_cli.pose.sequence import FramePose


def face(shift_px: tuple[float, float] = (0, 0)) -> FramePose:
    """A face whose five points are the template's, moved."""
    points = np.zeros((70, 3), np.float32)
    points[:, 2] = 1
    left, right, nose, *mouth = TEMPLATE_PX + shift_px
    ring = 4 * np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 7)[:6]])
    points[36:42, :2], points[42:48, :2] = left + ring, right + ring
    points[30, :2], points[48, :2], points[54, :2] = nose, *mouth
    return FramePose.empty()._replace(face=points)


def means(crops: Sequence[np.ndarray]) -> np.ndarray:
    """A stand-in for AdaFace that tells crops apart: the direction of their colour."""
    colours = np.stack([crop.mean((0, 1)) for crop in crops])
    return colours / np.linalg.norm(colours, axis=1, keepdims=True)


def by_colour() -> FaceNetwork:
    compare = {"cosine": lambda a, b: float(a @ b), "distance": lambda a, b: float(np.linalg.norm(a - b))}
    return FaceNetwork(aligned_crop, means, compare)


def test_five_points_come_in_the_templates_order() -> None:
    found = five_points_px(face((7, 20)))
    assert found == pytest.approx(TEMPLATE_PX + np.array((7, 20)), abs=1e-4)
    assert five_points_px(FramePose.empty()) is None
    cut = face()
    cut.face[48] = 0  # a corner of the mouth lies outside the picture
    assert five_points_px(cut) is None


def test_a_frame_counts_where_the_truth_has_a_face() -> None:
    nobody = FramePose.empty()
    assert face_found(face(), face()) == 1
    assert face_found(nobody, face()) == 0
    assert face_found(face(), nobody) is None
    assert face_found(nobody, nobody) is None


def test_cosines_stand_in_their_frames_whatever_the_batches() -> None:
    draw = np.random.default_rng(0)
    count = BATCH_SIZE + 3
    ours, theirs = draw.integers(0, 256, (2, count, 150, 150, 3), dtype=np.uint8)
    ours[4] = theirs[4]
    ours[..., 0] //= 2
    ours[4] = theirs[4]
    measured = FacePairs(by_colour())
    for number in range(count):
        result = FramePose.empty() if number == 2 else face((9, 9))
        measured.see(ours[number], theirs[number], result, face((7, 20)) if number != 4 else face((9, 9)))
    values, distances = measured.values()["cosine"], measured.values()["distance"]
    assert len(values) == count and values[2] is None
    assert values[4] == pytest.approx(1)
    for number in (0, 3, count - 1):
        crops = [
            crop_face(ours[number], TEMPLATE_PX + np.array((9, 9))),
            crop_face(theirs[number], TEMPLATE_PX + np.array((7, 20))),
        ]
        assert values[number] == pytest.approx(float(np.dot(*means(crops))))
        assert values[number] < 0.99
        assert distances[number] == pytest.approx(np.sqrt(2 - 2 * values[number]), abs=1e-6)
    assert distances[2] is None and distances[4] == pytest.approx(0, abs=1e-6)
    assert FacePairs(by_colour()).values() == {"cosine": [], "distance": []}
