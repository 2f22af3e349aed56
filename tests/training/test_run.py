"""Stages from files to files: what trains, what stays, and that a killed run goes on as if nothing had been."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from magicpose_cli.diffusion.folder import read_facts
from magicpose_cli.errors import InputError, RecipeError
from magicpose_cli.training.run import run_stage
from magicpose_cli.training.stages import freeze_unreached

from ..tiny import make_tiny
from .conftest import write_recipe


def _run(
    stage: str, clips: Path, recipe: Path, run_dir: Path, init: Path | None = None, resume: bool = False
):
    return run_stage(
        stage,
        recipe=str(recipe),
        data_dir=clips,
        init_dirs=[init] if init else [],
        run_dir=run_dir,
        resume=resume,
        seed=0,
    )


def _weights(model: Path, part: str) -> dict[str, torch.Tensor]:
    return load_file(model / part / "diffusion_pytorch_model.safetensors")


def _differ(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def stages(clips, tmp_path_factory) -> dict[str, Path]:
    """The stages of a small model, one after the other."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = write_recipe(folder / "tiny.toml")
    models = {"vae": _run("vae", clips, recipe, folder / "vae")}
    models["pose"] = _run("pose", clips, recipe, folder / "pose", models["vae"])
    models["motion"] = _run("motion", clips, recipe, folder / "motion", models["pose"])
    return models


def test_each_stage_trains_its_part_and_leaves_the_rest(stages):
    vae, pose, motion = (stages[name] for name in ("vae", "pose", "motion"))
    for part in ("unet", "appearance_unet", "pose_controlnet"):
        assert _differ(_weights(vae, part), _weights(pose, part))
        assert not _differ(_weights(pose, part), _weights(motion, part))
    assert not _differ(_weights(vae, "vae"), _weights(motion, "vae"))
    assert any(
        tensor.any() for name, tensor in _weights(motion, "motion_adapter").items() if "proj_out" in name
    )


def test_a_trained_folder_is_a_whole_model(stages):
    assert not read_facts(stages["pose"]).has_motion
    assert read_facts(stages["motion"]).has_motion
    assert read_facts(stages["motion"]).sampling.num_inference_steps == 3


def test_a_run_leaves_a_log_and_pictures(stages):
    run_dir = stages["pose"].parent
    rows = list(csv.DictReader((run_dir / "log.csv").open()))
    assert int(rows[-1]["step"]) == 4
    assert float(rows[-1]["loss"]) > 0
    assert (run_dir / "samples" / "000004.png").is_file()


def test_a_resumed_run_ends_where_an_unbroken_one_does(clips, tmp_path):
    whole = write_recipe(tmp_path / "whole.toml", vae={"ema_decay": 0.9})
    half = write_recipe(tmp_path / "half.toml", vae={"ema_decay": 0.9, "steps": 2})
    unbroken = _run("vae", clips, whole, tmp_path / "unbroken")
    _run("vae", clips, half, tmp_path / "broken")
    with pytest.raises(InputError, match="--resume"):
        _run("vae", clips, whole, tmp_path / "broken")
    resumed = _run("vae", clips, whole, tmp_path / "broken", resume=True)
    with pytest.raises(InputError, match="one of the vae stage"):
        _run("pose", clips, whole, tmp_path / "broken", resume=True)
    for name, tensor in _weights(unbroken, "vae").items():
        torch.testing.assert_close(_weights(resumed, "vae")[name], tensor)


def test_the_loss_falls(clips, tmp_path):
    settings = {"steps": 60, "save_every": 60, "sample_every": 60, "batch_size": 4}
    recipe = write_recipe(tmp_path / "long.toml", vae=settings)
    _run("vae", clips, recipe, tmp_path / "run")
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / "run" / "log.csv").open())]
    assert losses[-1] < 0.8 * losses[0]


def test_a_stage_refuses_to_start_without_what_it_needs(clips, tmp_path):
    with pytest.raises(InputError, match="--init"):
        _run("pose", clips, write_recipe(tmp_path / "tiny.toml"), tmp_path / "run")
    wide = write_recipe(tmp_path / "wide.toml", vae={"crop_px": 64})
    with pytest.raises(RecipeError, match="crop_px of at most 32"):
        _run("vae", clips, wide, tmp_path / "run")


def test_a_misspelt_recipe_entry_is_named(clips, tmp_path):
    recipe = write_recipe(tmp_path / "typo.toml", pose={"learning_rat": 1e-3})
    with pytest.raises(RecipeError, match=r"pose\.learning_rat"):
        _run("pose", clips, recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"Shipped recipes: .*mini"):
        run_stage("vae", recipe="maxi", data_dir=clips, init_dirs=[], run_dir=tmp_path, resume=False, seed=0)


def test_frozen_is_just_what_the_loss_never_reaches():
    pipeline = make_tiny()
    network = pipeline.network.train().requires_grad_(True)
    text = pipeline.prompt_embeds
    bank = network.read_reference(torch.randn(1, 4, 8, 8), torch.tensor([9]), text)
    clip, maps = torch.randn(1, 1, 4, 8, 8), torch.rand(1, 1, 3, 32, 32)
    network(clip, torch.tensor([9]), text, bank, maps).square().mean().backward()
    unreached = {name for name, p in pipeline.appearance_unet.named_parameters() if p.grad is None}
    freeze_unreached(pipeline.appearance_unet)
    frozen = {name for name, p in pipeline.appearance_unet.named_parameters() if not p.requires_grad}
    assert frozen == unreached
