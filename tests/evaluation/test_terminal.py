"""Tables for a terminal, and plain text for a pipe."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from magicpose_cli import console
from magicpose_cli.evaluation.protocol import compare
from magicpose_cli.evaluation.summary import sum_up
from magicpose_cli.evaluation.tables import as_table
from magicpose_cli.evaluation.terminal import of_columns, of_comparison, of_methods

from .test_summary import records


def printed(table: Any) -> str:
    out = Console(file=io.StringIO(), force_terminal=True, width=100, color_system="standard")
    out.print(table)
    return out.file.getvalue()  # type: ignore[attr-defined]


def line_of(text: str, key: str) -> str:
    return next(line for line in text.splitlines() if line.split()[:1] == [key])


def test_the_best_value_of_a_row_is_bold() -> None:
    found = sum_up({"near": records([[30.0], [31.0]]), "far [b]": records([[20.0], [21.0]])})
    text = printed(of_methods(found))
    assert "far [b]" in text, "a name is no markup"
    psnr = line_of(text, "psnr")
    near, far = psnr.index("30.5"), psnr.index("20.5")
    assert "\x1b[1m" in psnr[:near] and "\x1b[1m" not in psnr[near:far]
    assert "dB" in psnr and "higher" in psnr
    assert "not computed: " in text and "expression_eyes" in text[text.index("not computed: ") :]
    plain = as_table(found).splitlines()[-1]
    assert plain.startswith("not computed: ") and "fid" in plain and " l1" not in plain
    lower_is_better = line_of(text, "l1")
    assert "\x1b[1m" not in lower_is_better[: lower_is_better.index("30.5")]


def test_columns_of_a_video() -> None:
    text = printed(of_columns({"a": {"l1": 3.0, "psnr": 20.0}, "b": {"l1": 2.0, "psnr": 19.0}}))
    l1 = line_of(text, "l1")
    assert "\x1b[1m" not in l1[: l1.index("3")] and "\x1b[1m" in l1[l1.index("3") : l1.index(" 2")]


def test_two_videos() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    compared = compare(frames, frames[::-1].copy())
    text = printed(of_comparison(compared))
    for key in compared.values:
        assert line_of(text, key)
    assert "2 frames" in text and "fid_vid" in text
    assert "\x1b[1m" not in line_of(text, "psnr"), "of one value there is no best"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_pipe_gets_plain_text(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    out = stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("FORCE_COLOR", "1")  # colours in a pipe are for people, not for programs
    console.table(of_columns({"a": {"l1": 3.0}, "b": {"l1": 2.0}}), "plain")
    assert (out.getvalue() == "plain\n") == (stream is io.StringIO)
    assert ("\x1b[1m" in out.getvalue()) == (stream is Terminal)
