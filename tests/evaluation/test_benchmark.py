"""`magicpose eval --dataset`: a tiny model on pictures of a real person."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.evaluation.records import MEANS, identity_kept, interval, make_record
from magicpose_cli.media.pictures import load_picture, save_picture
from magicpose_cli.media.video import FrameReader
from magicpose_cli.pose.sequence import FramePose

from ..tiny import make_tiny

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of three frames of the example's rendered person, who moves aside a little."""
    root = tmp_path_factory.mktemp("dataset")
    person = load_picture(EXAMPLES / "reference.png")
    for clip in ("a", "b"):
        for i in range(3):
            frame = np.roll(person, 4 * i, axis=1)
            if clip == "b":
                frame = 255 - frame[..., ::-1] // 2
            mask = np.zeros(frame.shape, np.uint8)
            mask[:, 80:180] = 255
            for kind, picture in (("", frame), ("pose_map_", frame // 4), ("mask_", mask)):
                path = root / f"{kind}disco_test_set" / clip / f"{i:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                save_picture(path, picture)
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pipeline = make_tiny(motion=True)
    size = {"width_px": 64, "height_px": 64}
    pipeline.register_to_config(sampling={**pipeline.sampling.model_dump(), **size})
    pipeline.save_pretrained(folder)
    return folder


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["eval", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_test_set_end_to_end_and_again(dataset: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["--dataset", "synth", "--root", dataset, "--model", model, "--without-motion", "-o", out]
    command.append("--numbers")
    code, table, said = run(*command)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    copy, tiny, bare = report["methods"].values()
    assert list(report["methods"]) == ["copy of the reference", "tiny", "tiny without motion module"]
    assert report["frames"] == 4
    assert copy["values"]["flicker"] == 0
    assert copy["values"]["psnr"] > tiny["values"]["psnr"]  # random weights
    assert tiny["values"] != bare["values"]
    assert copy["identity"] == {"kept": 2, "of": 2, "by_clip": [True, True]}
    for key in ("psnr", "ssim", "flicker"):
        assert f"{copy['values'][key]:.4g}" in table
        assert key in (out / "report.md").read_text()
    assert sorted(out.glob("videos/*")) == [out / "videos" / f"{clip}.numbers.mp4" for clip in "ab"]
    plain = [path for path in command if path != "--numbers"]
    assert run(*plain)[0] == 0, "a look at the same evaluation, not another"
    with_numbers, without = (
        next(iter(FrameReader(out / "videos" / name))) for name in ("a.numbers.mp4", "a.mp4")
    )
    assert with_numbers.shape[0] > without.shape[0] == 64 and with_numbers.shape[1] == without.shape[1]
    assert len(list(FrameReader(out / "videos" / "a.mp4"))) == 2
    check_page_and_rows(out, report)
    assert load_picture(out / "pictures.jpg").shape[0] == 64

    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    (out / "records" / "tiny" / "b.json").unlink()  # as if broken off there
    code, again, _ = run(*command)
    assert code == 0 and again == table
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == made

    code, _, said = run(*command, "--steps", "2")
    assert code == 2 and "another steps" in said
    changed = tmp_path / "changed"
    shutil.copytree(dataset, changed)
    save_picture(changed / "pose_map_disco_test_set" / "b" / "0001.png", np.zeros((512, 512, 3), np.uint8))
    code, _, said = run(*command[:3], changed, *command[4:])
    assert code == 2 and "clips_sha256" in said


def check_page_and_rows(out: Path, report: dict[str, Any]) -> None:
    with (out / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["clip"], row["frame"]) for row in rows] == [
        (method, clip, str(i)) for method in report["methods"] for clip in "ab" for i in (1, 2)
    ]
    for name, method in report["methods"].items():
        psnr = [float(row["psnr"]) for row in rows if row["method"] == name]
        assert np.mean(psnr) == pytest.approx(method["values"]["psnr"], rel=1e-12)
    pairs = {tuple(pair["methods"]): pair["values"]["psnr"] for pair in report["comparisons"]}
    assert len(pairs) == 3
    found = pairs["copy of the reference", "tiny"]
    copy, tiny = (report["methods"][name]["values"]["psnr"] for name in ("copy of the reference", "tiny"))
    assert found["difference"] == pytest.approx(tiny - copy) and found["interval"][1] < 0
    page = (out / "report.html").read_text()
    for name in report["methods"]:
        assert f"<h3>{name}</h3>" in page
    assert page.count('<figure class="frame">') == 3 * 2 * 2  # methods, best and worst, clips
    assert "MagicPose (ICML 2024), Table 1" in page and "fid" in report["not_computed"]


def test_what_is_missing_is_said(
    dataset: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAGICPOSE_DATA", raising=False)
    out = tmp_path / "out"
    cases: list[tuple[list[str | Path], str]] = [
        ([], "either a video A with --truth B, or --dataset"),
        (["a.mp4"], "the true video"),
        (["--dataset", "synth", "--root", dataset], "a folder for the results"),
        (["--dataset", "synth", "--grid", "3", "-o", out], "options that go with --dataset, found --grid"),
        (
            ["--dataset", "synth", "--weights", ".", "-o", out],
            "options that go with --dataset, found --weights",
        ),
        (["a.mp4", "--truth", "b.mp4", "--steps", "3"], "options that go without --dataset, found --steps"),
        (["a.mp4", "--truth", "b.mp4", "--names", "x"], "options that go without --grid, found --names"),
        (["a.mp4", "--truth", "b.mp4", "--numbers"], "options that go without --dataset, found --numbers"),
        (["--dataset", "synth", "--csv", "x.csv", "-o", out], "options that go with --dataset, found --csv"),
        (["a.mp4", "--grid", "3", "--protocol", "all"], "options that go with --grid, found --protocol"),
        (["--dataset", "tiktok", "-o", out], "tiktok in $MAGICPOSE_DATA"),
        (["--dataset", "synth", "--root", tmp_path, "-o", out], "magicpose synth --split test"),
    ]
    for arguments, message in cases:
        code, printed, said = run(*arguments)
        assert (code, printed) == (2, "")
        assert message in " ".join(said.split())
    assert not out.exists()


def test_a_missing_pose_map_is_named(dataset: Path, tmp_path: Path) -> None:
    frame = tmp_path / "disco_test_set" / "a" / "0000.png"
    for name in ("0000.png", "0001.png"):
        frame.parent.mkdir(parents=True, exist_ok=True)
        save_picture(frame.parent / name, np.zeros((64, 64, 3), np.uint8))
    code, _, said = run("--dataset", "synth", "--root", tmp_path, "-o", tmp_path / "out")
    assert code == 2 and "pose_map_disco_test_set/a/0000.png" in said.replace("\n", "")


def test_equal_clips_are_ideal_and_noise_makes_each_number_worse() -> None:
    draw = np.random.default_rng(0)
    poses = []
    for i in range(9):
        body = np.concatenate([draw.uniform(10, 50, (18, 2)), np.ones((18, 1))], 1).astype(np.float32)
        face = np.concatenate([draw.uniform(5, 60, (70, 2)), np.ones((70, 1))], 1).astype(np.float32)
        poses.append(FramePose.empty()._replace(body=body + i, face=face))
    truth = np.repeat(draw.integers(0, 255, (1, 64, 64, 3), np.uint8), 9, axis=0)
    person = np.zeros(truth.shape[:3], bool)
    person[:, 20:40, 20:40] = True
    noisy = np.clip(truth + draw.normal(0, 9, truth.shape), 0, 255).astype(np.uint8)
    off = [
        p._replace(body=p.body + draw.normal(0, 3, p.body.shape) * [1, 1, 0], face=p.face[::-1])
        for p in poses
    ]
    ideal, worse = (
        make_record(truth, truth, poses, poses, person),
        make_record(noisy, truth, off, poses, person),
    )
    for key, best in (
        ("psnr", 100), ("ssim", 1), ("l1", 0), ("pose_accuracy", 1), ("expression_mouth", 1), ("flicker", 0)
    ):  # fmt: skip
        mean = MEANS[key][1]
        assert mean([ideal]) == pytest.approx(best)
        assert abs(mean([worse]) - best) > 0.05 * max(best, 1) or key == "ssim"
    assert identity_kept([ideal]) == [True]
    low, high = interval(MEANS["psnr"][1], [ideal, worse])
    assert low < high and interval(MEANS["psnr"][1], [ideal]) is None
    json.dumps([ideal, worse])  # a record is JSON
