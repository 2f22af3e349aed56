"""A face brought to the place that face recognition networks expect: eyes, nose and mouth on a template."""

from __future__ import annotations

import numpy as np

from ..pose.opencv import load_cv2

CROP_SIZE_PX = 112
TEMPLATE_PX = np.array(
    [
        [38.29459953, 51.69630051],
        [73.53179932, 51.50139999],
        [56.02519989, 71.73660278],
        [41.54930115, 92.36550140],
        [70.72990036, 92.20410156],
    ]
)
"""Where both eyes, the nose and both corners of the mouth lie in a crop (x, y), the left in the picture first:
the alignment that ArcFace and AdaFace were trained with."""


def crop_face(frame: np.ndarray, points_px: np.ndarray) -> np.ndarray:
    """Cut a face out, turned, scaled and moved so that its points come to lie near the template's.

    The similarity is fitted from the template to the face by least squares, and inverted, as AdaFace's code
    does; fitted the other way round it differs by a fraction of a pixel. A mirrored fit, which that code also
    tries, is left out: no face is mirrored.

    Args:
        frame: uint8 ``(H W 3)``.
        points_px: eyes, nose, corners of the mouth ``(5 2)``, x and y, in the order of `TEMPLATE_PX`.

    Returns:
        uint8 ``(112 112 3)``, bilinear; black where the frame ends.

    Raises:
        ValueError: not five points, or all of them in one place.
    """
    if points_px.shape != TEMPLATE_PX.shape:
        raise ValueError(f"expected five points (5 2), got {points_px.shape}")
    (x, y), (u, v) = TEMPLATE_PX.T, np.asarray(points_px, np.float64).T
    zero, one = np.zeros(5), np.ones(5)
    # u = a x + b y + c and v = a y - b x + d
    equations = np.concatenate([np.stack([x, y, one, zero], 1), np.stack([y, -x, zero, one], 1)])
    a, b, c, d = np.linalg.lstsq(equations, np.concatenate([u, v]), rcond=None)[0]
    if np.hypot(a, b) < 1e-6:
        raise ValueError("five points in one place are no face")
    to_face = np.array([[a, b, c], [-b, a, d], [0, 0, 1]])
    to_crop = np.linalg.inv(to_face)[:2]
    return load_cv2().warpAffine(frame, to_crop, (CROP_SIZE_PX, CROP_SIZE_PX))
