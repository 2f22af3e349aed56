"""Importing the large libraries without the time that Python's garbage collector would take of it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_is_program = False


def this_is_a_program() -> None:
    """Say that this process runs one command and ends: then what is imported may be kept for good."""
    global _is_program
    _is_program = True


@contextmanager
def without_collecting() -> Iterator[None]:
    """Leave garbage be while torch, diffusers and transformers are imported.

    They make hundreds of thousands of objects and keep them; the collector would look through all of them again and
    again. In a program (`this_is_a_program`) it never looks at them afterwards, either; elsewhere it does, since what
    else there is at that time would be kept with them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        if _is_program:
            gc.freeze()
    finally:
        if was_on:
            gc.enable()
