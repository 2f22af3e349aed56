"""Stages from files to files: what trains, what stays, and that a killed run goes on as if nothing had been."""

from __future__ import annotations

import csv
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from magicpose_cli.diffusion.facts import read_facts
from magicpose_cli.diffusion.fresh import new_model
from magicpose_cli.errors import InputError, MagicPoseError, OptionError, RecipeError
from magicpose_cli.recipe import STAGES, Recipe, find_recipe, read_recipe
from magicpose_cli.training import loop
from magicpose_cli.training.given import check_given
from magicpose_cli.training.run import run_all, run_stage
from magicpose_cli.training.stage import WHOLE
from magicpose_cli.training.stages import freeze_unreached
from magicpose_cli.training.vae_stage import TrainVae

from ..tiny import TINY, make_tiny
from .conftest import in_two_processes, write_recipe


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


def _all_weights(model: Path) -> torch.Tensor:
    """What the stages of the network train, as one vector."""
    names = ("unet", "appearance_unet", "pose_controlnet", "motion_adapter")
    parts = (_weights(model, part) for part in names if (model / part).is_dir())
    return torch.cat([weight.flatten() for part in parts for _, weight in sorted(part.items())])


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
    models["distill"] = _run("distill", clips, recipe, folder / "distill", models["motion"])
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


def test_a_student_has_another_unet_and_its_own_way_of_sampling(stages):
    motion, student = stages["motion"], stages["distill"]
    for part in ("unet", "motion_adapter"):
        assert _differ(_weights(motion, part), _weights(student, part))
    for part in ("vae", "appearance_unet", "pose_controlnet"):
        assert not _differ(_weights(motion, part), _weights(student, part))
    sampling = read_facts(student).sampling
    assert (sampling.num_inference_steps, sampling.guidance_scale) == (2, 1.0)
    assert read_facts(student).has_motion


def test_a_resumed_student_has_the_teacher_that_it_began_with(clips, stages, tmp_path):
    # so large a rate that a teacher taken from the half-trained student would be another
    options = {"learning_rate": 0.05, "guidance_scale": 2.0}
    whole = write_recipe(tmp_path / "whole.toml", distill=options)
    half = write_recipe(tmp_path / "half.toml", distill={**options, "steps": 2})
    unbroken = _run("distill", clips, whole, tmp_path / "unbroken", stages["motion"])
    _run("distill", clips, half, tmp_path / "broken", stages["motion"])
    resumed = _run("distill", clips, whole, tmp_path / "broken", resume=True)
    for part in ("unet", "motion_adapter"):
        for name, tensor in _weights(unbroken, part).items():
            torch.testing.assert_close(_weights(resumed, part)[name], tensor)


def test_a_run_leaves_a_log_and_pictures(stages):
    run_dir = stages["pose"].parent
    rows = list(csv.DictReader((run_dir / "log.csv").open()))
    assert int(rows[-1]["step"]) == 4
    assert float(rows[-1]["loss"]) > 0
    assert (run_dir / "samples" / "000004.png").is_file()


def test_batches_read_by_several_threads_come_in_order(clips, tmp_path, monkeypatch):
    recipe = write_recipe(tmp_path / "tiny.toml")
    read = TrainVae.batch
    readers = set()

    def slow_at_first(self, seed, step, share=WHOLE):
        readers.add(threading.get_ident())
        time.sleep(0.2 if step == 0 else 0)
        return read(self, seed, step, share)

    monkeypatch.setattr(TrainVae, "batch", slow_at_first)
    monkeypatch.setattr(loop, "_readers", lambda _: 4)
    several = _run("vae", clips, recipe, tmp_path / "several")
    assert len(readers) > 1
    monkeypatch.setattr(loop, "_readers", lambda _: 1)
    one = _run("vae", clips, recipe, tmp_path / "one")
    assert not _differ(_weights(several, "vae"), _weights(one, "vae"))


