"""Weights spread over two processes, by accelerate's FSDP 2 on CPUs, give what one process gives."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator, DistributedType
from safetensors.torch import load_file

from magicpose_cli.diffusion.facts import read_facts
from magicpose_cli.errors import InputError, MagicPoseError, OptionError
from magicpose_cli.media.pictures import load_picture
from magicpose_cli.recipe import Recipe
from magicpose_cli.training.run import run_stage
from magicpose_cli.training.sharding import check_sharding

from ..tiny import TINY
from .conftest import in_two_processes, write_recipe

FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}


def _spread(*arguments: str | Path, **environment: str):
    return in_two_processes(*arguments, program="tests.training.sharded_on_cpu", **FSDP, **environment)


def _options(recipe: Path, clips: Path, init: Path, run_dir: Path) -> list[str | Path]:
    return ["--recipe", recipe, "--data", clips, "--init", init, "-o", run_dir]


def _alone(
    stage: str, clips: Path, recipe: Path, run_dir: Path, init: Path | None, *, resume: bool = False
) -> Path:
    folders = [init] if init else []
    options = {"recipe": str(recipe), "data_dir": clips, "init_dirs": folders, "run_dir": run_dir}
    return run_stage(stage, **options, resume=resume, seed=0)


def _losses(run_dir: Path) -> list[float]:
    return [float(row["loss"]) for row in csv.DictReader((run_dir / "log.csv").open())]


def _weights(model: Path, part: str) -> dict[str, torch.Tensor]:
    return load_file(model / part / "diffusion_pytorch_model.safetensors")


def _assert_same_run(ours: Path, theirs: Path, *parts: str) -> None:
    assert _losses(ours)[-1] == pytest.approx(_losses(theirs)[-1], rel=1e-5)
    for part in parts:
        own, other = (_weights(run / "model", part) for run in (ours, theirs))
        assert own.keys() == other.keys()
        for name, tensor in own.items():
            torch.testing.assert_close(tensor, other[name], atol=2e-4, rtol=1e-3)
    grids = [load_picture(run / "samples" / "000004.png").astype(int) for run in (ours, theirs)]
    assert np.abs(grids[0] - grids[1]).max() <= 2


STAGE = {"batch_size": 4, "drop_conditions": 0.0, "sample_every": 2, "gradient_checkpointing": True}
POSE = {**STAGE, "hand_weight": 1.0, "ema_decay": 0.5, "train_unet": False}


@pytest.fixture(scope="module")
def start(clips, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    return _alone("vae", clips, write_recipe(folder / "tiny.toml"), folder / "vae", None)


@pytest.fixture(scope="module")
def pose(clips, start, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pose")
    return _alone("pose", clips, write_recipe(folder / "tiny.toml", pose=POSE), folder / "run", start)


def test_spread_weights_give_what_one_process_gives_also_when_broken_off(clips, start, pose, tmp_path):
    # a resumed run logs its last steps alone, so one process is broken off there too
    runs = {"alone": tmp_path / "alone", "spread": tmp_path / "spread"}
    half, whole = (
        write_recipe(tmp_path / f"{steps}.toml", pose={**POSE, "steps": steps, "accumulate": 2})
        for steps in (2, 4)
    )
    _alone("pose", clips, half, runs["alone"], start)
    _alone("pose", clips, whole, runs["alone"], start, resume=True)
    done = _spread("pose", *_options(half, clips, start, runs["spread"]))
    assert "2 processes (FSDP)" in done.stderr
    with pytest.raises(InputError, match="Launch it under FSDP"):
        _alone("pose", clips, whole, runs["spread"], start, resume=True)
    _spread("pose", *_options(whole, clips, start, runs["spread"]), "--resume")
    _assert_same_run(runs["spread"], runs["alone"], "unet", "appearance_unet", "pose_controlnet")
    averages = [torch.load(run / "state" / "custom_checkpoint_1.pkl") for run in runs.values()]
    assert averages[0]["optimization_step"] == averages[1]["optimization_step"] == 4
    for own, other in zip(*(average["shadow_params"] for average in averages), strict=True):
        # four steps move a weight by 1e-3; on a few of them Adam enlarges a rounding
        assert (own - other).abs().mean() < 5e-6


def test_a_motion_module_trains_spread(clips, pose, tmp_path):
    recipe = write_recipe(tmp_path / "tiny.toml", motion={"batch_size": 2, "sample_every": 2})
    _alone("motion", clips, recipe, tmp_path / "alone", pose)
    _spread("motion", *_options(recipe, clips, pose, tmp_path / "run"))
    _assert_same_run(tmp_path / "run", tmp_path / "alone", "unet", "motion_adapter")
    assert read_facts(tmp_path / "run" / "model").has_motion


def test_spread_training_in_bf16_keeps_weights_in_fp32(clips, start, tmp_path):
    changes = {**STAGE, "mixed_precision": "bf16", "train_unet": False}
    recipe = write_recipe(tmp_path / "tiny.toml", appearance=changes)
    _spread("appearance", *_options(recipe, clips, start, tmp_path / "run"), COMPUTES_BF16="yes")
    for name, tensor in _weights(tmp_path / "run" / "model", "unet").items():
        assert torch.equal(tensor, _weights(start, "unet")[name])
    trained = _weights(tmp_path / "run" / "model", "appearance_unet")
    assert any(not torch.equal(tensor, tensor.bfloat16().float()) for tensor in trained.values())


def _state(*, activation_checkpointing: bool = False) -> SimpleNamespace:
    plugin = SimpleNamespace(activation_checkpointing=activation_checkpointing, cpu_offload=None)
    return SimpleNamespace(fsdp_plugin=plugin)


class _Launched:
    """An `Accelerator` as FSDP's launcher leaves it."""

    distributed_type = DistributedType.FSDP
    is_fsdp2 = True

    def __init__(self) -> None:
        self.state = _state()


