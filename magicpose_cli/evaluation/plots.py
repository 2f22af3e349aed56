"""Values over time as inline SVG: a small picture with one line a method, drawn with text and shapes alone.

Colours come from the page: line n has the class ``line-n``, so that it is right on light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

LINE_STYLES = 6
"""So many lines are told apart; the next one looks like the first."""
MOST_POINTS = 240
"""A longer line is drawn by means over equally many frames: a plot is not wider."""

_WIDTH, _HEIGHT = 200, 104
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 4, 6, 16  # room for the numbers at the axes
_MOST_TICKS = 4

Values = Sequence[float | None]


def line_plot(lines: Mapping[str, Values], low: float, high: float, title: str) -> str:
    """Draw values over frames.

    Args:
        lines: a value a frame by the line's name, first frame first; None leaves a gap.
        low, high: of the vertical axis; values outside lie on its edge.
        title: what a reader who cannot see the plot is told.

    Returns:
        One ``<svg>`` element that scales to its place.
    """
    if not low < high:
        low, high = low - 0.5, low + 0.5
    frames = max((len(values) for values in lines.values()), default=0)
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def y_of(value: float) -> float:
        part = (min(max(value, low), high) - low) / (high - low)
        return round(bottom - part * (bottom - _TOP), 1)

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">',
        f"<title>{escape(title)}</title>",
    ]
    for tick in ticks(low, high):
        y = y_of(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="end" x="{_LEFT - 3}" y="{y + 3.5:.1f}">{tick:g}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 4}">1</text>')
    parts.append(f'<text class="end" x="{right}" y="{_HEIGHT - 4}">{frames}</text>')
    for number, values in enumerate(lines.values()):
        style = f'class="line line-{number % LINE_STYLES}"'
        for run in _runs(values, frames, right):
            points = [(x, y_of(value)) for x, value in run]
            if len(points) == 1:
                parts.append(f'<circle {style} cx="{points[0][0]}" cy="{points[0][1]}" r="1"/>')
            else:
                drawn = " ".join(f"{x},{y}" for x, y in points)
                parts.append(f'<polyline {style} points="{drawn}"/>')
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high: at most `_MOST_TICKS`, as many as 1, 2 or 5 times a power of ten give."""
    raw = (high - low) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10, 20):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < _MOST_TICKS:
            break
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def frames_a_point(frames: int) -> int:
    """How many frames one point of a line stands for."""
    return max(1, math.ceil(frames / MOST_POINTS))


def _runs(values: Values, frames: int, right: int) -> list[list[tuple[float, float]]]:
    """Stretches of (x, value) without a gap."""
    together = frames_a_point(frames)
    runs: list[list[tuple[float, float]]] = [[]]
    for start in range(0, len(values), together):
        there = [value for value in values[start : start + together] if value is not None]
        if not there:
            runs.append([])
            continue
        middle = start + (min(together, len(values) - start) - 1) / 2
        x = _LEFT + middle / max(frames - 1, 1) * (right - _LEFT)
        runs[-1].append((round(x, 1), sum(there) / len(there)))
    return [run for run in runs if run]
