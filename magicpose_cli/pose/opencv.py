"""cv2, loaded when first needed, with a remedy where it cannot be loaded.

Two of our dependencies each bring their own build of OpenCV; the contrib one links against libGL,
which servers and containers often lack.
"""

from __future__ import annotations

from typing import Any

from ..errors import MissingDependencyError

_HEADLESS = "pip install --force-reinstall --no-deps opencv-python-headless==4.11.0.86"


def load_cv2() -> Any:
    """Import cv2.

    Returns:
        The module.

    Raises:
        MissingDependencyError: it is not installed, or a system library it needs is missing.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError(
            expected="a working OpenCV (cv2)",
            found=f"an import that fails ({error})",
            remedy=f"Run `{_HEADLESS}`, or on Debian and Ubuntu `apt-get install libgl1 libglib2.0-0`.",
        ) from error
    return cv2
