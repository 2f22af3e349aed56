"""`magicpose eval`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.media.video import open_writer

from ..evaluation.layouts import write_magicpose_layout
from ..tiny import make_tiny


@pytest.fixture(autouse=True)
def no_torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed does not depend on the weights that torch has downloaded here."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("MAGICPOSE_HOME", str(tmp_path / "home"))


@pytest.fixture
def clips(tmp_path: Path) -> tuple[str, str]:
    """A folder of three frames, and one of the same frames 10 levels lighter."""
    for name, grey in (("a", 110), ("b", 100)):
        with open_writer(tmp_path / name, 25) as writer:
            for _ in range(3):
                writer.write(np.full((16, 16, 3), grey, np.uint8))
    return str(tmp_path / "a"), str(tmp_path / "b")


def test_a_table_on_stdout(clips: tuple[str, str]) -> None:
    done = CliRunner().invoke(app, ["eval", clips[0], "--truth", clips[1], "--quick"])
    assert done.exit_code == 0
    values = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    assert values["l1"] == "10" and values["frames"] == "3"
    assert "compare: 3 frames" in done.stderr


def test_json_on_stdout_and_in_a_file_are_the_same(clips: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = ["eval", clips[0], "--truth", clips[1], "-o", str(out), "--json", "--protocol", "corrected"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report == json.loads(out.read_text())
    assert {"l1", "psnr", "ssim", "flicker", "warping_error"} <= set(report["values"])
    assert report["seconds"]["all"] > report["seconds"]["detectors"] > 0
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 2 and "add --force" in again.stderr
    assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0


def test_a_row_a_frame_as_csv(clips: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "frames.csv"
    command = ["eval", clips[0], "--truth", clips[1], "--csv", str(out)]
    assert CliRunner().invoke(app, command).exit_code == 0
    header, *rows = [line.split(",") for line in out.read_text().splitlines()]
    assert header[:8] == ["frame", "l1_disco", "psnr_disco", "ssim_disco", "dtssd", "l1", "psnr", "ssim"]
    assert "flicker" in header
    l1 = header.index("l1")
    assert [row[0] for row in rows] == ["1", "2", "3"] and {float(row[l1]) for row in rows} == {10}
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 2 and "add --force" in again.stderr and "compare" not in again.stderr
    assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0
    twice = CliRunner().invoke(app, [*command, "-o", str(out), "--force"])
    assert twice.exit_code == 2 and "a name each for -o and --csv" in " ".join(twice.stderr.split())


def test_bad_input_is_one_message_and_exit_code_2(clips: tuple[str, str], tmp_path: Path) -> None:
    for command, message in (
        (["eval", str(tmp_path / "none.mp4"), "--truth", clips[1]], "no such file"),
        (
            ["eval", f"{clips[0]}/0001.png", "--truth", clips[1], "--align", "strict"],
            "1 generated and 3 true",
        ),
    ):
        done = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "report.json")])
        assert done.exit_code == 2
        assert message in done.stderr and "Traceback" not in done.stderr
        assert done.stdout == ""
        assert not (tmp_path / "report.json").exists()


def test_other_lengths_are_cut_unless_the_papers_numbers_are_asked_for(
    clips: tuple[str, str], tmp_path: Path
) -> None:
    with open_writer(tmp_path / "long", 25) as writer:
        for _ in range(5):
            writer.write(np.full((16, 16, 3), 110, np.uint8))
    command = ["eval", str(tmp_path / "long"), "--truth", clips[1], "--quick", "--json"]
    done = CliRunner().invoke(app, command)
    report = json.loads(done.stdout)
    assert (report["frames"], report["align"], report["left_out"]) == (3, "cut", [2, 0])
    assert "3 frames are compared; long has 2 more" in " ".join(done.stderr.split())
    done = CliRunner().invoke(app, [*command, "--protocol", "disco"])
    assert done.exit_code == 2 and "5 generated and 3 true" in " ".join(done.stderr.split())


def test_a_test_sets_device_and_format_are_checked_before_anything_is_made(tmp_path: Path) -> None:
    make_tiny().save_pretrained(tmp_path / "tiny")
    write_magicpose_layout(tmp_path / "data")
    out = tmp_path / "out"
    data = ["--dataset", "synth", "--root", str(tmp_path / "data"), "-o", str(out)]
    model = ["--model", str(tmp_path / "tiny")]
    for command, message in (
        ([*data, *model, "--device", "cuda:99"], "'cuda:99'"),
        ([*data, *model, "--device", "cpu", "--dtype", "fp16"], "fp16 on the CPU"),
        ([*data, "--predictions", "x", "--dtype", "fp32"], "name a model with --model"),
        (["a.mp4", "--truth", "b.mp4", "--device", "cpu"], "that go without --dataset"),
    ):
        done = CliRunner().invoke(app, ["eval", *command])
        assert done.exit_code == 2 and message in " ".join(done.stderr.split()), done.stderr
        assert not out.exists()


def test_weights_must_be_a_folder_and_of_use(clips: tuple[str, str], tmp_path: Path) -> None:
    for command, message in (
        ([clips[0], "--truth", clips[1], "--weights", str(tmp_path / "none")], "a folder of weights"),
        (["a.mp4", "--grid", "3", "--weights", str(tmp_path)], "with two videos"),
        (["--dataset", "synth", "--quick", "-o", str(tmp_path / "o")], "with two videos"),
    ):
        done = CliRunner().invoke(app, ["eval", *command])
        assert done.exit_code == 2 and message in " ".join(done.stderr.split())
    done = CliRunner().invoke(
        app, ["eval", *clips[:1], "--truth", clips[1], "--weights", str(tmp_path), "--json"]
    )
    assert str(tmp_path) in json.loads(done.stdout)["not_computed"]["fvd"]
