"""Networks that take turns on a device give the same numbers, and the fastest way that fits is taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.diffusion.fresh import sd15_sized
from magicpose_cli.diffusion.offload import Turns, Weights, choose_offload, offload, weights_of
from magicpose_cli.diffusion.pipeline import MagicPosePipeline

from ..tiny import make_tiny

CPU = torch.device("cpu")
GB = 2**30
# bytes of a model of the released size in fp16 on a GPU, as `weights_of` counts them
RELEASED = weights_of(sd15_sized("meta", torch.float16), torch.float16, torch.device("cuda"))


def frames_of(pipeline: MagicPosePipeline) -> np.ndarray:
    draw = np.random.default_rng(0)
    reference = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    maps = draw.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    return np.stack(list(pipeline(reference, maps, window=4, overlap=2)))


@pytest.mark.parametrize("motion", [False, True])
@pytest.mark.parametrize("kind", ["model", "group", "sequential"])
def test_the_numbers_do_not_change(kind: str, motion: bool) -> None:
    plain = frames_of(make_tiny(motion=motion))
    sharing = make_tiny(motion=motion)
    sharing.offload(kind, CPU)
    assert np.array_equal(frames_of(sharing), plain)
    assert np.array_equal(frames_of(sharing), plain)  # and once more, when all has come and gone


def test_one_group_is_there_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = make_tiny()
    network = pipeline.network
    names = {id(network.unet): "unet", id(network.appearance_unet): "appearance", id(pipeline.vae): "vae",
             id(network.pose_controlnet): "controlnet"}  # fmt: skip
    moves: list[tuple[str, str]] = []
    move: Callable[..., torch.nn.Module] = torch.nn.Module.to

    def record(module: torch.nn.Module, where: torch.device) -> torch.nn.Module:
        moves.append((names[id(module)], "waits" if where is waiting else "comes"))
        return move(module, where)

    waiting = torch.device("cpu")
    monkeypatch.setattr("magicpose_cli.diffusion.offload._CPU", waiting)
    monkeypatch.setattr(torch.nn.Module, "to", record)
    pipeline._turns = offload(pipeline, "model", torch.device("cpu"))
    assert isinstance(pipeline._turns, Turns)
    frames_of(pipeline)
    there: set[str] = set()
    for name, what in moves:
        there = there | {name} if what == "comes" else there - {name}
        assert there <= {"unet", "controlnet"} or len(there) == 1
    # the reference is read once a step, three steps; the VAE comes to encode and to decode
    assert [name for name, what in moves if what == "comes"].count("appearance") == 3
    assert [name for name, what in moves if what == "comes"].count("vae") == 2


def test_what_a_model_of_the_released_size_needs() -> None:
    # 2 x 860 M and 361 M parameters in fp16, and the VAE's 84 M in fp32, since it overflows in fp16
    assert RELEASED.none / GB == pytest.approx(4.19, abs=0.05)
    assert RELEASED.none > RELEASED.model > RELEASED.group > RELEASED.sequential
    assert RELEASED.sequential < 0.12 * GB


@pytest.mark.parametrize(
    ("gigabytes", "expected"), [(24, "none"), (5, "model"), (3, "group"), (1.3, "sequential"), (0.5, None)]
)
def test_the_fastest_that_fits_is_taken(gigabytes: float, expected: str | None) -> None:
    assert choose_offload(RELEASED, GB // 2, int(gigabytes * GB)) == expected


@given(st.integers(0, 2**36), st.integers(0, 2**36), st.integers(0, 2**33))
def test_more_memory_is_never_slower(one: int, other: int, working: int) -> None:
    order = ["none", "model", "group", "sequential", None]
    low, high = sorted((one, other))
    weights = Weights(none=4 * GB, model=3 * GB, group=GB, sequential=GB // 8)
    taken = [order.index(choose_offload(weights, working, budget)) for budget in (low, high)]
    assert taken[1] <= taken[0]
