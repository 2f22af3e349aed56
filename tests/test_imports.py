"""The garbage collector rests while libraries are imported, and works again afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from magicpose_cli import imports
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
    assert gc.get_freeze_count() == frozen  # tests are no program, so nothing is kept for good


@pytest.mark.parametrize("is_program", [True, False])
def test_a_program_never_looks_at_what_it_imported(tmp_path: Path, is_program: bool) -> None:
    (tmp_path / "many.py").write_text("objects = [[] for _ in range(100_000)]")
    code = (
        "import gc; from magicpose_cli import imports\n"
        f"{'imports.this_is_a_program()' if is_program else ''}\n"
        "before = gc.get_stats()\n"
        "with imports.without_collecting():\n"
        "    import many\n"
        "    after = gc.get_stats()\n"
        "print(sum(b['collections'] - a['collections'] for a, b in zip(before, after)))\n"
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
    assert (int(told[1]) > 100_000) == is_program


def test_the_command_line_is_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from magicpose_cli import cli

    monkeypatch.setattr(imports, "_is_program", False)
    monkeypatch.setattr(cli, "app", lambda *_, **__: None)
    with pytest.raises(SystemExit):
        cli.main()
    assert imports._is_program
