"""Work that a thread does beside the caller's, in order: encoding a frame while the next is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

Later = Callable[..., None]
"""A function and its arguments: called later, after all that were handed over before."""


@contextmanager
def in_background(ahead: int = 8) -> Iterator[Later]:
    """Gives a function that hands calls to one thread, and waits for all of them at the end.

    A call that failed raises where a later one is handed over, or at the end.

    Args:
        ahead: calls that may wait; more are waited for, so that what they hold does not pile up.
    """
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="background") as thread:

        def later(function: Callable[..., Any], *arguments: Any) -> None:
            while len(waiting) >= ahead:
                waiting.popleft().result()
            waiting.append(thread.submit(function, *arguments))

        try:
            yield later
        except BaseException:
            for call in waiting:
                call.cancel()
            raise
        while waiting:
            waiting.popleft().result()
