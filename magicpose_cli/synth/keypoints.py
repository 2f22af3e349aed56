"""The exact pose of a rendered frame, as a detector would give it, from bones and vertices.

The neck is the middle of the shoulders, as OpenPose's training data (COCO) defines it. Points outside the
picture are missing; so are an ear or eye on a side of the head turned away, the face of a head turned away,
and a hand that is mostly hidden.
"""

from __future__ import annotations

import numpy as np

from ..pose.sequence import FramePose
from .body import EYE, BodyModel
from .render import SUPERSAMPLING, Camera

_BODY_BONES = {
    2: "upperarm01.R", 3: "lowerarm01.R", 4: "wrist.R", 5: "upperarm01.L", 6: "lowerarm01.L", 7: "wrist.L",
    8: "upperleg01.R", 9: "lowerleg01.R", 10: "foot.R", 11: "upperleg01.L", 12: "lowerleg01.L", 13: "foot.L",
}  # fmt: skip
NOSE = 294  # the vertices of the nose's tip and of the right ear; the left is found as its mirror image
_RIGHT_EAR = 5439

# dlib's 68 points; None is the mirror image of the point on the other side. Found by MediaPipe's face mesh on
# a frontal render, its left jaw and right eye, brow and mouth being the more exact halves.
_JAW_LEFT = (11846, 11798, 11792, 11816, 11819, 11903, 11784, 11832)  # points 16 down to 9
_CHIN = 5225
_BROW_RIGHT = (5261, 5260, 5259, 229, 233)
_NOSE_LINE = (136, 131, 201, 294)
_NOSTRILS_RIGHT = (347, 313)
_NOSE_BASE = 311
_EYE_RIGHT = (19, 4849, 4865, 67, 4862, 36)
_LIP_TOP_RIGHT = (422, 410, 456)
_LIP_TOP = 454
_LIP_LOW_RIGHT = (370, 486)
_LIP_LOW = 492
_INNER_CORNER_RIGHT, _INNER_TOP_RIGHT, _INNER_TOP, _INNER_LOW_RIGHT, _INNER_LOW = 432, 471, 474, 487, 493

_FINGER_TIPS = {"L": (9348, 8595, 8787, 8982, 9171), "R": (2680, 1927, 2119, 2314, 2503)}
"""Vertices at the tips of thumb, index, middle, ring and little finger."""

HIDDEN_HAND_SHARE = 0.6
_HAND_TOLERANCE_M = 0.045  # joints lie inside the hand


