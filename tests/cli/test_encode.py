"""`magicpose encode`."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.media.video import AudioSource, FrameReader, open_writer, probe

SHARED_MEDIA = Path(__file__).parents[2].parent / "shared" / "media"


@pytest.fixture
def dance() -> Path:
    path = SHARED_MEDIA / "driving" / "drv_fullbody_dance_bluedress.mp4"
    if not path.is_file():
        pytest.skip("../shared/media is not beside this checkout")
    return path


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    with open_writer(tmp_path / "frames", 25) as writer:
        for index in range(7):
            writer.write(np.full((33, 47, 3), index * 30, np.uint8))
    return tmp_path / "frames"


def test_a_folder_becomes_a_video(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    done = CliRunner().invoke(app, ["encode", str(frames), "-o", str(out)])
    assert done.exit_code == 0
    assert "names no frame rate: 25" in done.stderr
    assert done.stdout == f"{out}: 7 frames at 25 frames a second\n"
    assert (probe(out).fps, probe(out).num_frames) == (25, 7)


@pytest.mark.parametrize(
    ("fps", "expected"), [("12.5", "25/2"), ("29.97", "30000/1001"), ("359/12", "359/12")]
)
def test_the_rate_of_the_option(frames: Path, tmp_path: Path, fps: str, expected: str) -> None:
    (frames / "report.json").write_text('{"fps": "10"}')
    out = tmp_path / "out.mp4"
    done = CliRunner().invoke(app, ["encode", str(frames), "-o", str(out), "--fps", fps, "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["fps"] == expected
    assert probe(out).fps == Fraction(expected)


@pytest.mark.parametrize("stated", ['"359/12"', "29.916666666666668"])
def test_the_rate_of_the_report(frames: Path, tmp_path: Path, stated: str) -> None:
    (frames / "report.json").write_text(f'{{"fps": {stated}}}')
    assert CliRunner().invoke(app, ["encode", str(frames), "-o", str(tmp_path / "out.mp4")]).exit_code == 0
    assert probe(tmp_path / "out.mp4").fps == Fraction(359, 12)


def test_pictures_of_a_video_keep_its_rate(tmp_path: Path) -> None:
    with open_writer(tmp_path / "in.mp4", Fraction(359, 12)) as writer:
        for level in range(4):
            writer.write(np.full((32, 32, 3), 50 * level, np.uint8))
    for source, out in (("in.mp4", f"{tmp_path}/frames/"), ("frames", str(tmp_path / "again.mp4"))):
        done = CliRunner().invoke(app, ["encode", str(tmp_path / source), "-o", out])
        assert done.exit_code == 0 and "names no frame rate" not in done.stderr
    assert (probe(tmp_path / "again.mp4").fps, probe(tmp_path / "again.mp4").num_frames) == (
        Fraction(359, 12),
        4,
    )


@pytest.mark.parametrize("report", ["{", '{"fps": "fast"}', '{"fps": [1]}', '{"fps": 0}'])
def test_a_broken_report_is_no_reason_to_guess(frames: Path, tmp_path: Path, report: str) -> None:
    (frames / "report.json").write_text(report)
    done = CliRunner().invoke(app, ["encode", str(frames), "-o", str(tmp_path / "out.mp4")])
    assert done.exit_code == 2 and "--fps" in done.stderr
    assert not (tmp_path / "out.mp4").exists()


def test_the_road_over_pictures_gives_the_same_bytes(dance: Path, tmp_path: Path) -> None:
    """Frames straight to MP4, and over a folder of PNGs and `encode`."""
    reader = FrameReader(dance, max_frames=30)
    small = [frame[::4, ::4][:269, :179] for frame in reader]
    with open_writer(tmp_path / "straight.mp4", reader.fps, audio=AudioSource(dance)) as writer:
        for frame in small:
            writer.write(frame)
    with open_writer(f"{tmp_path}/frames/", reader.fps) as writer:
        for frame in small:
            writer.write(frame)
    command = ["encode", str(tmp_path / "frames"), "-o", str(tmp_path / "over.mp4"), "--audio", str(dance)]
    assert CliRunner().invoke(app, [*command, "--fps", str(reader.fps)]).exit_code == 0
    assert (tmp_path / "over.mp4").read_bytes() == (tmp_path / "straight.mp4").read_bytes()


def test_a_video_is_encoded_with_sound_only_if_asked(dance: Path, tmp_path: Path) -> None:
    command = ["encode", str(dance), "-o", str(tmp_path / "out.mp4"), "--fps", "5", "--force"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and "is left out" in done.stderr
    info = probe(tmp_path / "out.mp4")
    assert (info.fps, info.num_frames, info.has_audio) == (5, 21, False)
    assert CliRunner().invoke(app, [*command, "--audio", str(dance)]).exit_code == 0
    assert probe(tmp_path / "out.mp4").has_audio


def test_bad_input_is_one_message_and_exit_code_2(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    (tmp_path / "there.mp4").write_text("")
    for options, message in (
        ([str(tmp_path / "none"), "-o", str(out)], "no such file"),
        ([str(frames), "-o", str(tmp_path / "there.mp4")], "add --force"),
        ([str(frames), "-o", str(tmp_path / "out.avi")], ".mp4, .gif or /"),
        ([str(frames), "-o", str(out), "--fps", "many"], "frame rate"),
        ([str(frames), "-o", str(out), "--audio", str(frames / "0001.png")], "without sound"),
    ):
        done = CliRunner().invoke(app, ["encode", *options])
        assert done.exit_code == 2
        assert message in done.stderr and "Traceback" not in done.stderr
        assert not out.exists()
