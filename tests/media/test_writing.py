"""MP4, GIF and folders: right size, rate and length, the same bytes each time, never in halves."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from magicpose_cli.errors import (
    MagicPoseError,
    MissingDependencyError,
    OptionError,
    OutputExistsError,
    VideoError,
)
from magicpose_cli.media.video import AudioSource, FrameReader, check_output, open_writer, probe


def moving(count: int, width_px: int = 64, height_px: int = 48) -> list[np.ndarray]:
    """A red square that runs over a colour ramp."""
    y, x = np.mgrid[0:height_px, 0:width_px]
    ramp = np.stack([x * 255 // width_px, y * 255 // height_px, np.full_like(x, 90)], axis=2).astype(np.uint8)
    frames = []
    for index in range(count):
        frame = ramp.copy()
        frame[10:26, index % 40 : index % 40 + 16] = (250, 20, 30)
        frames.append(frame)
    return frames


def write(path: Path | str, frames: list[np.ndarray], fps: Fraction | float = 25, **options: object) -> Path:
    with open_writer(path, fps, **options) as writer:  # type: ignore[arg-type]
        for frame in frames:
            writer.write(frame)
    return Path(path)


@pytest.mark.parametrize(
    "fps", [Fraction(25), Fraction(359, 12), Fraction(30000, 1001), Fraction(1875, 103), 0.5]
)
def test_mp4_holds_rate_and_length(tmp_path: Path, fps: Fraction) -> None:
    info = probe(write(tmp_path / "a.mp4", moving(11), fps))
    assert info.fps == Fraction(fps)
    assert info.num_frames == 11
    assert info.duration_s == pytest.approx(float(11 / fps), abs=1e-6)
    assert not info.variable_rate


def test_mp4_is_what_players_want(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", moving(5))
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat"), "the index must come first"
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)


def test_mp4_keeps_the_picture(tmp_path: Path) -> None:
    frames = moving(8)
    for seen, written in zip(FrameReader(write(tmp_path / "a.mp4", frames)), frames, strict=True):
        assert np.abs(seen.astype(int) - written).mean() < 4  # yuv420p
        # colours: in the middle of the square, away from yuv420p's blurred edges
        column = np.flatnonzero((written[18] == (250, 20, 30)).all(axis=1))
        assert np.abs(seen[18, column[6:10]].astype(int) - (250, 20, 30)).max() <= 8


@pytest.mark.parametrize("size", [(33, 47), (64, 47), (33, 48), (1, 1), (3, 2)])
def test_mp4_of_odd_sizes_gets_its_edge_twice(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = [np.full((size[1], size[0], 3), 120, np.uint8)] * 2
    for frame in frames:
        frame[:, -1:] = 240
    seen = next(iter(FrameReader(write(tmp_path / "a.mp4", frames))))
    assert seen.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    assert np.abs(seen[:, -1].astype(int) - 240).max() < 25
    if size[0] > 8:
        assert np.abs(seen[:, :8].astype(int) - 120).max() < 25, "nothing is scaled"


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    """In processes that hand out memory filled with other garbage: x264 once depended on it."""
    program = (
        "import sys, numpy as np\n"
        "from magicpose_cli.media.video import open_writer\n"
        "noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8).repeat(9, 0).repeat(9, 1)\n"
        "with open_writer(sys.argv[1], 25, overwrite=True) as writer:\n"
        "    for index in range(30): writer.write(noise[:240, index * 2 : index * 2 + 229])\n"
    )
    results = set()
    for garbage in ("1", "90", "200"):
        environment = {**os.environ, "MALLOC_PERTURB_": garbage}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], check=True, env=environment)
        results.add((tmp_path / name).read_bytes())
    assert len(results) == 1


@pytest.mark.parametrize("fps", [10, 25, 30, Fraction(30000, 1001), 48])
def test_gif_keeps_its_length_although_it_counts_in_hundredths(tmp_path: Path, fps: Fraction) -> None:
    path = write(tmp_path / "a.gif", moving(31), fps)
    with Image.open(path) as image:
        delays_s = []
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            delays_s.append(image.info["duration"] / 1000)
        assert image.info["loop"] == 0
    assert len(delays_s) == 31
    assert sum(delays_s) == pytest.approx(float(31 / fps), abs=0.011)
    assert max(delays_s) - min(delays_s) < 0.011


def test_gif_above_fifty_frames_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = probe(write(tmp_path / "a.gif", moving(60), 60))
    assert "at most 50" in capsys.readouterr().err
    assert info.num_frames == 50
    assert info.duration_s == pytest.approx(1, abs=0.03)


def test_gif_keeps_the_picture(tmp_path: Path) -> None:
    frames = moving(4)
    for seen, written in zip(FrameReader(write(tmp_path / "a.gif", frames)), frames, strict=True):
        assert np.abs(seen.astype(int) - written).mean() < 8


def test_a_gif_without_the_ffmpeg_program_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", f"{tmp_path}/none")
    with pytest.raises(MissingDependencyError, match=r"no program at .*none"):
        check_output(tmp_path / "a.gif")


def test_gif_needs_the_ffmpeg_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingDependencyError, match="pip install imageio-ffmpeg"):
        write(tmp_path / "a.gif", moving(1))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["frames", "frames/"])
def test_folder_of_pictures(tmp_path: Path, name: str) -> None:
    frames = moving(12, 33, 47)
    write(f"{tmp_path}/{name}", frames)
    assert sorted(os.listdir(tmp_path / "frames")) == [f"{index:04d}.png" for index in range(1, 13)]
    assert all(np.array_equal(a, b) for a, b in zip(FrameReader(tmp_path / "frames"), frames, strict=True))


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames/"])
def test_nothing_appears_before_the_end_or_after_an_error(tmp_path: Path, name: str) -> None:
    final = tmp_path / name
    with pytest.raises(RuntimeError, match="out of ideas"), open_writer(f"{tmp_path}/{name}", 25) as writer:
        for frame in moving(50):
            writer.write(frame)
        assert not final.exists()
        raise RuntimeError("out of ideas")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames/"])
def test_an_existing_output_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    out = f"{tmp_path}/{name}"
    write(out, moving(2))
    with pytest.raises(OutputExistsError, match="add --force"):
        open_writer(out, 25)
    with pytest.raises(OutputExistsError):
        check_output(out)
    write(out, moving(3), overwrite=True)
    assert len(list(FrameReader(out))) == 3
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".gif", "/"])
def test_a_name_may_take_as_many_bytes_as_the_file_system_has(tmp_path: Path, suffix: str) -> None:
    name = "\N{CJK UNIFIED IDEOGRAPH-821E}" * 83  # 249 bytes
    assert write(f"{tmp_path}/{name}{suffix}", moving(2)).exists()
    with pytest.raises(OptionError, match="Choose a shorter one"):
        check_output(f"{tmp_path}/{name}{name}{suffix}")


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "0001.png").write_text("ours")
    (tmp_path / "photos" / "wedding.jpg").write_text("precious")
    with pytest.raises(OptionError, match=r"wedding\.jpg"):
        open_writer(tmp_path / "photos", 25, overwrite=True)
    (tmp_path / "photos" / "wedding.jpg").unlink()
    (tmp_path / "photos" / "report.json").write_text("{}")
    write(tmp_path / "photos", moving(2), overwrite=True)
    assert sorted(os.listdir(tmp_path / "photos")) == ["0001.png", "0002.png"]


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    for name in ("a.avi", "frames.v2", "a.mp4.txt"):
        with pytest.raises(OptionError, match=r"\.mp4, \.gif or /"):
            open_writer(tmp_path / name, 25)
    with pytest.raises(OptionError, match="frame rate"):
        open_writer(tmp_path / "a.mp4", 0)
    for name in ("a.gif", "frames"):
        with pytest.raises(OptionError, match=r"\.mp4 output for the sound"):
            open_writer(tmp_path / name, 25, audio=AudioSource(tmp_path / "a.mp4"))
    with pytest.raises(VideoError, match="no such file"):
        open_writer(tmp_path / "a.mp4", 25, audio=AudioSource(tmp_path / "b.mp4"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames/"])
def test_no_frames_make_no_output(tmp_path: Path, name: str) -> None:
    with pytest.raises(MagicPoseError, match="frames to write, found none"):
        write(f"{tmp_path}/{name}", [])
    assert os.listdir(tmp_path) == []


def test_frames_of_another_size_or_kind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one size"), open_writer(tmp_path / "a.mp4", 25) as writer:
        writer.write(np.zeros((8, 8, 3), np.uint8))
        writer.write(np.zeros((8, 10, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        write(tmp_path / "a.mp4", [np.zeros((8, 8, 3), np.float32)])  # type: ignore[list-item]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames/"])
def test_a_full_disk_is_said(tmp_path: Path, name: str) -> None:
    program = (
        "import resource, sys, numpy as np\n"
        "from magicpose_cli.errors import MagicPoseError\n"
        "from magicpose_cli.media.video import open_writer\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)\n"
        "try:\n"
        "    with open_writer(sys.argv[1], 25) as writer:\n"
        "        for index in range(90): writer.write(np.roll(noise, 9 * index, 0))\n"
        "except MagicPoseError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, f"{tmp_path}/{name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Expected room to write")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no colon in names")
@pytest.mark.parametrize("name", ["10:30.mp4", "10:30.gif"])
def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(list(FrameReader(write(name, moving(3))))) == 3


def test_a_report_appears_with_a_folders_frames(tmp_path: Path) -> None:
    with open_writer(tmp_path / "frames", 25) as writer:
        writer.write(moving(1)[0])
        writer.add_report("{}")
        assert not (tmp_path / "frames").exists()
    assert sorted(os.listdir(tmp_path / "frames")) == ["0001.png", "report.json"]
