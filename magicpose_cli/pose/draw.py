"""Pose maps: the drawing of a pose that the released model was trained on.

Colours, stroke widths and truncation follow the drawing of the released code (lllyasviel's ControlNet
annotator, after OpenPose's renderer), and for one person every pixel is the same. Everything is drawn in the
order body, hands, face on black, in RGB.
"""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING

import numpy as np

from .opencv import load_cv2
from .sequence import FramePose

if TYPE_CHECKING:
    from ..media.pictures import Placement

MAP_SHORT_SIDE_PX = 604
"""Short side of the canvas that poses are drawn on, that of the released model's training videos."""

_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
BODY_COLORS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
    (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
"""RGB of the 18 body points; limb number i has the i-th colour times `LIMB_SHADE`."""
LIMB_SHADE = 0.6
_LIMB_HALF_WIDTH_PX = 4
_JOINT_RADIUS_PX = 4
_HAND_LINE_PX = 2
_FACE_RADIUS_PX = 3

_FINGERS = tuple((0 if i % 4 == 0 else i, i + 1) for i in range(20))
_FINGER_COLORS = tuple(tuple(255 * c for c in colorsys.hsv_to_rgb(i / 20, 1, 1)) for i in range(20))
_HAND_COLOR = (0, 0, 255)
_FACE_COLOR = (255, 255, 255)


def draw_pose(pose: FramePose, width_px: int, height_px: int) -> np.ndarray:
    """Draw a pose at the size its coordinates belong to.

    Args:
        pose: keypoints in pixels of a picture of this size; points of confidence 0 are left out.
        width_px: width of the canvas.
        height_px: its height.

    Returns:
        uint8 (H W 3), RGB on black.

    Raises:
        MissingDependencyError: OpenCV cannot be loaded.
    """
    canvas = np.zeros((height_px, width_px, 3), np.uint8)
    _draw_body(canvas, pose.body)
    _draw_hand(canvas, pose.left_hand)
    _draw_hand(canvas, pose.right_hand)
    _draw_face(canvas, pose.face)
    return canvas


def pose_map(
    pose: FramePose, source_width_px: int, source_height_px: int, placement: Placement
) -> np.ndarray:
    """Draw a pose as the ControlNet sees it: on a canvas of short side 604 px, then cropped and resized.

    Args:
        pose: keypoints in pixels of the source picture.
        source_width_px: width of the source picture.
        source_height_px: its height.
        placement: how a picture of the source's shape goes to the size of the networks.

    Returns:
        uint8 (placement.height_px placement.width_px 3).

    Raises:
        MissingDependencyError: OpenCV cannot be loaded.
    """
    factor = MAP_SHORT_SIDE_PX / min(source_width_px, source_height_px)
    width_px, height_px = round(source_width_px * factor), round(source_height_px * factor)
    scale = np.array([width_px / source_width_px, height_px / source_height_px, 1], np.float32)
    scaled = FramePose(*(part * scale for part in pose))
    return placement.apply(draw_pose(scaled, width_px, height_px))


def _draw_body(canvas: np.ndarray, points: np.ndarray) -> None:
    cv2 = load_cv2()
    for (start, end), color in zip(_LIMBS, BODY_COLORS, strict=False):
        if points[start, 2] <= 0 or points[end, 2] <= 0:
            continue
        (x1, y1), (x2, y2) = points[start, :2].tolist(), points[end, :2].tolist()
        length = math.hypot(x1 - x2, y1 - y2)
        angle_deg = math.degrees(math.atan2(y1 - y2, x1 - x2))
        outline = cv2.ellipse2Poly(
            (int((x1 + x2) / 2), int((y1 + y2) / 2)),
            (int(length / 2), _LIMB_HALF_WIDTH_PX),
            int(angle_deg),
            0,
            360,
            1,
        )
        cv2.fillConvexPoly(canvas, outline, [int(channel * LIMB_SHADE) for channel in color])
    for (x, y, confidence), color in zip(points.tolist(), BODY_COLORS, strict=True):
        if confidence > 0:
            cv2.circle(canvas, (int(x), int(y)), _JOINT_RADIUS_PX, color, thickness=-1)


def _draw_hand(canvas: np.ndarray, points: np.ndarray) -> None:
    cv2 = load_cv2()
    corners = _drawable(points)
    for (start, end), color in zip(_FINGERS, _FINGER_COLORS, strict=True):
        if corners[start] and corners[end]:
            cv2.line(canvas, corners[start], corners[end], color, thickness=_HAND_LINE_PX)
    for corner in filter(None, corners):
        cv2.circle(canvas, corner, _JOINT_RADIUS_PX, _HAND_COLOR, thickness=-1)


def _draw_face(canvas: np.ndarray, points: np.ndarray) -> None:
    cv2 = load_cv2()
    for corner in filter(None, _drawable(points)):
        cv2.circle(canvas, corner, _FACE_RADIUS_PX, _FACE_COLOR, thickness=-1)


def _drawable(points: np.ndarray) -> list[tuple[int, int] | None]:
    """Whole-pixel positions; None where a point is missing or on or beyond the left or top edge."""
    return [
        (int(x), int(y)) if confidence > 0 and int(x) > 0 and int(y) > 0 else None
        for x, y, confidence in points.tolist()
    ]
