"""What others made: which files go with which clip, and in which size they are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.errors import InputError, OptionError
from magicpose_cli.evaluation.datasets import TestClip
from magicpose_cli.evaluation.datasets.pictures import PictureFiles, VideoFrames
from magicpose_cli.evaluation.predictions import Predictions, read_predictions
from magicpose_cli.media.pictures import load_picture, save_picture
from magicpose_cli.media.video import open_writer

from .layouts import HEIGHT_PX, WIDTH_PX, picture, write_frames

SIZE = (WIDTH_PX, HEIGHT_PX)


def clip_of(tmp_path: Path, count: int, name: str = "a") -> TestClip:
    paths = sorted(write_frames(tmp_path / "truth" / name, range(0, 10 * count, 10)).iterdir())
    return TestClip.of(name, 0, PictureFiles(tuple(paths)), None, None)


def greys(method: Predictions, clip: TestClip) -> list[int]:
    method.check(clip)
    return [int(frame[0, 0, 0]) for frame in method.frames(clip, SIZE)]


def test_a_frame_for_each_target_or_each_frame_or_each_target_of_a_stride(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = clip_of(tmp_path, 8).every(3)  # targets 1, 4, 7
    for count, expected in ((7, [0, 3, 6]), (8, [1, 4, 7]), (3, [0, 1, 2])):
        root = tmp_path / str(count)
        write_frames(root / "a", range(count))
        assert greys(Predictions("mine", root), clip) == expected
        assert ("the first is passed over" in capsys.readouterr().err) == (count == 8)
    for count in (1, 2, 4, 6, 9):
        write_frames(tmp_path / f"wrong{count}" / "a", range(count))
        with pytest.raises(
            InputError, match=f"7 results, or 8 with the reference's, of a in .*, found {count}"
        ):
            Predictions("mine", tmp_path / f"wrong{count}").check(clip)


def test_the_first_is_said_to_be_passed_over_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    method = Predictions("mine", tmp_path / "made")
    for name in ("a", "b"):
        write_frames(tmp_path / "made" / name, range(3))
        assert greys(method, clip_of(tmp_path, 3, name)) == [1, 2]
    assert capsys.readouterr().err.count("passed over") == 1


def test_another_frame_rate_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, fps in (("truth", 10), ("same", 10), ("other", 25)):
        (tmp_path / folder).mkdir()
        with open_writer(tmp_path / folder / "a.mp4", fps) as writer:
            for level in (20, 120, 220):
                writer.write(picture(level))
    clip = TestClip.of("a", 0, VideoFrames.open(tmp_path / "truth" / "a.mp4"), None, None)
    for folder in ("same", "other"):
        Predictions("mine", tmp_path / folder).check(clip)
        said = "25.000 frames a second in a, the truth 10.000" in capsys.readouterr().err
        assert said == (folder == "other")


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_video_for_a_clip(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "made").mkdir()
    with open_writer(tmp_path / "made" / f"a{suffix}", 10) as writer:
        for level in (20, 120, 220):
            writer.write(picture(level))
    clip = clip_of(tmp_path, 4)
    assert greys(Predictions("mine", tmp_path / "made"), clip) == pytest.approx([20, 120, 220], abs=6)
    made = tmp_path / "made" / f"a{suffix}"
    made.rename(made.with_suffix(suffix.upper()))
    assert greys(Predictions("mine", tmp_path / "made"), clip) == pytest.approx([20, 120, 220], abs=6)
    made.with_suffix(suffix.upper()).rename(made)
    write_frames(tmp_path / "made" / "a", range(3))
    with pytest.raises(InputError, match=rf"one folder or video of the clip a .*found a and a\{suffix}"):
        Predictions("mine", tmp_path / "made").check(clip)


def test_the_folders_of_the_papers_own_script(tmp_path: Path) -> None:
    write_frames(tmp_path / "made" / "a" / "gen_images", [5, 6], "{:03d}.jpg")
    write_frames(tmp_path / "made" / "a" / "gt_images", [7, 8], "{:03d}.jpg")
    assert greys(Predictions("mine", tmp_path / "made"), clip_of(tmp_path, 3)) == [5, 6]


def test_all_clips_in_one_folder_as_disco_writes_them(tmp_path: Path) -> None:
    names = ("TiktokDance_201_005_1x1", "TiktokDance_201_005_1x1_2", "TiktokDance_00337")
    for i, name in enumerate(names):
        write_frames(tmp_path / "made", [50 * i + k for k in range(4)], name + "_{:04d}png.png", first=9)
    method = Predictions("mine", tmp_path / "made")
    for i, name in enumerate(names):
        assert greys(method, clip_of(tmp_path, 4, name)) == [50 * i + k for k in range(1, 4)]
    (tmp_path / "made" / f"{names[2]}_0010png.png").unlink()
    with pytest.raises(InputError, match=r"frame 0010 after .*, found TiktokDance_00337_0011png\.png"):
        method.check(clip_of(tmp_path, 4, names[2]))


def test_bad_results_are_named(tmp_path: Path) -> None:
    clip = clip_of(tmp_path, 4)
    method = Predictions("mine", tmp_path / "made")
    (tmp_path / "made").mkdir()
    with pytest.raises(InputError, match=r"one folder or video of the clip a .*found none"):
        method.check(clip)
    folder = write_frames(tmp_path / "made" / "a", range(3))
    (folder / "0001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"0001\.png"):
        method.check(clip)
    save_picture(folder / "0001.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(InputError, match=r"one size, 24x40, .*found 9x9 in .*0001\.png"):
        method.check(clip)
    (folder / "0001.png").rename(folder / "0007.png")
    with pytest.raises(InputError, match=r"frame 0004 after 0002\.png"):
        method.check(clip)


def test_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 255, (3, 40, 24, 3), np.uint8)
    for kind in ("truth", "own"):
        for i, frame in enumerate(frames):
            folder = tmp_path / kind / "a"
            folder.mkdir(parents=True, exist_ok=True)
            save_picture(folder / f"{i}.png", frame)
    for size in ((8, 8), (32, 32), (20, 10)):
        for i in range(2):
            folder = tmp_path / f"{size[0]}x{size[1]}" / "a"
            folder.mkdir(parents=True, exist_ok=True)
            save_picture(folder / f"{i}.png", np.full((size[1], size[0], 3), 50 + i, np.uint8))
    clip = TestClip.of("a", 0, PictureFiles(tuple(sorted((tmp_path / "truth" / "a").iterdir()))), None, None)

    # the clip's own frames as results: the truth, whatever is cropped from it
    same = np.stack(list(Predictions("mine", tmp_path / "own").frames(clip, (16, 16))))
    assert (same == clip.read(clip.frames, (16, 16))).all()
    assert "cropped and resized to 16x16" in capsys.readouterr().err
    for kind, said in (
        ("8x8", "frames of 8x8: they are resized to 16x16, the truth's size."),
        ("32x32", "frames of 32x32: they are resized to 16x16, the truth's size."),
        ("20x10", "another aspect, so they are distorted"),
    ):
        method = Predictions("mine", tmp_path / kind)
        made = np.stack(list(method.frames(clip, (16, 16))))
        assert made.shape == (2, 16, 16, 3) and (made[1] == 51).all()
        assert capsys.readouterr().err.replace("\n", " ").count(said) == 1
    assert load_picture(tmp_path / "own" / "a" / "0.png").shape == (40, 24, 3)
    list(Predictions("mine", tmp_path / "32x32").frames(clip, (32, 32)))
    assert capsys.readouterr().err == ""


def test_names(tmp_path: Path) -> None:
    for folder in ("one", "two", "a=b"):
        (tmp_path / folder).mkdir()
    one, two = tmp_path / "one", tmp_path / "two"
    found = read_predictions([f"DisCo v1={one}", str(two), str(tmp_path / "a=b")], ["copy of the reference"])
    assert [(m.name, m.root.name) for m in found] == [("DisCo v1", "one"), ("two", "two"), ("a=b", "a=b")]
    for values, message in (
        ([f"x={one}", f"x={two}"], "x twice"),
        ([f"x y={one}", f"x-y={two}"], "x-y twice"),
        ([f"copy-of-the-reference={one}"], "copy-of-the-reference twice"),
        ([f"a/b={one}"], "without slashes"),
        ([f"={one}"], "name before ="),
        ([f"..={one}"], "name before ="),
    ):
        with pytest.raises(OptionError, match=message):
            read_predictions(values, ["copy of the reference"])
    with pytest.raises(InputError, match=r"a folder of results at .*none, found no such folder"):
        read_predictions([f"x={tmp_path / 'none'}"], [])
