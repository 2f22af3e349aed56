"""The house: rooms import from rooms above them only, and help stays instant."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "magicpose_cli"
ROOMS = [
    "errors",
    "console",
    "signals",
    "imports",
    "device",
    "weights",
    "sampling",
    "recipe",
    "media",
    "pose",
    "synth",
    "diffusion",
    "jobs",
    "evaluation",
    "training",
    "cluster",
    "cli",
]
DOORS = {"__init__", "__main__"}
HEAVY = {
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "cv2",
    "av",
    "mediapipe",
    "controlnet_aux",
    "anny",
}


def _imported_rooms(path: Path) -> set[str]:
    """Rooms of this package that a file imports anywhere, inside functions too."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            base = ".".join(parts[: len(parts) - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module or ""]))
            names = [module] if node.module else [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            first, _, rest = name.partition(".")
            if first == PACKAGE.name and rest:
                rooms.add(rest.split(".")[0])
    return rooms & set(ROOMS)


def _rooms_below(path: Path) -> set[str]:
    """The rooms that a file may not import from."""
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in DOORS:
        return set()
    assert room in ROOMS, f"{room} is no room of the house: give it a place in the list"
    return set(ROOMS[ROOMS.index(room) + 1 :])


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_a_room_imports_only_from_rooms_above(path):
    assert not _imported_rooms(path) & _rooms_below(path)


def test_a_module_that_is_in_no_room_is_noticed():
    for path in (PACKAGE / "helpers.py", PACKAGE / "helpers" / "__init__.py"):
        with pytest.raises(AssertionError, match="helpers is no room"):
            _rooms_below(path)
    assert "cli" in _rooms_below(PACKAGE / "jobs" / "__init__.py")
    assert not _rooms_below(PACKAGE / "__main__.py")


def test_the_import_walk_sees_what_python_sees():
    assert {"diffusion", "recipe"} <= _imported_rooms(PACKAGE / "training" / "stages.py")
    assert "jobs" in _imported_rooms(PACKAGE / "cli" / "retarget.py")


@pytest.mark.parametrize("arguments", [["--help"], ["retarget", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from magicpose_cli.cli import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('loaded:', *sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert "typer" in loaded
    assert not HEAVY & set(loaded)
