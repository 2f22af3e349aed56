"""dlib's face network (King, 2017): a face to a point in 128 dimensions, nearer than 0.6 where it is the same person.

It comes inside a package, so that identity is measured without a download. Distances are no cosines, and dlib's are not
on AdaFace's scale: they have names of their own. The face is aligned by MediaPipe's points, which are in dlib's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..pose.sequence import FramePose
from .extra import from_eval_extra
from .faces import FaceNetwork
from .stopwatch import Stopwatch

CROP_SIZE_PX = 150
SAME_PERSON = 0.6
"""The threshold of dlib's own documentation."""

_ALIGNED_BY = slice(27, 68)
"""Nose, eyes and mouth: without these dlib cannot align; brows and jaw may lie outside the picture."""


def load_dlib(weights: Path, watch: Stopwatch) -> FaceNetwork:
    """dlib's network, for `face_dist_dlib` and `face_match_dlib`.

    Args:
        weights: ``dlib_face_recognition_resnet_model_v1.dat``.
        watch: runs while it works.

    Raises:
        MissingDependencyError: the `offline` extra is not installed.
    """
    with from_eval_extra("dlib", "the distance of faces", "offline"):
        import dlib
    network = dlib.face_recognition_model_v1(str(weights))

    def embed(crops: Sequence[np.ndarray]) -> np.ndarray:
        with watch.running():
            return np.array(network.compute_face_descriptor(list(crops)), np.float64)

    return FaceNetwork(
        crop=lambda frame, pose: _crop(dlib, frame, pose),
        embed=embed,
        compare={
            "face_dist_dlib": lambda a, b: float(np.linalg.norm(a - b)),
            "face_match_dlib": lambda a, b: float(np.linalg.norm(a - b) < SAME_PERSON),
        },
        lost={"face_match_dlib": 0.0},  # nobody is recognised without a face
    )


def _crop(dlib: Any, frame: np.ndarray, pose: FramePose) -> np.ndarray | None:
    """The face upright and of one size, uint8 ``(150 150 3)``; None unless all that aligns it is in the picture."""
    if not (pose.face[_ALIGNED_BY, 2] > 0).all():
        return None
    points = [dlib.point(round(float(x)), round(float(y))) for x, y, _ in pose.face[:68]]
    (left, top), (right, bottom) = pose.face[_ALIGNED_BY, :2].min(0), pose.face[_ALIGNED_BY, :2].max(0)
    box = dlib.rectangle(int(left), int(top), int(right), int(bottom))
    face = dlib.full_object_detection(box, dlib.points(points))
    return dlib.get_face_chip(np.ascontiguousarray(frame), face, size=CROP_SIZE_PX)
