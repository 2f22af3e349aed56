"""How long the networks work: what an evaluation takes beside them is its own doing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


class Stopwatch:
    """Adds up the time in which it runs, `seconds`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run during the block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started

    def attach(self, network: nn.Module) -> None:
        """Run whenever a network does; on a GPU, which works on by itself, until it has been told what to do."""
        network.register_forward_pre_hook(lambda *_: self._start())
        network.register_forward_hook(lambda *_: self._stop())

    def _start(self) -> None:
        self._started = time.perf_counter()

    def _stop(self) -> None:
        self.seconds += time.perf_counter() - self._started
