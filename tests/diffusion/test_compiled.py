"""Compiled blocks give the frames of those that are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from magicpose_cli.diffusion.compiled import check_compiler, compile_blocks
from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.errors import MissingDependencyError

from ..tiny import make_tiny


@pytest.fixture(autouse=True)
def forget_graphs():
    yield
    torch.compiler.reset()


def frames_of(pipeline: MagicPosePipeline) -> np.ndarray:
    draw = np.random.default_rng(0)
    reference = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    maps = draw.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    return np.stack(list(pipeline(reference, maps, window=4, overlap=2))).astype(int)


@pytest.mark.parametrize("motion", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_frames_are_the_same(motion: bool, caplog: pytest.LogCaptureFixture) -> None:
    plain = frames_of(make_tiny(motion=motion))
    compiled = make_tiny(motion=motion)
    assert compile_blocks(compiled, "eager") > 10
    assert np.abs(frames_of(compiled) - plain).max() <= 1
    assert np.abs(frames_of(compiled) - plain).max() <= 1, "nor does a second video meet the first one's bank"
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs > 0 and "recompile_limit" not in caplog.text


def test_without_a_compiler_it_is_said_before_a_model_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda *_, **__: _no_compiler)
    with pytest.raises(MissingDependencyError, match=r"found no g\+\+\. .*leave --compile out"):
        check_compiler(torch.device("cpu"))


def _no_compiler(_: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("no g++")


@pytest.mark.slow
def test_the_frames_are_the_same_through_inductor() -> None:
    plain = frames_of(make_tiny())
    compiled = make_tiny()
    compile_blocks(compiled)
    assert np.abs(frames_of(compiled) - plain).max() <= 1
