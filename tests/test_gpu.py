"""What only a machine with a CUDA GPU can show; anywhere else these are skipped."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.device import fetch
from magicpose_cli.diffusion.compiled import compile_blocks
from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.training.run import run_all

from .tiny import make_tiny
from .training.conftest import clips, write_recipe  # noqa: F401 - a fixture

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")

GPU = torch.device("cuda")


def frames_of(pipeline: MagicPosePipeline) -> np.ndarray:
    draw = np.random.default_rng(0)
    reference = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    maps = draw.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    return np.stack(list(pipeline(reference, maps, window=4, overlap=2)))


def prediction_of(pipeline: MagicPosePipeline) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    latents, reference = torch.randn(4, 4, 8, 8, generator=draw), torch.randn(1, 4, 8, 8, generator=draw)
    maps = torch.rand(4, 3, 32, 32, generator=draw)
    given = [tensor.to(pipeline.unet.device, pipeline.unet.dtype) for tensor in (latents, reference, maps)]
    return pipeline.predict_noise(given[0], 500, given[1], given[2], guidance_scale=1.0).float().cpu()


@pytest.mark.parametrize("motion", [False, True])
@pytest.mark.parametrize(
    ("dtype", "limit"), [(torch.float32, 1e-3), (torch.bfloat16, 3e-2), (torch.float16, 1e-2)]
)
def test_a_prediction_is_the_cpus(dtype: torch.dtype, limit: float, motion: bool) -> None:
    expected = prediction_of(make_tiny(motion=motion))
    found = prediction_of(make_tiny(motion=motion).to(GPU, dtype))
    apart = (found - expected).square().mean().sqrt() / expected.square().mean().sqrt()
    assert apart < limit


def test_frames_are_the_cpus_within_a_few_grey_levels() -> None:
    expected = frames_of(make_tiny(motion=True)).astype(int)
    found = frames_of(make_tiny(motion=True).to(GPU))
    assert np.abs(found - expected).mean() < 1


@pytest.mark.parametrize("motion", [False, True])
@pytest.mark.parametrize("kind", ["model", "group", "sequential"])
def test_networks_that_take_turns_give_the_same_numbers(kind: str, motion: bool) -> None:
    plain = frames_of(make_tiny(motion=motion).to(GPU))
    sharing = make_tiny(motion=motion)
    sharing.offload(kind, GPU)
    assert np.array_equal(frames_of(sharing), plain)
    assert np.array_equal(frames_of(sharing), plain)  # and once more, when all has come and gone


def test_compiled_blocks_give_nearly_the_same_numbers() -> None:
    plain = prediction_of(make_tiny().to(GPU))
    compiled = make_tiny().to(GPU)
    assert compile_blocks(compiled) > 0
    assert torch.allclose(prediction_of(compiled), plain, atol=2e-2, rtol=1e-2)


def test_fetched_tensors_are_not_overwritten_by_those_that_follow() -> None:
    made = (torch.full((256, 256, 3), number, dtype=torch.uint8, device=GPU) for number in range(64))
    arrays = list(fetch(made))
    assert [int(array.min()) for array in arrays] == [int(array.max()) for array in arrays] == [*range(64)]


def test_all_stages_train_and_are_resumed(clips: Path, tmp_path: Path) -> None:  # noqa: F811
    recipe = write_recipe(
        tmp_path / "tiny.toml", pose={"steps": 4, "mixed_precision": "bf16", "optimizer": "muon"}
    )

    def run(changes: list[str], *, resume: bool) -> None:
        run_all(
            recipe=str(recipe), data_dir=clips, init_dirs=[], run_dir=tmp_path / "run", resume=resume, seed=0,
            changes=changes,
        )  # fmt: skip

    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run(["motion.steps=2"], resume=False)
    run([], resume=True)
    with (tmp_path / "run" / "motion" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["step"]) == 4
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert torch.cuda.max_memory_allocated() > before  # it was there that it computed
