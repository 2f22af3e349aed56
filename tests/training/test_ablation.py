"""The paper's ablation in one command, at the tiny recipe's scale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.media.pictures import load_picture
from magicpose_cli.pose.sequence import FramePose, PoseSequence
from magicpose_cli.training.ablation import ROWS, UNET_TRAINS, as_markdown

from .conftest import write_recipe


@pytest.fixture
def dataset(clips: Path, tmp_path: Path) -> Path:
    """The little clips with keypoints, and four held-out videos of two frames."""
    root = tmp_path / "clips"
    shutil.copytree(clips, root, ignore=shutil.ignore_patterns(".magicpose"))
    for kind in ("disco_test_set", "pose_map_disco_test_set"):
        first = root / kind / "v0"
        for frame in sorted(first.iterdir())[2:]:
            frame.unlink()
        for name in ("w1", "w2", "w3"):
            shutil.copytree(first, root / kind / name)
        first.rename(root / kind / "w0")
    for name, frames in (("v0", 6), ("v1", 6), ("v2", 6), ("w0", 2), ("w1", 2), ("w2", 2), ("w3", 2)):
        pose = FramePose.empty()
        pose.body[:3] = (16, 10, 1), (16, 18, 1), (10, 18, 1)
        pose.left_hand[:] = [(24 + n % 3, 20 + n // 3, 1) for n in range(21)]
        pose.face[:] = [(14 + n % 5, 8 + n // 20, 1) for n in range(70)]
        (root / "poses").mkdir(exist_ok=True)
        PoseSequence.from_frames([pose] * frames, 32, 40, 8, "v", "0" * 64).save(
            root / "poses" / f"{name}.npz"
        )
    return root


def test_five_rows_are_trained_and_evaluated_and_again(dataset: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", pose={"mask_face": 0.5, "train_unet": True})
    out = tmp_path / "out"
    command = ["study", "ablation", "--recipe", recipe, "--data", dataset, "-o", out, "--clips", "4"]
    done = CliRunner().invoke(app, [str(part) for part in command])
    assert done.exit_code == 0, done.stderr
    table = json.loads((out / "ablation.json").read_text())
    assert [row["row"] for row in table["rows"]] == [row.name for row in ROWS]
    assert all(row["values"]["psnr"] > 0 for row in table["rows"])
    assert all(f"| {row.name} |" in done.stdout for row in ROWS)
    assert table["unet_trains"] and UNET_TRAINS in done.stdout
    assert "Row 2 joins" not in as_markdown({**table, "unet_trains": False})
    # a network's metric is a column where any row has it
    table["rows"][1]["values"]["lpips"] = 0.25
    assert "| lpips |" in as_markdown(table) and "fid_vid" not in as_markdown(table)
    assert as_markdown(table).count("not computed |") >= len(ROWS) - 1 and "| 0.250 |" in as_markdown(table)

    def weights(model: str, part: str) -> dict[str, torch.Tensor]:
        (folder,) = (out / "models").glob(f"{model}-{'[0-9a-f]' * 8}")
        return load_file(folder / part / "diffusion_pytorch_model.safetensors")

    def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(tensor, other[name]) for name, tensor in one.items())

    bare, apart, full = "no-appearance-pretraining", "appearance-no-joint-stage", "full"
    assert same(weights(bare, "pose_controlnet"), weights(apart, "pose_controlnet"))
    assert not same(weights(bare, "pose_controlnet"), weights(full, "pose_controlnet"))
    # untrained, the appearance net is the UNet
    assert same(weights(bare, "appearance_unet"), weights(bare, "unet"))
    assert not same(weights(apart, "appearance_unet"), weights(bare, "appearance_unet"))
    assert not same(weights(apart, "appearance_unet"), weights(full, "appearance_unet"))
    assert not same(weights("full-without-masking", "pose_controlnet"), weights(full, "pose_controlnet"))
    assert same(weights("full-without-guidance", "unet"), weights(full, "unet"))
    (unguided,) = (out / "rows").glob("full-without-guidance-*")
    settings = json.loads((unguided / "settings.json").read_text())
    assert settings["guidance"] == 1.0

    # every second clip lacks the face, or the hands
    (tested,) = out.glob("test-*")
    maps = [load_picture(tested / "pose_map_disco_test_set" / f"w{i}" / "0001.png") for i in range(4)]
    assert np.array_equal(maps[0], maps[2])
    assert maps[1].sum() < maps[0].sum() and maps[3].sum() < maps[0].sum()
    assert not np.array_equal(maps[1], maps[3])

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    again = CliRunner().invoke(app, [str(part) for part in command])
    assert again.exit_code == 0 and again.stdout == done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}

    # trained further, the rows that it is part of are made and evaluated anew
    write_recipe(recipe, pose={"mask_face": 0.5, "train_unet": True, "steps": 6})
    assert CliRunner().invoke(app, [str(part) for part in command]).exit_code == 0
    assert len(list((out / "rows").glob(f"full-{'[0-9a-f]' * 8}"))) == 2


def test_without_clips_to_test_on_nothing_is_trained(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "data", ignore=shutil.ignore_patterns("*disco_test_set"))
    command = [
        "study",
        "ablation",
        "--recipe",
        "ablation",
        "--data",
        tmp_path / "data",
        "-o",
        tmp_path / "out",
    ]
    done = CliRunner().invoke(app, [str(part) for part in command])
    assert done.exit_code == 2 and "disco_test_set" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_recipe_without_the_stages_is_refused(dataset: Path, tmp_path: Path) -> None:
    command = ["study", "ablation", "--recipe", "mini", "--data", str(dataset), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "none of base, appearance in mini" in " ".join(done.stderr.split())
