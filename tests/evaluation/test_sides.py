"""Two videos laid beside each other: lengths, rates, and folders that lack a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.errors import OptionError, VideoError
from magicpose_cli.evaluation import score
from magicpose_cli.evaluation.protocol import compare
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.media.video import open_writer


def rising(count: int, step: int = 1) -> np.ndarray:
    """Frame i is grey 10 + 2 i step."""
    levels = 10 + 2 * step * np.arange(count)
    return np.broadcast_to(levels[:, None, None, None], (count, 32, 32, 3)).astype(np.uint8)


def video(path: Path, frames: np.ndarray, fps: float) -> Path:
    with open_writer(path, fps) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def pictures(path: Path, numbers: list[int]) -> Path:
    path.mkdir()
    for number in numbers:
        save_picture(path / f"{number:04d}.png", rising(40)[number])
    return path


def test_cut_compares_up_to_the_shorter_end(capsys: pytest.CaptureFixture[str]) -> None:
    compared = compare(rising(7), rising(5), align="cut", quick=True)
    assert (compared.frames, compared.left_out, compared.align) == (5, (2, 0), "cut")
    assert compared.values["l1"] == 0
    assert "5 frames are compared; the array has 2 more, left out." in capsys.readouterr().err
    assert compare(rising(5), rising(7), align="cut", quick=True).left_out == (0, 2)
    with pytest.raises(VideoError, match="7 generated and 5 true"):
        compare(rising(7), rising(5), quick=True)


def test_time_brings_the_generated_video_to_the_truths_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # the same motion, shot at 25 and at 12.5 frames a second
    ours, theirs = video(tmp_path / "a.mp4", rising(40), 25), video(tmp_path / "b.mp4", rising(20, 2), 12.5)
    for align in ("time", "auto"):
        compared = compare(ours, theirs, align=align, quick=True)  # type: ignore[arg-type]
        assert (compared.frames, compared.left_out, compared.resampled_from_fps) == (20, (0, 0), 25)
        assert compared.values["l1"] < 1.5
        assert "a.mp4 at 25.000 and b.mp4 at 12.500" in " ".join(capsys.readouterr().err.split())
    apart = compare(ours, theirs, align="cut", quick=True)
    assert apart.values["l1"] > 10 and apart.resampled_from_fps is None
    assert apart.left_out == (20, 0)


def test_what_cannot_be_aligned_is_said(tmp_path: Path) -> None:
    ours = video(tmp_path / "a.mp4", rising(4), 25)
    with pytest.raises(OptionError, match="the array, which has none"):
        score(ours, rising(4), align="time")
    with pytest.raises(OptionError, match="strict, cut, time, auto"):
        score(ours, rising(4), align="stretch")  # type: ignore[arg-type]


def test_a_folder_that_lacks_a_frame_is_not_cut_in_silence(tmp_path: Path) -> None:
    whole, gap = pictures(tmp_path / "whole", [0, 1, 2, 3, 4]), pictures(tmp_path / "gap", [0, 1, 3, 4])
    with pytest.raises(VideoError, match=r"4 generated and 5 true \(0002 is missing in gap\)"):
        score(gap, whole, align="auto", quick=True)
    with pytest.raises(VideoError, match=r"0002 is missing in gap"):
        score(whole, gap, quick=True)
    assert score(gap, whole, align="cut", quick=True)["frames"] == 4
    short = pictures(tmp_path / "short", [0, 1, 2])
    assert score(short, whole, align="auto", quick=True) | {"not_computed": 0} == {
        **score(short, short, quick=True),
        "not_computed": 0,
    }


def test_folders_that_lack_different_frames_are_not_laid_beside_each_other(tmp_path: Path) -> None:
    ours, theirs = (
        pictures(tmp_path / "ours", [1, 2, 4, 5, 6]),
        pictures(tmp_path / "theirs", [1, 2, 3, 4, 5]),
    )
    for align in ("strict", "auto"):
        with pytest.raises(VideoError, match=r"5 generated and 5 true \(0003 is missing in ours\)"):
            score(ours, theirs, align=align, quick=True)  # type: ignore[arg-type]
        with pytest.raises(VideoError, match=r"0003 is missing in ours"):
            score(theirs, ours, align=align, quick=True)  # type: ignore[arg-type]
    other = pictures(tmp_path / "other", [1, 2, 4, 5])
    for path in other.iterdir():
        path.rename(other / f"gen_{path.name}")
    with pytest.raises(VideoError, match=r"a frame before gen_0004 is missing in other"):
        score(other, theirs, align="auto", quick=True)
    # every second frame beside each: numbers of another step are numbers all the same
    second = pictures(tmp_path / "second", [2, 4, 6, 8, 10])
    for path in second.iterdir():
        path.rename(second / f"frame_{path.name}")
    assert score(second, theirs, quick=True)["frames"] == 5


def test_numbers_that_keep_step_are_compared_wherever_they_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from_0, from_1 = pictures(tmp_path / "from_0", [0, 1, 2, 3]), pictures(tmp_path / "from_1", [1, 2, 3, 4])
    assert score(from_1, from_0, quick=True)["l1"] == 2
    assert "0001 is compared with 0000, and so on" in capsys.readouterr().err
    seeds = pictures(tmp_path / "seeds", [0, 1, 2, 3])
    for path in seeds.iterdir():
        path.rename(seeds / f"img_{path.stem}_seed42.png")
    assert score(seeds, from_0, quick=True)["l1"] == 0
    unpadded = pictures(tmp_path / "unpadded", [0, 1, 2, 3])
    for path in unpadded.iterdir():
        path.rename(unpadded / f"{int(path.stem)}.png")
    assert score(unpadded, from_0, quick=True)["l1"] == 0