class Skeleton:
    """Which bones and vertices make which keypoint of a body model."""

    def __init__(self, body: BodyModel) -> None:
        self._mirror_of = _Mirror(body)
        self.face = self._face_vertices()
        self.pupils = [_front_of_eye(body, side) for side in (-1, 1)]
        self.ears = [_RIGHT_EAR, self._mirror_of(_RIGHT_EAR)]
        self.body_bones = {index: body.bone(name) for index, name in _BODY_BONES.items()}
        self.head = body.bone("head")
        self.hand_bones = {
            side: [body.bone(f"wrist.{side}")]
            + [body.bone(f"finger{k}-{j}.{side}") for k in range(1, 6) for j in (1, 2, 3)]
            for side in "LR"
        }

    def face_lines(self, body: BodyModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Outline of the lips, a brow and an upper lid, float32 (n 2): canonical x (|x| but for the lips), z."""
        flat = body.canonical[:, [0, 2]]
        lips = flat[self.face[48:60]].copy()
        return lips, np.abs(flat[self.face[17:22]]), np.abs(flat[self.face[36:40]])

    def pose(
        self,
        vertices: np.ndarray,
        joints: np.ndarray,
        head_turn: np.ndarray,
        camera: Camera,
        depth: np.ndarray,
    ) -> FramePose:
        """The pose of one frame.

        Args:
            vertices: float32 (vertices 3), metres.
            joints: float32 (bones 3), metres.
            head_turn: float32 (3 3), the head's rotation away from rest.
            camera: the picture's.
            depth: float32 (2H 2W), what `render.draw` gave, metres.
        """
        toward = np.array([camera.x_m, camera.y_m, camera.z_m]) - joints[self.head]
        toward = head_turn.T @ (toward / np.linalg.norm(toward))  # in the head's own axes
        body = np.zeros((18, 3), np.float32)
        for index, bone in self.body_bones.items():
            body[index] = joints[bone]
        body[1] = (body[2] + body[5]) / 2
        body[0] = vertices[NOSE]
        body[14:16] = vertices[self.face[36:48]].reshape(2, 6, 3).mean(1)
        body[16:18] = vertices[self.ears]
        shown = np.ones(18, bool)
        shown[0] = -toward[1] > 0.0
        shown[14:16] = -0.87 * toward[1] + 0.5 * toward[0] * np.array([-1, 1]) > 0.1
        shown[16:18] = toward[0] * np.array([-1, 1]) > -0.42
        face = vertices[[*self.face, *self.pupils]]
        faces_us = np.full(70, -toward[1] > 0.3)
        hands = {}
        for side in "LR":
            points = self._hand(vertices, joints, side)
            hands[side] = _confident(points, np.full(21, not _is_hidden(points, camera, depth)), camera)
        return FramePose(
            _confident(body, shown, camera), hands["L"], hands["R"], _confident(face, faces_us, camera)
        )

    def _hand(self, vertices: np.ndarray, joints: np.ndarray, side: str) -> np.ndarray:
        bones = joints[self.hand_bones[side]]
        fingers = bones[1:].reshape(5, 3, 3)
        tips = vertices[list(_FINGER_TIPS[side])]
        return np.concatenate([bones[:1], np.concatenate([fingers, tips[:, None]], 1).reshape(20, 3)])

    def _face_vertices(self) -> list[int]:
        m = self._mirror_of
        jaw = [m(v) for v in _JAW_LEFT] + [_CHIN] + list(reversed(_JAW_LEFT))
        brows = [*_BROW_RIGHT, *(m(v) for v in reversed(_BROW_RIGHT))]
        nose = [*_NOSE_LINE, *_NOSTRILS_RIGHT, _NOSE_BASE, *(m(v) for v in reversed(_NOSTRILS_RIGHT))]
        c = _EYE_RIGHT
        eyes = [*c, m(c[3]), m(c[2]), m(c[1]), m(c[0]), m(c[5]), m(c[4])]
        outer = [*_LIP_TOP_RIGHT, _LIP_TOP, *(m(v) for v in reversed(_LIP_TOP_RIGHT))]
        outer += [*(m(v) for v in _LIP_LOW_RIGHT), _LIP_LOW, *reversed(_LIP_LOW_RIGHT)]
        inner = [_INNER_CORNER_RIGHT, _INNER_TOP_RIGHT, _INNER_TOP, m(_INNER_TOP_RIGHT), m(_INNER_CORNER_RIGHT),
                 m(_INNER_LOW_RIGHT), _INNER_LOW, _INNER_LOW_RIGHT]  # fmt: skip
        return jaw + brows + nose + eyes + outer + inner


class _Mirror:
    """Finds the vertex on the other side of the body."""

    def __init__(self, body: BodyModel) -> None:
        self._canonical = body.canonical

    def __call__(self, vertex: int) -> int:
        place = self._canonical[vertex] * np.array([-1, 1, 1], np.float32)
        near = np.flatnonzero(np.abs(self._canonical - place).max(1) < 1e-3)
        # upper and lower lip touch at rest: the twin has the same position to a hair
        return int(near[np.argmin(((self._canonical[near] - place) ** 2).sum(1))])


def _front_of_eye(body: BodyModel, sign: int) -> int:
    eye = np.unique(body.triangles[body.parts == EYE])
    eye = eye[body.canonical[eye, 0] * sign > 0]
    return int(eye[np.argmin(body.canonical[eye, 1])])


def _is_hidden(points: np.ndarray, camera: Camera, depth: np.ndarray) -> bool:
    """Whether most of a hand lies behind something."""
    places = camera.project(points)
    x, y = (np.floor(places[:, :2] * SUPERSAMPLING).astype(int)).T
    inside = (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
    if not inside.any():
        return True
    behind = places[inside, 2] > depth[y[inside], x[inside]] + _HAND_TOLERANCE_M
    return bool(behind.mean() > HIDDEN_HAND_SHARE)


def _confident(points: np.ndarray, shown: np.ndarray, camera: Camera) -> np.ndarray:
    places = camera.project(points)
    inside = ((places[:, :2] > 0) & (places[:, :2] < camera.size_px)).all(1) & shown & (places[:, 2] > 0)
    places[:, 2] = 1
    return np.where(inside[:, None], places, 0).astype(np.float32)
