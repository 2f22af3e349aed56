"""The `synth` command as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app


def test_writes_clips_and_says_so(tmp_path: Path) -> None:
    pytest.importorskip("anny", reason="the synth extra is not installed")
    command = [
        "synth",
        "-o",
        str(tmp_path),
        "--clips",
        "1",
        "--frames",
        "2",
        "--size",
        "64",
        "--split",
        "test",
    ]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0 and first.stdout == f"1 clips rendered, 0 kept, in {tmp_path}\n"
    assert len(list((tmp_path / "disco_test_set").rglob("*.png"))) == 2
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0 and again.stdout == f"0 clips rendered, 1 kept, in {tmp_path}\n"


def test_an_unknown_split_is_bad_input(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["synth", "-o", str(tmp_path), "--split", "validation"])
    assert result.exit_code == 2
    assert "train or test" in result.stderr and not list(tmp_path.iterdir())
