"""SIGTERM and SIGHUP end a program as Ctrl-C does: it unwinds, and what is unfinished is removed."""

from __future__ import annotations

import math
import signal
import time
from types import FrameType

_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_REPEATED_S = 10
"""A launcher repeats what a cluster sent: one unwinding is enough for signals that come so soon after each other."""


class Ended(SystemExit):
    """A signal that ends programs came; the exit code is 128 and its number, as a shell gives it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


def unwind_on_signals() -> None:
    """Let the signals that end this process raise `Ended` in its main thread.

    One that is ignored (`nohup`) or handled already stays so.
    """
    unwound_s = -math.inf

    def unwind(number: int, frame: FrameType | None) -> None:
        nonlocal unwound_s
        if time.monotonic() - unwound_s > _REPEATED_S:
            unwound_s = time.monotonic()
            raise Ended(number)

    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, unwind)
