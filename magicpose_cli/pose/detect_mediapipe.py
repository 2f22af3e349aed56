"""MediaPipe Holistic as a pose detector: its points in OpenPose's order, with confidences one can rely on.

MediaPipe's 33 body points become OpenPose's 18, its 478 face points OpenPose's 70; hands have the same 21.
What a confidence is worth is decided in `believe.py`.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from . import native_noise
from .believe import believable, content_box, inside
from .mediapipe_solutions import load_solution
from .opencv import load_cv2
from .sequence import FramePose

_BODY_FROM_33 = (0, -1, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
"""MediaPipe's index of each of the 18 points; the neck (-1) is the middle of the shoulders."""

_FACE_FROM_478 = (
    127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lips
    468, 473,  # pupils
)  # fmt: skip
"""MediaPipe's index of each of OpenPose's 70 face points (68 in dlib's order, two pupils).

Compared with MMPose's whole-body points on one video, the median distance is 2.5 % of the face's width.
"""

_NECK, _SHOULDERS = 1, (2, 5)


class MediapipePoseDetector:
    """MediaPipe Holistic, models from its wheel, tracking from frame to frame.

    Where the track is lost, the frame is searched again as a single picture.

    Raises:
        MissingDependencyError: mediapipe cannot be loaded.
    """

    name = "mediapipe"
    several_people = 0  # Holistic looks for one person only

    def __init__(self) -> None:
        self._quiet = False  # all of the native chatter comes before the first person is found
        with native_noise.filtered():
            load_cv2()
            self._solution = load_solution("holistic")
            self._tracker = self._open(tracking=True)
        self._searcher: Any = None

    def detect(self, picture: np.ndarray) -> FramePose:
        """Find the person in the next frame; see `Detector.detect`."""
        found = self._run(self._tracker, picture)
        return self.detect_still(picture) if found.pose_landmarks is None else self._pose(found, picture)

    def detect_still(self, picture: np.ndarray) -> FramePose:
        """Find the person in a picture of its own; see `Detector.detect_still`."""
        if self._searcher is None:
            with native_noise.filtered():
                self._searcher = self._open(tracking=False)
        return self._pose(self._run(self._searcher, picture), picture)

    def close(self) -> None:
        """Free the graphs."""
        for holistic in (self._tracker, self._searcher):
            if holistic is not None:
                holistic.close()

    def _open(self, tracking: bool) -> Any:
        holistic = self._solution.Holistic(
            static_image_mode=not tracking,
            model_complexity=1,  # the one whose weights are inside the wheel
            smooth_landmarks=False,  # it lags; `clean.py` does it with both sides known
            refine_face_landmarks=True,  # better lips and eyes, and the pupils
        )
        holistic.process(np.zeros((64, 64, 3), np.uint8))  # returns when all of it has started
        return holistic

    def _run(self, holistic: Any, picture: np.ndarray) -> Any:
        with contextlib.nullcontext() if self._quiet else native_noise.filtered():
            return holistic.process(np.ascontiguousarray(picture))

    def _pose(self, found: Any, picture: np.ndarray) -> FramePose:
        if found.pose_landmarks is None:
            return FramePose.empty()
        self._quiet = True
        return _to_openpose(found, picture)


def _to_openpose(found: Any, picture: np.ndarray) -> FramePose:
    height_px, width_px = picture.shape[:2]
    body = _array(found.pose_landmarks, width_px, height_px)[list(_BODY_FROM_33)]
    body[_NECK] = body[list(_SHOULDERS)].mean(axis=0)
    body[_NECK, 2] = body[list(_SHOULDERS), 2].min()
    left_hand, right_hand = (
        _certain(hand, width_px, height_px, range(21))
        for hand in (found.left_hand_landmarks, found.right_hand_landmarks)
    )
    face = _certain(found.face_landmarks, width_px, height_px, _FACE_FROM_478)
    box = content_box(picture)
    wrists = _wrist(right_hand), _wrist(left_hand)
    body = believable(body, box, wrists, bool(face.any()))
    return FramePose(body, *(inside(part, box) for part in (left_hand, right_hand, face)))


def _wrist(hand: np.ndarray) -> np.ndarray | None:
    return hand[0, :2] if hand.any() else None


def _array(landmarks: Any, width_px: int, height_px: int) -> np.ndarray:
    """(n 3): x px, y px, visibility."""
    rows = [(p.x * width_px, p.y * height_px, p.visibility) for p in landmarks.landmark]
    return np.array(rows, np.float32)


def _certain(landmarks: Any, width_px: int, height_px: int, order: Any) -> np.ndarray:
    """(n 3) in OpenPose's order with confidence 1: hands and faces are found as a whole or not at all."""
    if landmarks is None:
        return np.zeros((len(order), 3), np.float32)
    points = _array(landmarks, width_px, height_px)[list(order)]
    points[:, 2] = 1
    return points
