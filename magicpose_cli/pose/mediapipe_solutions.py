"""MediaPipe's solutions, whose networks are in its wheel: loaded quietly, and what is said where it is absent."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from ..errors import MissingDependencyError


def load_solution(name: str) -> Any:
    """The module of one of MediaPipe's solutions, as ``holistic``.

    Raises:
        MissingDependencyError: MediaPipe cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(import_module("mediapipe.python.solutions"), name)
    except ImportError as error:
        raise MissingDependencyError(
            expected="mediapipe 0.10.21",
            found=f"an import that fails ({error})",
            remedy="Run `pip install mediapipe==0.10.21` under Python 3.11 or 3.12.",
        ) from error
