"""Tables for a terminal, by rich; the plain ones, for pipes, are in `tables.py`, `grid.py` and `report.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from .metrics import METRICS
from .protocol import Comparison
from .tables import absent_line, best_of, measures, short, unit_and_direction


def of_methods(report: Mapping[str, Any]) -> Table:
    """A test set's evaluation: a row a measure, a column a method, the best of a row bold."""
    methods = report["methods"]
    table = _table(list(methods))
    for key in measures(report):
        _add(table, key, [method["values"].get(key) for method in methods.values()])
    kept = [f"{m['identity']['kept']} of {m['identity']['of']}" for m in methods.values()]
    best = best_of([m["identity"]["kept"] for m in methods.values()], "higher")
    table.add_row("identity", *_bold(kept, best), "clips", "higher")
    table.caption = absent_line(report) or None
    return table


def of_columns(values: Mapping[str, Mapping[str, float]]) -> Table:
    """Methods of a comparison video: values by method and key."""
    table = _table(list(values))
    for key in dict.fromkeys(key for of_method in values.values() for key in of_method):
        _add(table, key, [of_method.get(key) for of_method in values.values()])
    return table


def of_comparison(compared: Comparison) -> Table:
    """Two videos: a row a metric, and below it what was not computed."""
    table = _table(["value"])
    for metric in METRICS:
        if metric.key in compared.values:
            _add(table, metric.key, [compared.values[metric.key]])
    table.caption = f"{compared.frames} frames, {compared.width_px}x{compared.height_px} px"
    if compared.not_computed:
        table.caption += f"; not computed: {', '.join(compared.not_computed)}"
    return table


def _table(titles: Sequence[str]) -> Table:
    table = Table("measure", box=box.SIMPLE_HEAD, caption_justify="left")
    for title in titles:
        table.add_column(Text(title), justify="right")
    table.add_column("unit", style="dim")
    table.add_column("better", style="dim")
    return table


def _add(table: Table, key: str, values: Sequence[float | None]) -> None:
    unit, direction = unit_and_direction(key)
    # of one value there is no best
    best = best_of(values, direction) if len(values) > 1 else []
    table.add_row(key, *_bold([short(value) for value in values], best), unit, direction)


def _bold(cells: Sequence[str], best: Sequence[int]) -> list[Text]:
    return [Text(cell, style="bold" if i in best else "") for i, cell in enumerate(cells)]
