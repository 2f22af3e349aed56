"""Faces of both sides, frame by frame: in how many the result has one (Face-Det), and whose it is (Face-Cos).

Face-Cos is the paper's own metric: the cosine of AdaFace's features of the result's and the truth's face. Its detector
was never published, and AdaFace's own code takes MTCNN. Here faces and the five points that they are aligned by are
MediaPipe Holistic's (`DETECTOR`): it is offline, and of a face that is blurred, flat or noise it finds none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..pose.sequence import FramePose
from .face_crop import crop_face

DETECTOR = "mediapipe 0.10.21 Holistic, each frame by itself"
BATCH_SIZE = 16  # faces

Embed = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Crops uint8 ``(112 112 3)`` to directions ``(n 512)`` of length 1: `adaface.embed_faces` with its network."""

_POINTS = (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,))
"""Of the 70: both eyes, whose middle counts, the tip of the nose, the corners of the mouth."""


def five_points_px(pose: FramePose) -> np.ndarray | None:
    """Centres of the eyes, tip of the nose and corners of the mouth, ``(5 2)``; None unless all are in the picture.

    The eye that a face which looks at the camera has on the picture's left comes first, as in
    `face_crop.TEMPLATE_PX`.
    """
    points = [pose.face[list(numbers)] for numbers in _POINTS]
    if not all((part[:, 2] > 0).all() for part in points):
        return None
    return np.stack([part[:, :2].mean(0, dtype=np.float64) for part in points])


def face_found(result: FramePose, truth: FramePose) -> float | None:
    """1 where the result has a face, 0 where it lacks one; None where the truth has none itself."""
    if five_points_px(truth) is None:
        return None
    return float(five_points_px(result) is not None)


class FaceCosines:
    """Cosines of the two sides' faces, frame by frame; no more than a batch of crops is held."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._waiting: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._values: list[float | None] = []

    def see(
        self, result: np.ndarray, truth: np.ndarray, result_pose: FramePose, truth_pose: FramePose
    ) -> None:
        """The next pair of frames, uint8 ``(H W 3)``, and the poses found in them."""
        ours, theirs = five_points_px(result_pose), five_points_px(truth_pose)
        if ours is not None and theirs is not None:
            self._waiting.append((len(self._values), crop_face(result, ours), crop_face(truth, theirs)))
        self._values.append(None)
        if 2 * len(self._waiting) >= BATCH_SIZE:
            self._work_off()

    def values(self) -> list[float | None]:
        """One a frame, -1..1, higher is better; None where not both sides have a face."""
        self._work_off()
        return self._values

    def _work_off(self) -> None:
        if not self._waiting:
            return
        numbers, ours, theirs = zip(*self._waiting, strict=True)
        found = self._embed([*ours, *theirs])
        for number, a, b in zip(numbers, found[: len(ours)], found[len(ours) :], strict=True):
            self._values[number] = float(a @ b)
        self._waiting = []
