"""Which frames make a clip, and what a network gets of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.errors import InputError
from magicpose_cli.evaluation.clips import CLIP_FRAMES, clips, for_i3d, for_resnet, frames_by_video
from magicpose_cli.media.pictures import load_picture

from .golden import GOLDEN, arrays, golden

MODES = {"FVD-3DRN50": for_resnet, "FVD-3DInception": for_i3d}


def numbered(numbers: list[int]) -> list[tuple[int, np.ndarray]]:
    return [(number, np.full((2, 2, 3), number % 256, np.uint8)) for number in numbers]


@pytest.mark.parametrize("mode", MODES)
def test_golden(mode: str) -> None:
    expected = golden()["clips"][mode]
    videos = frames_by_video((GOLDEN / "frames" / "gt").iterdir())
    found = {}
    for frames in videos.values():
        names = {number: path.name for number, path in frames}
        pictures = ((number, load_picture(path)) for number, path in frames)
        found |= {names[start]: clip for start, clip in clips(pictures, MODES[mode])}
    assert list(found) == expected["keys"]
    first = next(iter(found.values()))
    assert [1, *first.shape] == expected["shape"] and first.dtype == np.float32
    for at in (0, 15):
        assert np.abs(first[:, at, :4] - arrays()[f"{mode}_clip0_t{at}_rows0_4"]).max() < 1e-4
    assert first.mean(dtype=np.float64) == pytest.approx(expected["mean"], rel=1e-6)
    assert first.std(dtype=np.float64) == pytest.approx(expected["std"], rel=1e-5)
    assert (first.min(), first.max()) == pytest.approx((expected["min"], expected["max"]), rel=1e-6)


@given(st.sets(st.integers(0, 60)))
def test_each_frame_with_the_next_fifteen_starts_a_clip(numbers: set[int]) -> None:
    found = list(clips(numbered(sorted(numbers)), lambda frame: frame[:1, :1, 0].astype(np.float32)))
    starts = [i for i in sorted(numbers) if all(i + k in numbers for k in range(CLIP_FRAMES))]
    assert [start for start, _ in found] == starts
    for start, clip in found:
        assert clip.shape == (1, CLIP_FRAMES, 1)
        assert clip[0, :, 0].tolist() == [float(start + k) for k in range(CLIP_FRAMES)]


def test_frames_are_prepared_once() -> None:
    seen = []
    list(clips(numbered(list(range(20))), lambda frame: seen.append(frame) or frame))  # type: ignore[func-returns-value]
    assert len(seen) == 20


@given(st.permutations(range(12)))
def test_names_give_video_and_number_in_any_order(order: list[int]) -> None:
    names = ["TiktokDance_00337_{:04d}png.png", "TiktokDance_201_002_1x1_{:05d}.jpg", "12_3_1x1__{}.png"]
    names.append("S001C002P003R002A013_{:03d}.png")
    paths = [Path("x") / name.format(number) for name in names for number in (9, 10, 11)]
    found = frames_by_video(paths[i] for i in order)
    assert [Path(video).name for video in found] == [
        "12_3_1x1__", "S001C002P003R002A013_", "TiktokDance_00337_", "TiktokDance_201_002_1x1_"
    ]  # fmt: skip
    assert all([number for number, _ in frames] == [9, 10, 11] for frames in found.values())


def test_folders_are_videos_and_odd_names_are_told() -> None:
    found = frames_by_video([Path("b/001.png"), Path("a/002.png"), Path("a/001.png")])
    assert [[number for number, _ in frames] for frames in found.values()] == [[1, 2], [1]]
    with pytest.raises(InputError, match=r"found cover\.png"):
        frames_by_video([Path("a/cover.png")])
    with pytest.raises(InputError, match=r"one picture of frame 1, found 001\.png and 1\.jpg"):
        frames_by_video([Path("a/001.png"), Path("a/1.jpg")])