@pytest.mark.parametrize(("cores", "processes", "expected"), [(16, 1, 12), (16, 8, 2), (2, 1, 2), (2, 4, 1)])
def test_processes_share_the_cores_that_read(monkeypatch, cores, processes, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert loop._readers(processes) == expected


def test_a_run_that_fails_drops_what_it_had_not_begun_to_read(clips, tmp_path, monkeypatch):
    recipe = write_recipe(tmp_path / "tiny.toml", vae={"steps": 400})
    read, begun = TrainVae.batch, []
    monkeypatch.setattr(TrainVae, "batch", lambda *given: begun.append(1) or time.sleep(0.05) or read(*given))
    monkeypatch.setattr(loop, "_readers", lambda _: 1)
    monkeypatch.setattr(loop, "_check_loss", lambda *_: pytest.fail("a fault"))
    with pytest.raises(pytest.fail.Exception):
        _run("vae", clips, recipe, tmp_path / "run")
    assert len(begun) <= 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_a_resumed_run_ends_where_an_unbroken_one_does(clips, tmp_path):
    whole = write_recipe(tmp_path / "whole.toml", vae={"ema_decay": 0.9})
    half = write_recipe(tmp_path / "half.toml", vae={"ema_decay": 0.9, "steps": 2})
    unbroken = _run("vae", clips, whole, tmp_path / "unbroken")
    _run("vae", clips, half, tmp_path / "broken")
    with pytest.raises(InputError, match="--resume"):
        _run("vae", clips, whole, tmp_path / "broken")
    log = tmp_path / "broken" / "log.csv"
    rows = [row[:4] for row in csv.reader(log.open())]  # as earlier versions wrote it
    rows.append(["3", "9.9", "1e-3", "1.0"])  # as a run leaves it that was killed before it saved again
    log.write_text("".join(",".join(row) + "\n" for row in rows))
    resumed = _run("vae", clips, whole, tmp_path / "broken", resume=True)
    with pytest.raises(InputError, match="one of the vae stage"):
        _run("pose", clips, whole, tmp_path / "broken", resume=True)
    for name, tensor in _weights(unbroken, "vae").items():
        torch.testing.assert_close(_weights(resumed, "vae")[name], tensor)
    rows = list(csv.DictReader((tmp_path / "broken" / "log.csv").open()))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert float(rows[1]["seconds"]) >= float(rows[0]["seconds"])
    assert rows[0]["held_out_loss"] == "" and float(rows[1]["held_out_loss"]) > 0


def test_models_stay_and_the_held_out_loss_is_of_the_same_batch(clips, stages, tmp_path):
    # so small a rate changes nothing: what differs is the batch
    numbers = {"learning_rate": 1e-12, "sample_every": 1, "keep_every": 2, "steps": 5, "save_every": 5}
    masked = {"mask_face": 0.9, "drop_conditions": 0.5, "train_unet": True, "accumulate": 2}
    recipe = write_recipe(tmp_path / "kept.toml", pose={**numbers, **masked})
    model = _run("pose", clips, recipe, tmp_path / "run", stages["vae"])
    assert sorted(p.name for p in (tmp_path / "run").glob("model*")) == ["model", "model-2", "model-4"]
    assert not read_facts(tmp_path / "run" / "model-2").has_motion
    assert _differ(_weights(tmp_path / "run" / "model-2", "unet"), _weights(model, "unet"))
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open()))
    assert len({row["loss"] for row in rows}) == 5
    held_out = [float(row["held_out_loss"]) for row in rows]
    assert len(held_out) == 5 and held_out == pytest.approx([held_out[0]] * 5, rel=1e-4)
    bare = tmp_path / "bare"
    shutil.copytree(clips / "train_set", bare / "train_set")
    shutil.copytree(clips / "pose_map_train_set", bare / "pose_map_train_set")
    _run("pose", bare, recipe, tmp_path / "other", stages["vae"])
    rows = list(csv.DictReader((tmp_path / "other" / "log.csv").open()))
    assert {row["held_out_loss"] for row in rows} == {""}


