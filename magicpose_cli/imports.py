"""Importing the large libraries without the time that Python's garbage collector would take of it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """Leave garbage be while torch, diffusers and transformers are imported: a sixth of that time, which is seconds.

    They make hundreds of thousands of objects and keep them; the collector looks through all of them, again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
