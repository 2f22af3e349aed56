"""`magicpose extract-pose` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicpose_cli import PoseSequence
from magicpose_cli.cli import app
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.media.video import FrameReader, probe

SHARED_MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


@pytest.fixture
def dance() -> Path:
    path = SHARED_MEDIA / "hard" / "hard_odd_size_355x533.mp4"
    if not path.is_file():
        pytest.skip(f"no real video at {path}")
    return path


def run(*arguments: object):
    return CliRunner().invoke(app, ["extract-pose", *map(str, arguments)])


def test_a_video_gives_poses_preview_and_openpose_files(dance, tmp_path):
    done = run(
        dance, "-o", tmp_path / "dance.npz", "--detector", "mediapipe", "--max-frames", 6,
        "--preview", tmp_path / "pose.mp4", "--openpose-json", tmp_path / "json",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / 'dance.npz'}: 6 frames, body in 6, hands in 6 (left ")
    sequence = PoseSequence.load(tmp_path / "dance.npz")
    assert (len(sequence), sequence.width_px, sequence.height_px, sequence.fps) == (6, 355, 533, 25)
    assert sequence.source_name == dance.name
    assert len(sequence.source_sha256) == 64
    preview = probe(tmp_path / "pose.mp4")
    assert (preview.num_frames, preview.fps) == (6, 25)
    assert preview.width_px > 2 * 355
    exported = PoseSequence.from_openpose_json(tmp_path / "json")
    np.testing.assert_allclose(exported.face, sequence.face, atol=1e-4)


def test_json_has_the_summary_and_fps_resamples(dance, tmp_path):
    options = ["--detector", "mediapipe", "--max-frames", 4]
    done = run(dance, "-o", tmp_path / "a.npz", *options, "--fps", "12.5", "--json")
    assert done.exit_code == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["frames"] == summary["body"] == summary["face"] == 4
    assert (summary["fps"], summary["detector"]) == ("25/2", "mediapipe")
    run(dance, "-o", tmp_path / "b.npz", "--detector", "mediapipe", "--max-frames", 7)
    slow, full = (PoseSequence.load(tmp_path / name).body for name in ("a.npz", "b.npz"))
    moved_px = np.linalg.norm(slow[3, :, :2] - full[6, :, :2], axis=1)
    assert np.median(moved_px) < 10  # the same moment of the video, tracked over other frames


def test_cleaned_poses_tremble_less_and_no_clean_leaves_them(dance, tmp_path):
    options = ["--detector", "mediapipe", "--max-frames", 20, "--json"]
    counts = [
        json.loads(run(dance, "-o", tmp_path / f"{name}.npz", *options, *more).stdout)["filled_frames"]
        for name, more in (("cleaned", []), ("raw", ["--no-clean"]))
    ]
    assert set(counts[0]) == {"body", "left_hand", "right_hand", "face"}
    assert counts[1] is None
    cleaned, raw = (
        np.abs(np.diff(PoseSequence.load(tmp_path / f"{name}.npz").body[:, :8, :2], n=2, axis=0)).mean()
        for name in ("cleaned", "raw")
    )
    assert cleaned < 0.8 * raw


def test_a_folder_of_frames_keeps_the_rate_that_its_report_gives(dance, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for index, frame in enumerate(FrameReader(dance, max_frames=2)):
        save_picture(frames / f"{index}.png", frame)
    (frames / "report.json").write_text('{"fps": "30"}')
    for option, rate in (((), 30), (("--fps", 10), 10)):
        done = run(frames, "-o", tmp_path / f"{rate}.npz", "--detector", "mediapipe", *option)
        assert done.exit_code == 0, done.stderr
        assert PoseSequence.load(tmp_path / f"{rate}.npz").fps == rate


@pytest.mark.parametrize(
    ("outputs", "held"),
    [
        (["-o", "poses/a.npz", "--openpose-json", "poses"], "(-o)"),
        (["-o", "a.npz", "--preview", "given.mp4"], "(the driving)"),
        (["-o", "a.npz", "--preview", "a.npz"], "ends in"),
        (["-o", "a.npz", "--preview", "x/", "--openpose-json", "x/json"], "(--openpose-json)"),
    ],
)
def test_outputs_keep_apart_from_the_driving_and_from_each_other(dance, tmp_path, outputs, held):
    given = tmp_path / "given.mp4"
    given.write_bytes(dance.read_bytes())
    paths = [f"{tmp_path}/{word}" if index % 2 else word for index, word in enumerate(outputs)]
    done = run(given, *paths, "--force", "--max-frames", 1)
    assert done.exit_code == 2
    assert held in " ".join(done.stderr.split())
    assert "Finding poses" not in done.stderr
    assert given.read_bytes() == dance.read_bytes()


def test_existing_outputs_are_refused_before_any_work_and_replaced_with_force(dance, tmp_path):
    for option, name in (("-o", "dance.npz"), ("--preview", "p.mp4"), ("--openpose-json", "json")):
        folder = tmp_path / option.strip("-")
        folder.mkdir()
        if name == "json":
            (folder / name).mkdir()
            (folder / name / "x_keypoints.json").write_text("old")
        else:
            (folder / name).write_text("old")
        options = {"-o": folder / "new.npz", option: folder / name}
        arguments = [part for pair in options.items() for part in pair]
        done = run(dance, *arguments)
        assert done.exit_code == 2
        assert "--force" in done.stderr
        assert "Finding poses" not in done.stderr
        assert not (folder / "new.npz").exists()
    done = run(
        dance, "-o", tmp_path / "o" / "dance.npz", "--max-frames", 1, "--detector", "mediapipe", "--force"
    )
    assert done.exit_code == 0, done.stderr
    assert len(PoseSequence.load(tmp_path / "o" / "dance.npz")) == 1


def test_nobody_in_the_video_is_bad_input_and_leaves_nothing(tmp_path):
    save_picture(tmp_path / "empty.png", np.full((200, 200, 3), 90, np.uint8))
    done = run(tmp_path / "empty.png", "-o", tmp_path / "o.npz", "--preview", tmp_path / "p.mp4")
    assert done.exit_code == 2
    assert "a person in empty.png, found nobody in it" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.mp4", "-o", "a.npz"], "absent.mp4"),
        (["absent.mp4", "-o", "a.mp4"], "an output that ends in .npz"),
        (["absent.mp4", "-o", "a.npz", "--fps", "fast"], "frame rate"),
        (["absent.mp4", "-o", "a.npz", "--detector", "alphapose"], "alphapose"),
        (["absent.mp4", "-o", "a.npz", "--max-frames", "0"], "max-frames"),
    ],
)
def test_bad_input_ends_with_a_message_and_code_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not list(tmp_path.iterdir())
