"""Where words go: results on stdout, everything else on stderr, progress for long work."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


def _stderr() -> Console:
    # made anew each time: pytest and CliRunner swap sys.stderr
    return Console(file=sys.stderr, highlight=False, soft_wrap=True, quiet=_is_follower())


def _is_follower() -> bool:
    """Whether this is one of several processes that train together, of which only the first speaks."""
    return os.environ.get("RANK", "0") != "0"


def say(message: str) -> None:
    """Print one line for the person at the terminal (stderr)."""
    _stderr().print(message, markup=False)


def warn(message: str) -> None:
    """Print one line that deserves attention (stderr)."""
    _stderr().print(Text.assemble(("warning: ", "yellow"), message))


def fail(message: str) -> None:
    """Print the line that ends a command (stderr), in any process."""
    Console(file=sys.stderr, highlight=False, soft_wrap=True).print(
        Text.assemble(("error: ", "bold red"), message)
    )


def result(value: Any, *, as_json: bool = False) -> None:
    """Print a command's result (stdout): text as it is, or any value as one JSON document."""
    if _is_follower():
        return
    text = json.dumps(value, indent=2, default=str) if as_json else str(value)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(of_terminal: Table, plain: str) -> None:
    """Print a table as a command's result (stdout): drawn on a terminal, plain text into a pipe or a file."""
    if sys.stdout.isatty() and not _is_follower():
        Console(file=sys.stdout, highlight=False).print(of_terminal)
    else:
        result(plain)


class _RateColumn(TextColumn):
    """How many units a second, in the task's own unit."""

    def __init__(self, unit: str) -> None:
        super().__init__("")
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self.unit}/s" if speed else f"- {self.unit}/s", style="cyan")


class Stage:
    """One stretch of long work; `advance` counts what is done, `done` is the count so far."""

    def __init__(self, bar: Progress, task: Any) -> None:
        self._bar, self._task = bar, task
        self.done = 0

    def advance(self, count: int = 1) -> None:
        self.done += count
        self._bar.advance(self._task, count)

    def describe(self, text: str) -> None:
        self._bar.update(self._task, description=text)


@contextmanager
def progress(description: str, total: int | None = None, unit: str = "frames") -> Iterator[Stage]:
    """A progress bar with rate and time left on a terminal; one closing line where there is none.

    Args:
        description: what is going on, in two or three words.
        total: how many units there are, or None where that is not known beforehand.
        unit: plural noun of what is counted.
    """
    console = _stderr()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        _RateColumn(unit),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    start_s = time.monotonic()
    with bar:
        stage = Stage(bar, bar.add_task(description, total=total))
        yield stage
    if not console.is_terminal:
        took_s = time.monotonic() - start_s
        say(
            f"{description}: {stage.done} {unit} in {took_s:.1f} s ({stage.done / max(took_s, 1e-9):.1f} {unit}/s)"
        )
