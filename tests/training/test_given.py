"""What a stage is given is checked before anything is loaded or trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.errors import InputError, MagicPoseError, RecipeError
from magicpose_cli.recipe import read_recipe
from magicpose_cli.training.given import check_given
from magicpose_cli.training.run_folder import read_step

from ..tiny import make_tiny
from .conftest import write_recipe


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    make_tiny().save_pretrained(folder)
    return folder


@pytest.fixture
def check(clips, tmp_path):
    def run(stage, *inits, data=clips, resume=False, without=(), **changes):
        recipe = write_recipe(tmp_path / "tiny.toml", without=without, **changes)
        check_given(
            stage,
            recipe=str(recipe),
            data_dir=data,
            init_dirs=list(inits),
            run_dir=tmp_path / "run",
            resume=resume,
            seed=0,
        )

    return run


def test_all_stages_from_nothing_and_one_from_a_model(check, model, tmp_path):
    """What is there is let through; the same without one network is not."""
    check(None)
    check("pose", model)
    check("motion", model)
    check("distill", model)
    shutil.copytree(model, tmp_path / "less", ignore=shutil.ignore_patterns("pose_controlnet"))
    for stage in ("base", "pose", "motion", "distill"):
        with pytest.raises(InputError, match="a pose_controlnet to start"):
            check(stage, tmp_path / "less")


def test_entries_that_are_set_take_the_place_of_the_recipes(clips, tmp_path):
    recipe = write_recipe(tmp_path / "tiny.toml")
    quick = "sampling.presets.quick"
    changes = ["pose.steps=9", "pose.optimizer=muon", "unet.attention=[true, true]", "pose.steps = 8"]
    changes += [f"{quick}.num_inference_steps=1", f"{quick}.guidance_scale=1.5"]
    changed = read_recipe(recipe, changes)
    assert (
        changed.pose.steps == 8
        and changed.pose.optimizer == "muon"
        and changed.unet.attention == (True, True)
    )
    assert changed.sampling.presets["quick"].guidance_scale == 1.5
    assert changed.pose.batch_size == read_recipe(recipe).pose.batch_size
    for wrong, named in (
        ("pose.stps=9", r"pose\.stps: Extra"), ("pos.steps=9", "pos: Extra"), ("pose.steps=-1", r"pose\.steps: "),
        ("pose.steps=many", r"pose\.steps: "), ("steps=9", "'steps=9'"), ("pose.steps", "'pose.steps'"),
        ("pose.steps.of=1", "a table steps"), (".steps=1", "'.steps=1'"),
    ):  # fmt: skip
        with pytest.raises(RecipeError, match=named):
            read_recipe(recipe, [wrong])
    out = tmp_path / "run"
    command = ["train", "vae", "--recipe", recipe, "--data", clips, "-o", out, "--set", "vae.steps=1"]
    refused = CliRunner().invoke(app, [*map(str, command), "--set", "vae.stepz=1"])
    assert refused.exit_code == 2 and "vae.stepz" in refused.stderr and not out.exists()
    done = CliRunner().invoke(app, [*map(str, command)])
    assert done.exit_code == 0, done.stderr
    assert read_step(out)["step"] == 1 and read_step(out)["recipe"]["vae"]["steps"] == 1


def test_what_a_later_stage_lacks_is_told_before_the_first_trains(check, model, tmp_path):
    shutil.copytree(
        model, tmp_path / "sd", ignore=shutil.ignore_patterns("pose_*", "appearance*", "model_index*")
    )
    with pytest.raises(InputError, match="a pose_controlnet to start the pose stage from"):
        check(None, tmp_path / "sd", without=("unet", "vae_shape", "vae", "base"))
    with pytest.raises(InputError, match="clips of at least 8 frames, found none among 3"):
        check(None, motion={"frames": 8})
    with pytest.raises(RecipeError, match=r"at most 24 frames in \[motion\]"):
        check("motion", model, motion={"frames": 25}, data=_long(check, tmp_path))


def test_a_student_needs_as_many_frames_as_its_motion_module_sees(check, model, tmp_path):
    check("distill", model, distill={"frames": 30})  # without one they may be any, and the same twice
    make_tiny(motion=True).save_pretrained(tmp_path / "moving")
    with pytest.raises(InputError, match="clips of at least 8 frames, found none among 3"):
        check("distill", tmp_path / "moving", distill={"frames": 8})
    with pytest.raises(RecipeError, match=r"at most 24 frames in \[distill\]"):
        check("distill", tmp_path / "moving", distill={"frames": 25}, data=_long(check, tmp_path))
    with pytest.raises(RecipeError, match="a multiple of student_steps"):
        check("distill", model, distill={"student_steps": 5})


def _long(check, tmp_path):
    """A clip of thirty frames."""
    for kind in ("train_set", "pose_map_train_set"):
        folder = tmp_path / "long" / kind / "v0"
        folder.mkdir(parents=True)
        for number in range(30):
            (folder / f"{number:04d}.png").write_bytes(b"")
    return tmp_path / "long"


def test_hands_are_masked_with_keypoints_alone(check, model):
    with pytest.raises(
        InputError, match=r"poses/v0\.npz, and those of 2 more\. Make each with magicpose extract-pose"
    ):
        check("pose", model, pose={"mask_hand": 0.5})


def test_a_model_that_is_no_runs_is_not_replaced(check, tmp_path):
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "precious.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(InputError, match="which the run would replace"):
            check("vae", resume=resume)


def test_a_run_killed_between_model_and_state_goes_on(check, model, tmp_path):
    shutil.copytree(model, tmp_path / "run" / "model")
    with pytest.raises(InputError, match="which the run would replace"):
        check("vae")
    check("vae", resume=True)


def test_what_has_begun_goes_on_from_its_own_model(check, model, clips, tmp_path):
    """Without the folders that it was begun with, and with its own motion module's limit."""
    begun = tmp_path / "run" / "appearance"
    shutil.copytree(model, begun / "model")
    (begun / "state").mkdir()
    (begun / "state" / "step.json").write_text('{"stage": "appearance", "step": 2}')
    elsewhere = ("unet", "vae_shape", "vae", "base", "motion")
    check(None, without=elsewhere, resume=True)
    with pytest.raises(InputError, match="networks in"):  # the pose stage has not begun
        check(None, tmp_path / "gone", without=elsewhere, resume=True)
    shutil.rmtree(tmp_path / "run")
    make_tiny(motion=True).save_pretrained(tmp_path / "run" / "model")
    config = tmp_path / "run" / "model" / "motion_adapter" / "config.json"
    config.write_text(
        config.read_text().replace('"motion_max_seq_length": 24', '"motion_max_seq_length": 32')
    )
    (tmp_path / "run" / "state").mkdir()
    (tmp_path / "run" / "state" / "step.json").write_text('{"stage": "motion", "step": 2, "seed": 0}')
    check("motion", tmp_path / "gone", resume=True, motion={"frames": 26}, data=_long(check, tmp_path))


def test_an_embedding_alone_is_no_model(check, model, tmp_path):
    (tmp_path / "words").mkdir()
    shutil.copy(model / "prompt_embeds.safetensors", tmp_path / "words")
    with pytest.raises(InputError, match="a vae to start the vae stage from"):
        check("vae", tmp_path / "words")


def test_networks_that_cannot_be_read_are_named(check, model, tmp_path):
    name = "diffusion_pytorch_model"
    shutil.copytree(model, tmp_path / "half")
    weights = tmp_path / "half" / "unet" / f"{name}.safetensors"
    weights.rename(weights.with_name(f"{name}.fp16.safetensors"))
    with pytest.raises(InputError, match=r"found diffusion_pytorch_model\.fp16\.safetensors\. Rename"):
        check("pose", tmp_path / "half")
    weights.with_name(f"{name}.fp16.safetensors").unlink()
    weights.write_bytes(b"cut short")
    with pytest.raises(MagicPoseError, match="a file that cannot be used"):
        check("pose", tmp_path / "half")
    (tmp_path / "half" / "unet" / "config.json").write_text("{")
    with pytest.raises(MagicPoseError, match=r"unet/config\.json"):
        check("pose", tmp_path / "half")