def test_a_resumed_run_takes_the_recipes_numbers_and_no_other_optimizer(clips, stages, tmp_path):
    begun = write_recipe(tmp_path / "begun.toml", pose={"steps": 2, "weight_decay": 0.1, "ema_decay": 0.5})
    _run("pose", clips, begun, tmp_path / "run", stages["vae"])
    muon = write_recipe(tmp_path / "muon.toml", pose={"optimizer": "muon"})
    with pytest.raises(InputError, match=r"adamw.*begun.*muon"):
        _run("pose", clips, muon, tmp_path / "run", resume=True)
    frozen = write_recipe(tmp_path / "frozen.toml", pose={"train_unet": False})
    with pytest.raises(InputError, match="train_unet"):
        _run("pose", clips, frozen, tmp_path / "run", resume=True)
    # the average of one that is not averaged is the last: with so much decay, nothing is left of the weights
    numbers = {"learning_rate": 1e-9, "weight_decay": 1e9, "ema_decay": 1e-9}
    gone = write_recipe(tmp_path / "gone.toml", pose={"steps": 3, **numbers})
    model = _run("pose", clips, gone, tmp_path / "run", resume=True)
    weight = _weights(model, "unet")["conv_in.weight"]
    assert weight.abs().max() < 1e-6


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_last_good_model(clips, tmp_path):
    good = write_recipe(tmp_path / "good.toml", vae={"steps": 2})
    before = _weights(_run("vae", clips, good, tmp_path / "run"), "vae")
    wild = write_recipe(tmp_path / "wild.toml", vae={"steps": 8, "learning_rate": 1e30})
    with pytest.raises(MagicPoseError, match="learning_rate"):
        _run("vae", clips, wild, tmp_path / "run", resume=True)
    kept = _weights(tmp_path / "run" / "model", "vae")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())
    assert not _differ(before, kept)


@pytest.mark.parametrize(
    "betas", [{"beta_start": 0.1, "beta_end": 0.1}, {"beta_start": 0.5, "beta_end": 1.5}]
)
def test_a_schedule_that_leaves_no_number_is_refused(tmp_path, betas):
    recipe = write_recipe(tmp_path / "noisy.toml", schedule={"beta_schedule": "linear", **betas})
    with pytest.raises(RecipeError, match="lower the betas"):
        read_recipe(recipe)


def test_a_linear_start_of_weights_that_were_given_is_said_not_to_be(clips, stages, tmp_path, capsys):
    recipe = write_recipe(tmp_path / "linear.toml", vae={"linear_start": True, "steps": 1})
    _run("vae", clips, recipe, tmp_path / "run", stages["vae"])
    assert "linear_start is for fresh weights" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("changes", [{"train_unet": False}, {"gradient_checkpointing": True}])
def test_dropped_conditions_that_would_fail_are_refused(tmp_path, changes):
    recipe = write_recipe(tmp_path / "drops.toml", pose={"drop_conditions": 0.5, **changes})
    with pytest.raises(RecipeError, match="drop_conditions"):
        read_recipe(recipe)


