"""The garbage collector rests while libraries are imported, and works again afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from magicpose_cli.imports import without_collecting


@pytest.mark.parametrize("was_on", [True, False])
def test_it_is_afterwards_as_it_was(was_on: bool) -> None:
    frozen = gc.get_freeze_count()
    try:
        gc.enable() if was_on else gc.disable()
        with without_collecting():
            assert not gc.isenabled()
        assert gc.isenabled() == was_on
        with pytest.raises(ImportError), without_collecting():
            raise ImportError
        assert gc.isenabled() == was_on
    finally:
        gc.enable()
    assert gc.get_freeze_count() == frozen  # nothing was imported, so nothing is kept for good


def test_what_was_imported_is_never_looked_through(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text("objects = [[] for _ in range(100_000)]")
    code = (
        "import gc; from magicpose_cli.imports import without_collecting\n"
        "before = gc.get_stats()\n"
        "with without_collecting(): import many\n"
        "print(sum(b['collections'] - a['collections'] for a, b in zip(before, gc.get_stats())))\n"
        "print(gc.get_freeze_count())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}"},
    ).stdout.split()
    assert int(told[0]) == 0
    assert int(told[1]) > 100_000
