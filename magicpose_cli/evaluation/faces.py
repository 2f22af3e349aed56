"""Faces of both sides, frame by frame: in how many the result has one (Face-Det), and whose it is, by some network.

Face-Cos is the paper's own metric: the cosine of AdaFace's features of the result's and the truth's face. Its detector
was never published, and AdaFace's own code takes MTCNN. Here faces and the points that they are aligned by are
MediaPipe Holistic's (`DETECTOR`): it is offline, and of a face that is blurred, flat or noise it finds none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..pose.sequence import FramePose
from .face_crop import crop_face

DETECTOR = "mediapipe 0.10.21 Holistic, each frame by itself"
BATCH_SIZE = 16  # faces


@dataclass(frozen=True)
class FaceNetwork:
    """A network that tells faces apart.

    Attributes:
        crop: a face of a frame, uint8 ``(H W 3)``, as the network wants it; None where the pose has no whole face.
        embed: such crops to features ``(n d)``.
        compare: by metric, its value for the features ``(d)`` of the result's and of the truth's face.
        lost: by metric, its value where the truth alone has a face; such frames do not count for the others.
    """

    crop: Callable[[np.ndarray, FramePose], np.ndarray | None]
    embed: Callable[[Sequence[np.ndarray]], np.ndarray]
    compare: Mapping[str, Callable[[np.ndarray, np.ndarray], float]]
    lost: Mapping[str, float] = field(default_factory=dict)


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


def aligned_crop(frame: np.ndarray, pose: FramePose) -> np.ndarray | None:
    """A face on the five points of `face_crop.TEMPLATE_PX`, uint8 ``(112 112 3)``; None unless they are all there."""
    points = five_points_px(pose)
    return None if points is None else crop_face(frame, points)


def face_found(result: FramePose, truth: FramePose) -> float | None:
    """1 where the result has a face, 0 where it lacks one; None where the truth has none itself."""
    if five_points_px(truth) is None:
        return None
    return float(five_points_px(result) is not None)


class FacePairs:
    """How alike the two sides' faces are, frame by frame; no more than a batch of crops is held."""

    def __init__(self, network: FaceNetwork) -> None:
        self._network = network
        self._waiting: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._count = 0
        self._found: dict[int, dict[str, float]] = {}

    def see(
        self, result: np.ndarray, truth: np.ndarray, result_pose: FramePose, truth_pose: FramePose
    ) -> None:
        """The next pair of frames, uint8 ``(H W 3)``, and the poses found in them."""
        ours, theirs = self._network.crop(result, result_pose), self._network.crop(truth, truth_pose)
        if ours is not None and theirs is not None:
            self._waiting.append((self._count, ours, theirs))
        elif theirs is not None:
            self._found[self._count] = dict(self._network.lost)
        self._count += 1
        if 2 * len(self._waiting) >= BATCH_SIZE:
            self._work_off()

    def values(self) -> dict[str, list[float | None]]:
        """By metric of the network, one value a frame; None where a frame does not count."""
        self._work_off()
        return {
            key: [self._found.get(number, {}).get(key) for number in range(self._count)]
            for key in self._network.compare
        }

    def _work_off(self) -> None:
        if not self._waiting:
            return
        numbers, ours, theirs = zip(*self._waiting, strict=True)
        features = self._network.embed([*ours, *theirs])
        for number, a, b in zip(numbers, features[: len(ours)], features[len(ours) :], strict=True):
            self._found[number] = {key: compare(a, b) for key, compare in self._network.compare.items()}
        self._waiting = []