def test_a_run_killed_while_it_writes_its_model_is_not_done(clips, tmp_path, monkeypatch):
    recipe = write_recipe(tmp_path / "tiny.toml")
    unbroken = _run("vae", clips, recipe, tmp_path / "unbroken")
    written = []
    save = loop._save_model

    def killed_the_second_time(pipeline, target):
        if written:
            raise KeyboardInterrupt
        written.append(target)
        save(pipeline, target)

    monkeypatch.setattr(loop, "_save_model", killed_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        _run("vae", clips, recipe, tmp_path / "broken")
    monkeypatch.undo()
    resumed = _run("vae", clips, recipe, tmp_path / "broken", resume=True)
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


@pytest.mark.parametrize("attention", [(), (True, True), (False, True)])
def test_frozen_is_just_what_the_loss_never_reaches(attention):
    recipe = Recipe.model_validate({**TINY, "unet": {**TINY["unet"], "attention": attention}})
    pipeline = new_model(recipe)
    for parameter in pipeline.pose_controlnet.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # its silent outputs would stop the gradient
    network = pipeline.network.train().requires_grad_(True)
    text = pipeline.prompt_embeds
    bank = network.read_reference(torch.randn(1, 4, 8, 8), torch.tensor([9]), text)
    clip, maps = torch.randn(1, 1, 4, 8, 8), torch.rand(1, 1, 3, 32, 32)
    network(clip, torch.tensor([9]), text, bank, maps).square().mean().backward()
    unreached = {name for name, p in pipeline.appearance_unet.named_parameters() if p.grad is None}
    freeze_unreached(pipeline.appearance_unet)
    frozen = {name for name, p in pipeline.appearance_unet.named_parameters() if not p.requires_grad}
    assert frozen == unreached


@pytest.mark.parametrize("attention", [(False, False), (True,)])
def test_a_unet_that_cannot_read_a_reference_is_no_recipe(attention):
    with pytest.raises(ValueError, match="attention"):
        Recipe.model_validate({**TINY, "unet": {**TINY["unet"], "attention": attention}})


def _last_loss(run_dir: Path) -> float:
    return float(list(csv.DictReader((run_dir / "log.csv").open()))[-1]["loss"])


SHARED = {"batch_size": 4, "drop_conditions": 0.5, "hand_weight": 1.0, "steps": 3}


def test_forward_passes_that_share_a_batch_give_the_same_losses_and_weights(
    clips, stages, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1")  # which overrules no recipe
    once = write_recipe(tmp_path / "once.toml", pose=SHARED)
    parts = write_recipe(tmp_path / "parts.toml", pose={**SHARED, "accumulate": 4})
    _run("pose", clips, once, tmp_path / "once", stages["vae"])
    _run("pose", clips, parts, tmp_path / "parts", stages["vae"])
    assert _last_loss(tmp_path / "parts") == pytest.approx(_last_loss(tmp_path / "once"), rel=1e-5)
    for part in ("unet", "pose_controlnet"):
        ours, theirs = (_weights(tmp_path / run / "model", part) for run in ("parts", "once"))
        for name, tensor in ours.items():
            torch.testing.assert_close(tensor, theirs[name], atol=2e-4, rtol=1e-3)


def test_two_processes_run_all_stages(clips, tmp_path):
    recipe = write_recipe(tmp_path / "tiny.toml", motion={"batch_size": 2}, distill={"batch_size": 2})
    done = in_two_processes("all", "--recipe", recipe, "--data", clips, "-o", tmp_path / "runs")
    assert done.stdout.strip() == str(tmp_path / "runs" / "distill" / "model")
    assert read_facts(tmp_path / "runs" / "distill" / "model").has_motion


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("pose", SHARED),
        ("pose", SHARED | {"optimizer": "muon", "accumulate": 2}),
        ("motion", {"optimizer": "muon", "batch_size": 2}),
        ("distill", {"batch_size": 2, "guidance_scale": 2.0}),
    ],
    ids=["adamw", "muon", "motion", "distill"],
)
def test_two_processes_give_the_losses_and_weights_of_one(clips, tmp_path, stage, changes):
    wide = {"block_out_channels": [16, 64]}  # Muon's are matrices of 64 rows and more
    recipe = write_recipe(tmp_path / "shared.toml", unet=wide, **{stage: changes})
    start = tmp_path / "start"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        new_model(read_recipe(recipe), motion=stage in ("motion", "distill")).save_pretrained(start)
    _run(stage, clips, recipe, tmp_path / "one", start)
    done = in_two_processes(
        stage, "--recipe", recipe, "--data", clips, "--init", start, "-o", tmp_path / "two"
    )
    before, one, two = (
        _all_weights(path) for path in (start, tmp_path / "one/model", tmp_path / "two/model")
    )
    assert (two - one).norm() < 0.01 * (one - before).norm()
    assert "2 processes (MULTI_CPU)" in done.stderr
    assert len(done.stdout.splitlines()) == 1  # one of them speaks
    assert _last_loss(tmp_path / "two") == pytest.approx(_last_loss(tmp_path / "one"), rel=1e-5)


def test_a_batch_that_cannot_be_shared_is_refused(clips, stages, tmp_path):
    recipe = write_recipe(tmp_path / "odd.toml", pose={"batch_size": 3, "accumulate": 2})
    with pytest.raises(RecipeError, match="3 for 2 shares"):
        _run("pose", clips, recipe, tmp_path / "run", stages["vae"])


def test_all_stages_in_one_go_and_again(clips, tmp_path, capsys):
    recipe = write_recipe(tmp_path / "tiny.toml")
    options = {"recipe": str(recipe), "data_dir": clips, "init_dirs": [], "seed": 0}
    model = run_all(**options, run_dir=tmp_path / "runs", resume=False)
    assert model == tmp_path / "runs" / "distill" / "model"
    assert read_facts(model).has_motion
    assert [p.name for p in sorted((tmp_path / "runs").iterdir())] == sorted(STAGES)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.safetensors")}
    capsys.readouterr()
    assert run_all(**options, run_dir=tmp_path / "runs", resume=True) == model
    assert capsys.readouterr().err.count("done already") == len(STAGES)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.safetensors")}


