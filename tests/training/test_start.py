"""What a stage starts from: networks of several folders, and what is missing."""

from __future__ import annotations

import shutil

import pytest
import torch
from diffusers import ControlNetModel, MotionAdapter
from safetensors.torch import load_file, save_file

from magicpose_cli.errors import InputError
from magicpose_cli.recipe import Recipe
from magicpose_cli.training.start import starting_model

from ..tiny import TINY, make_tiny

FROM_NOTHING = Recipe.model_validate(TINY)
FROM_OTHERS = Recipe.model_validate({k: v for k, v in TINY.items() if k not in ("unet", "vae_shape", "vae")})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model, and its networks as they would come from elsewhere: SD's, a ControlNet, a motion module."""
    root = tmp_path_factory.mktemp("folders")
    tiny = make_tiny(motion=True, seed=5)
    tiny.save_pretrained(root / "model")
    for part in ("unet", "vae"):
        shutil.copytree(root / "model" / part, root / "sd" / part)
    shutil.copy(root / "model" / "prompt_embeds.safetensors", root / "sd")
    make_tiny(seed=6).pose_controlnet.save_pretrained(root / "pose")
    make_tiny(motion=True, seed=7).motion_adapter.save_pretrained(root / "motion")
    return root


def _same(one, other):
    return all(torch.equal(t, other.state_dict()[n]) for n, t in one.state_dict().items())


def test_the_appearance_stage_starts_from_stable_diffusion_alone(folders, capsys):
    model = starting_model("appearance", FROM_OTHERS, [folders / "sd"], 0)
    assert _same(model.appearance_unet, model.unet)
    assert model.pose_controlnet is None
    assert model.prompt_embeds is not None
    said = capsys.readouterr().err
    assert f"unet: from {folders / 'sd' / 'unet'}" in said
    assert "appearance_unet: a copy of the unet" in said


def test_later_folders_take_the_place_of_earlier_ones(folders):
    inits = [folders / "model", folders / "pose", folders / "motion"]
    model = starting_model("motion", FROM_OTHERS, inits, 0)
    assert _same(model.pose_controlnet, ControlNetModel.from_pretrained(folders / "pose"))
    assert _same(model.motion_adapter, MotionAdapter.from_pretrained(folders / "motion"))
    assert _same(model.unet, make_tiny(motion=True, seed=5).unet)


@pytest.mark.parametrize(
    ("stage", "inits", "words"),
    [
        ("base", [], "a vae to start the base stage from"),
        ("base", ["sd"], "Add --init with the model of the vae stage"),
        ("vae", ["sd"], "an appearance_unet to start the vae stage from"),
        ("pose", ["sd"], "Add --init with the model of the appearance stage"),
        ("motion", ["bare"], "AnimateDiff's motion module"),
        ("appearance", ["pose"], "a vae to start"),
        ("appearance", ["wordless"], "embedding of the empty prompt"),
        ("appearance", ["."], "none in diffusers' layout"),
    ],
)
def test_a_stage_says_what_it_needs(folders, stage, inits, words):
    if not (folders / "bare").exists():
        make_tiny().save_pretrained(folders / "bare")
        shutil.copytree(folders / "sd", folders / "wordless")
        (folders / "wordless" / "prompt_embeds.safetensors").unlink()
    with pytest.raises(InputError, match=words):
        starting_model(stage, FROM_OTHERS, [folders / name for name in inits], 0)


def test_a_small_model_brings_its_own_motion_module(folders, capsys):
    make_tiny().save_pretrained(folders / "plain")
    model = starting_model("motion", FROM_NOTHING, [folders / "plain"], 0)
    assert model.motion_adapter is not None
    assert "motion_adapter: made from nothing" in capsys.readouterr().err


def test_the_recipes_schedule_counts_and_another_one_is_said(folders, capsys):
    changed = {"schedule": {**TINY["schedule"], "prediction_type": "sample"}}
    recipe = Recipe.model_validate({**TINY, **changed})
    pipeline = starting_model("pose", recipe, [folders / "model"], 0)
    assert pipeline.scheduler.config.prediction_type == "sample"
    said = " ".join(capsys.readouterr().err.split())
    assert "prediction_type v_prediction -> sample" in said
    starting_model("pose", Recipe.model_validate(TINY), [folders / "model"], 0)
    assert "takes the place" not in capsys.readouterr().err


def test_weights_that_are_missing_or_left_over_are_named(folders, tmp_path, capsys):
    shutil.copytree(folders / "model", tmp_path / "model")
    file = tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    save_file({**weights, "somebody.elses": torch.zeros(1)}, file)
    starting_model("pose", FROM_NOTHING, [tmp_path / "model"], 0)
    assert "belong to no unet and are left: somebody.elses" in " ".join(capsys.readouterr().err.split())
    del weights["conv_in.bias"], weights["conv_out.weight"]
    save_file(weights, file)
    with pytest.raises(InputError, match=r"2 missing: conv_in\.bias, conv_out\.weight"):
        starting_model("pose", FROM_NOTHING, [tmp_path / "model"], 0)