class _Stage:
    def __init__(self, *, drops: bool = False, **settings: object) -> None:
        self.settings = Recipe.model_validate({"pose": {**TINY["pose"], **settings}}).pose
        self.may_skip_parameters = drops


@pytest.mark.parametrize(
    "name, stage, changes, sentence",
    [
        ("pose", _Stage(optimizer="muon"), {}, 'optimizer = "adamw"'),
        ("pose", _Stage(drops=True), {}, "drop_conditions = 0"),
        ("pose", _Stage(mixed_precision="fp16"), {}, "bf16"),
        ("pose", _Stage(), {"state": _state(activation_checkpointing=True)}, "fsdp_activation_checkpointing"),
        ("base", _Stage(), {}, "appearance, pose, motion"),
        ("distill", _Stage(), {}, "appearance, pose, motion"),
        ("pose", _Stage(), {"is_fsdp2": False}, "--fsdp_version 2"),
        ("pose", _Stage(), {"distributed_type": DistributedType.DEEPSPEED}, "DEEPSPEED"),
    ],
)
def test_what_cannot_train_spread_is_refused_in_a_sentence(name, stage, changes, sentence):
    launched = _Launched()
    check_sharding(launched, _Stage(), "pose")
    for attribute, value in changes.items():
        setattr(launched, attribute, value)
    with pytest.raises(MagicPoseError) as refused:
        check_sharding(launched, stage, name)
    assert sentence in str(refused.value)


def test_weights_spread_in_other_ways_are_refused_before_training(clips, start, tmp_path, monkeypatch):
    monkeypatch.setattr(Accelerator, "distributed_type", property(lambda self: DistributedType.DEEPSPEED))
    with pytest.raises(OptionError, match="DEEPSPEED"):
        _alone("pose", clips, write_recipe(tmp_path / "tiny.toml"), tmp_path / "run", start)
