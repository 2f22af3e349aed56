"""`magicpose models` and what `retarget` does with a converted model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from diffusers import MotionAdapter, UNet2DConditionModel
from safetensors.torch import save_file
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.diffusion.details import ReferenceDetails
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.media.video import FrameReader, open_writer

from ..tiny import make_tiny

GOLDEN = Path(__file__).parents[3] / "shared" / "fixtures" / "official-mini"


def _run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("inputs"), np.random.default_rng(0)
    make_tiny().save_pretrained(folder / "model")
    make_tiny(motion=True, seed=3).motion_adapter.save_pretrained(folder / "motion")
    make_tiny(seed=4).unet.save_pretrained(folder / "unet")
    unet = make_tiny().unet.config
    UNet2DConditionModel.from_config({**unet, "layers_per_block": 2}).save_pretrained(folder / "deep")
    settings = {**make_tiny(motion=True).motion_adapter.config, "motion_max_seq_length": 4}
    MotionAdapter.from_config(settings).save_pretrained(folder / "short")
    for name in ("person", "again"):
        save_picture(folder / f"{name}.png", draw.integers(0, 256, (64, 64, 3), np.uint8))
    with open_writer(folder / "maps", 8) as writer:
        for _ in range(5):
            writer.write(draw.integers(0, 256, (64, 64, 3), np.uint8))
    return folder


def _retarget(inputs, out, *options, model="model"):
    return _run(
        "retarget", inputs / "person.png", inputs / "maps", "-o", out, "--model", inputs / model, "--size", "64x64",
        "--driving-kind", "pose-maps", "--device", "cpu", "--json", *options,
    )  # fmt: skip


def _frames(folder):
    return np.stack(list(FrameReader(folder)))


def test_each_option_reaches_the_picture_and_the_report(inputs, tmp_path, monkeypatch):
    plain = _retarget(inputs, tmp_path / "plain")
    assert plain.exit_code == 0, plain.output
    assert "no motion module" in plain.stderr
    frames = _frames(tmp_path / "plain")
    choices = {
        ("--also", inputs / "again.png"): ("also", [str(inputs / "again.png")]),
        ("--appearance-scale", 0.3): ("appearance_scale", 0.3),
        ("--pose-scale", 0.3): ("pose_scale", 0.3),
        ("--pose-start", 0.5): ("pose_start", 0.5),
        ("--pose-end", 0.5): ("pose_end", 0.5),
        ("--noise", "independent"): ("noise", "independent"),
        ("--noisy-reference",): ("noisy_reference", True),
        ("--base-unet", inputs / "unet"): ("base_unet", str(inputs / "unet")),
        ("--motion-module", inputs / "motion"): ("motion_module", str(inputs / "motion")),
        ("--motion-module", inputs / "motion", "--windows", "reference"): ("windows", "reference"),
    }
    for number, (options, (entry, value)) in enumerate(choices.items()):
        out = tmp_path / str(number)
        done = _retarget(inputs, out, *options)
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["options"][entry] == value
        before = _frames(tmp_path / str(number - 1)) if "--windows" in options else frames
        assert not np.array_equal(_frames(out), before), options
    # nothing that the tiny model makes agrees with a reference, so any details will do
    assert json.loads(plain.stdout)["options"]["reference_details"] is False
    monkeypatch.setattr(ReferenceDetails, "__call__", lambda _, frame: 255 - frame)
    detailed = _retarget(inputs, tmp_path / "detailed", "--reference-details")
    assert json.loads(detailed.stdout)["options"]["reference_details"] is True
    assert np.array_equal(_frames(tmp_path / "detailed"), 255 - frames)
    report = json.loads((tmp_path / "0" / "report.json").read_text())
    assert len(report["also_given"]["also 1"]) == 64


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--pose-start", 0.7, "--pose-end", 0.5], "a start of the pose before its end"),
        (["--motion-module", "motion", "--windows", "reference", "--overlap", 6], "at least 6 frames"),
        (["--pose-start", 0.9, "--pose-end", 0.95], "which holds none"),
        (["--appearance-scale", "inf"], "scales of 0 or more"),
        (["--motion-module", "short"], "--window of at most 4"),
        (["--base-unet", "deep"], "layers_per_block"),
        (["--base-unet", "nowhere"], "nowhere"),
        (["--motion-module", "model/vae"], "a MotionAdapter in"),
        (["--also", "nobody.png"], "nobody.png"),
    ],
)
def test_what_cannot_be_is_said_before_a_model_loads(inputs, tmp_path, options, words, monkeypatch):
    monkeypatch.chdir(inputs)
    done = _retarget(inputs, tmp_path / "out", *options)
    assert done.exit_code == 2, done.output
    assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot_do_the_job_is_told_apart(inputs, tmp_path):
    import shutil

    shutil.copytree(inputs / "model", tmp_path / "wordless")
    (tmp_path / "wordless" / "prompt_embeds.safetensors").unlink()
    done = _retarget(inputs, tmp_path / "out", model=tmp_path / "wordless")
    assert done.exit_code == 2
    assert "--prompt-embeds" in done.stderr
    shutil.copytree(inputs / "model", tmp_path / "stage1")
    index = json.loads((tmp_path / "stage1" / "model_index.json").read_text())
    index["pose_controlnet"] = [None, None]
    (tmp_path / "stage1" / "model_index.json").write_text(json.dumps(index))
    done = _retarget(inputs, tmp_path / "out", model=tmp_path / "stage1")
    assert done.exit_code == 2
    assert "second stage" in done.stderr


def test_a_converted_checkpoint_makes_a_video(inputs, tmp_path):
    if not GOLDEN.is_dir():
        pytest.skip("the reference implementation's golden numbers (../shared/fixtures) are not here")
    with np.load(GOLDEN / "inputs.npz") as arrays:
        np.save(tmp_path / "empty.npy", arrays["context"])
    done = _run(
        "models", "convert", GOLDEN / "official_state_dict.safetensors", "-o", tmp_path / "model",
        "--prompt-embeds", tmp_path / "empty.npy",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "unet: 3.3 M parameters in 684 tensors" in done.stdout
    assert "left behind, 16 tensors: the appearance net's hint block" in done.stdout
    done = _run(
        "retarget", inputs / "person.png", inputs / "maps", "-o", tmp_path / "out/", "--model", tmp_path / "model",
        "--size", "64x64", "--steps", 2, "--driving-kind", "pose-maps", "--device", "cpu",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert _frames(tmp_path / "out").shape == (5, 64, 64, 3)


def test_errors_are_one_message(tmp_path):
    save_file({}, tmp_path / "empty.safetensors")
    for arguments in (
        ("convert", tmp_path / "empty.safetensors", "-o", tmp_path / "out"),
        ("convert", tmp_path / "none.th", "-o", tmp_path / "out"),
        ("export", tmp_path, "-o", tmp_path / "out.th"),
        ("export", "mini", "-o", tmp_path / "out.th"),
        ("export", "mini", "-o", tmp_path / "out.txt"),
    ):
        done = _run("models", *arguments)
        assert done.exit_code == 2, arguments
        assert done.stderr.startswith("error: Expected ")
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()
