"""The garbage collector rests while libraries are imported, and works again afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from magicpose_cli.imports import without_collecting


@pytest.mark.parametrize("was_on", [True, False])
def test_it_is_afterwards_as_it_was(was_on: bool) -> None:
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


def test_importing_diffusers_collects_less_often() -> None:
    code = (
        "import gc; from contextlib import nullcontext; from magicpose_cli.imports import without_collecting\n"
        "with {}: import magicpose_cli.diffusion.folder\n"
        "print(sum(generation['collections'] for generation in gc.get_stats()))"
    )
    counts = [
        int(subprocess.run([sys.executable, "-c", code.format(how)], check=True, capture_output=True).stdout)
        for how in ("without_collecting()", "nullcontext()")
    ]
    assert counts[0] < counts[1] / 4