def test_all_stages_keep_what_they_trained_of_several_folders(clips, tmp_path, capsys):
    tables = ("unet", "vae_shape", "vae", "base")  # a recipe for networks that come from elsewhere
    recipe = write_recipe(tmp_path / "tiny.toml", without=tables)
    whole = make_tiny(motion=True, seed=3)
    for part in ("unet", "vae"):
        getattr(whole, part).save_pretrained(tmp_path / "sd" / part)
    save_file({"prompt_embeds": whole.prompt_embeds}, tmp_path / "sd" / "prompt_embeds.safetensors")
    whole.pose_controlnet.save_pretrained(tmp_path / "openpose")
    whole.motion_adapter.save_pretrained(tmp_path / "mm")
    inits = [tmp_path / name for name in ("sd", "openpose", "mm")]
    runs = tmp_path / "runs"
    options = {"recipe": str(recipe), "data_dir": clips, "run_dir": runs, "resume": False, "seed": 0}
    check_given(None, init_dirs=inits, **options)
    last = run_all(init_dirs=inits, **options)
    assert "motion_adapter: not in the pose stage" in " ".join(capsys.readouterr().err.split())
    assert not read_facts(runs / "pose" / "model").has_motion
    for part in ("pose_controlnet", "appearance_unet"):
        assert not _differ(_weights(last, part), _weights(runs / "pose" / "model", part))
    assert _differ(
        _weights(last, "pose_controlnet"), load_file(inits[1] / "diffusion_pytorch_model.safetensors")
    )


def test_stages_may_differ_in_precision(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "training_precision", lambda wanted, _: wanted)  # as on a CPU that has bf16
    recipe = write_recipe(
        tmp_path / "tiny.toml",
        without=("appearance", "pose", "motion", "distill"),
        base={"mixed_precision": "bf16"},
    )
    options = {"recipe": str(recipe), "data_dir": clips, "init_dirs": [], "resume": False, "seed": 0}
    assert run_all(**options, run_dir=tmp_path / "runs") == tmp_path / "runs" / "base" / "model"


def test_a_resumed_run_tells_what_has_changed(clips, tmp_path, capsys):
    half = write_recipe(tmp_path / "half.toml", vae={"steps": 2})
    _run("vae", clips, half, tmp_path / "run")
    options = {
        "recipe": str(half),
        "data_dir": clips,
        "init_dirs": [],
        "run_dir": tmp_path / "run",
        "resume": True,
    }
    with pytest.raises(OptionError, match="Add --seed 0"):
        run_stage("vae", **options, seed=1)
    _run(
        "vae",
        clips,
        write_recipe(tmp_path / "whole.toml", vae={"batch_size": 4}),
        tmp_path / "run",
        resume=True,
    )
    assert "vae.steps 2 -> 4, vae.batch_size 2 -> 4" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["mini", "smoke", "sd15", "ablation"])
def test_shipped_recipes_are_whole(name):
    recipe = read_recipe(find_recipe(name))
    assert recipe.stages()
    if name == "sd15":
        block = recipe.sampling
        assert block.chosen("paper", None, None, None) == block
        assert block.chosen("draft", None, None, None).guided == (0.0, 0.5)
        # the paper's numbers (5.2, appendix C)
        assert (recipe.appearance.steps, recipe.appearance.batch_size) == (10_000, 64)
        assert recipe.appearance.learning_rate == 1e-4
        assert (recipe.pose.steps, recipe.pose.batch_size) == (20_000, 16)
        assert (recipe.motion.steps, recipe.motion.batch_size, recipe.motion.frames) == (30_000, 8, 16)
        assert not recipe.appearance.train_unet and not recipe.pose.train_unet
        assert recipe.sampling.guidance_scale == 7
    else:
        recipe.shapes()


def test_a_stage_that_the_recipe_lacks_is_refused(clips, tmp_path):
    with pytest.raises(RecipeError, match=r"a \[vae\] block"):
        run_stage(
            "vae", recipe="sd15", data_dir=clips, init_dirs=[], run_dir=tmp_path / "run", resume=False, seed=0
        )
