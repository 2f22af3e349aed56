"""How far MediaPipe's body points can be believed.

MediaPipe reports all 33 points always, with a visibility that knows about limbs hidden by limbs, but little
about the edge of the picture, black bars, hair, and the side of a head. A confidence of 0.7 or more should
mean that the point is where it is said to be, and a point that cannot be seen should be missing, as OpenPose
has it.

The numbers were measured by cutting and padding videos of whole dancers at chest to knee (43,000 points) and
comparing with what is found in the whole picture; distances are in torsos (mid-shoulder to mid-hip), and a
point counts as right within 0.12 of them.
"""

from __future__ import annotations

import numpy as np

MINIMUM_VISIBILITY = 0.3
"""Below this a point is a guess at something hidden, and left out."""

_NOSE, _NECK, _EYES, _EARS = 0, 1, (14, 15), (16, 17)
_SHOULDERS, _ELBOWS, _WRISTS, _HIPS, _LEGS = (2, 5), (3, 6), (4, 7), (8, 11), (9, 10, 12, 13)
_ARMS = _ELBOWS + _WRISTS
_EDGE_MARGIN_TORSOS = dict.fromkeys(_ARMS + _HIPS, 0.03) | dict.fromkeys(_LEGS, 0.1)
"""So close to the edge, a point that is not clearly seen belongs to a joint beyond it (knees: 99 %)."""
_ARM_BEYOND_TORSOS = 0.1
"""An arm that leaves the picture is drawn to its edge if its joint is at most so far beyond."""
_CLEARLY_SEEN = 0.8
_DOUBTFUL = 0.65
_BEYOND = 0.5
_WRIST_WITH_HAND = 0.85
_HAND_REACH_TORSOS = 0.3
_BAR_TOLERANCE = 16


def content_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    """The picture without plain bars at its borders.

    Args:
        picture: uint8 (H W 3).

    Returns:
        left, top, right, bottom in px; right and bottom are exclusive. Rows and columns outside it have one
        colour, so nobody can be seen in them. A picture of one colour gives an empty box.
    """
    top, bottom = _textured_span(picture[:, ::2])
    left, right = _textured_span(picture[top:bottom:2].swapaxes(0, 1)) if bottom > top else (0, 0)
    return left, top, right, bottom


def _textured_span(rows: np.ndarray) -> tuple[int, int]:
    spread = (rows.max(axis=1).astype(np.int16) - rows.min(axis=1)).max(axis=1)
    textured = np.flatnonzero(spread > _BAR_TOLERANCE)
    return (int(textured[0]), int(textured[-1]) + 1) if len(textured) else (0, 0)


def believable(
    body: np.ndarray,
    box: tuple[int, int, int, int],
    hand_wrists: tuple[np.ndarray | None, np.ndarray | None],
    face_found: bool,
) -> np.ndarray:
    """Turn MediaPipe's visibilities into confidences, and take out what cannot be seen.

    Args:
        body: float32 (18 3), x px, y px, visibility, all 18 points given, also those beyond the picture.
        box: left, top, right, bottom in px of what is picture, from `content_box`.
        hand_wrists: (2,) x px, y px of the wrist of the right and the left hand, None where none was found.
        face_found: whether the face mesh was found.

    Returns:
        float32 (18 3), x px, y px, confidence; missing points are zeros.
    """
    visibility = body[:, 2]
    confidence = visibility.copy()
    shoulders, hips = (body[list(pair), :2].mean(axis=0) for pair in (_SHOULDERS, _HIPS))
    torso_px = max(float(np.linalg.norm(shoulders - hips)), 1.0)

    # an elbow sits right long before it is held to be visible: 99 % of those from 0.35 to 0.8 do
    confidence[list(_ELBOWS)] = np.cbrt(visibility[list(_ELBOWS)])
    # and 84 % of the wrists from 0.6 to 0.7, where 30 % of those below do
    confidence[list(_WRISTS)] = visibility[list(_WRISTS)] ** 0.7
    for wrist, hand in zip(_WRISTS, hand_wrists, strict=True):
        if hand is not None and visibility[wrist] >= MINIMUM_VISIBILITY:
            near = np.linalg.norm(body[wrist, :2] - hand) < _HAND_REACH_TORSOS * torso_px
            confidence[wrist] = max(confidence[wrist], _WRIST_WITH_HAND if near else 0.0)
    confidence[_hidden_head_points(body, torso_px, face_found)] = 0
    confidence[list(_EARS)] = np.minimum(confidence[list(_EARS)], _DOUBTFUL)  # often under hair

    points = body.astype(np.float32)
    points[:, 2] = np.clip(confidence, 0, 1)
    points[visibility < MINIMUM_VISIBILITY] = 0
    _respect_edges(points, visibility, box, torso_px)
    points[points[:, 2] == 0] = 0
    return points


def _respect_edges(
    points: np.ndarray, visibility: np.ndarray, box: tuple[int, int, int, int], torso_px: float
) -> None:
    """Take out, or draw back to the edge, the points at and beyond the edges of the picture."""
    left, top, right, bottom = box
    inside_px = _distance_inside(points[:, :2], box)
    clear = visibility >= _CLEARLY_SEEN
    for joint, margin_torsos in _EDGE_MARGIN_TORSOS.items():
        if inside_px[joint] < margin_torsos * torso_px and not clear[joint]:
            points[joint] = 0
    beyond = inside_px < -_slack_px(box)
    for joint in _ARMS:
        if beyond[joint] and clear[joint] and inside_px[joint] > -_ARM_BEYOND_TORSOS * torso_px:
            at_edge = np.clip(points[joint, :2], (left, top), (right - 1, bottom - 1))
            points[joint] = *at_edge, _BEYOND
            beyond[joint] = False
    points[beyond] = 0


def _hidden_head_points(body: np.ndarray, torso_px: float, face_found: bool) -> list[int]:
    """Indices of the points on the far side of the head."""
    right_x, left_x = body[list(_SHOULDERS), 0]
    if not face_found and right_x - left_x > 0.2 * torso_px:
        return [_NOSE, *_EYES]  # seen from behind
    right_ear, left_ear = body[list(_EARS), :2]
    across = right_ear - left_ear
    # where the nose lies on the way from the left ear (0) to the right one (1)
    nose = float((body[_NOSE, :2] - left_ear) @ across) / max(float(across @ across), 1e-6)
    return [_EARS[0]] if nose > 0.85 else [_EARS[1]] if nose < 0.15 else []


def _distance_inside(points: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """How far each point is inside the box, px; negative outside."""
    left, top, right, bottom = box
    x, y = points.T
    return np.minimum.reduce([x - left, right - x, y - top, bottom - y])


def inside(points: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Points (n 3) of hands or face, those outside of what is picture set to zero."""
    kept = points.copy()
    kept[_distance_inside(points[:, :2], box) < 0] = 0
    return kept


def _slack_px(box: tuple[int, int, int, int]) -> float:
    """A body point may lie this far outside the outline of the body."""
    left, top, right, bottom = box
    return 0.01 * max(right - left, bottom - top)
