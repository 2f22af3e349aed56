"""Importing the large libraries without the time that Python's garbage collector would take of it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """Leave garbage be while torch, diffusers and transformers are imported, and what they made for good.

    They make hundreds of thousands of objects and keep them; the collector would look through them all again and again
    while they are imported, and afterwards.
    """
    was_on, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:  # else what is there is the caller's, and may be garbage later
            gc.freeze()
        if was_on:
            gc.enable()
