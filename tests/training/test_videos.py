"""Videos become clips once: real detector, a real person, and a video of nobody."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.errors import InputError
from magicpose_cli.media.video import FrameReader, open_writer
from magicpose_cli.pose.sequence import PoseSequence
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.videos import clips_of_videos, holds_videos

DANCE = Path(__file__).parents[3] / "shared" / "media" / "driving" / "drv_fullbody_squats_5fps.mp4"


@pytest.fixture
def videos(tmp_path):
    if not DANCE.is_file():
        pytest.skip("videos of real people (../shared/media) are not here")
    folder = tmp_path / "videos"
    (folder / "test").mkdir(parents=True)
    shutil.copy(DANCE, folder / "squats.mp4")
    shutil.copy(DANCE, folder / "test" / "held_out.mp4")
    with open_writer(folder / "wall.mp4", 8) as writer:
        for _ in range(4):
            writer.write(np.full((64, 64, 3), 120, np.uint8))
    return folder


def test_videos_are_taken_apart_once(videos, capsys):
    assert holds_videos(videos)
    clips = clips_of_videos(videos, 64, 64, 2)
    said = capsys.readouterr().err
    assert "wall.mp4: 0 of" in said
    read, held_out = (
        load_clips(clips, "train", 64, 64, cell_px=4),
        load_clips(clips, "test", 64, 64, cell_px=4),
    )
    assert len(read) == len(held_out) == 1
    assert read.total > 10
    assert not read.lacks_keypoints()
    numbers = np.arange(3)
    drawn = read.maps_without(numbers, [])
    stored = read.pose_maps(numbers)
    # the same but for a row of pixels that the stored ones lost when they were cut to whole cells
    assert drawn.any() and np.abs(drawn.astype(int) - stored).mean() < 0.1 * stored[stored > 0].mean()
    before = {p: p.stat().st_mtime_ns for p in clips.rglob("*") if p.is_file()}
    assert clips_of_videos(videos, 64, 64, 2) == clips
    assert before == {p: p.stat().st_mtime_ns for p in clips.rglob("*") if p.is_file()}
    assert "frames show" not in capsys.readouterr().err


def test_a_videos_poses_do_not_depend_on_the_video_before(videos, tmp_path):
    for whole in videos.glob("**/squats.mp4"):
        whole.unlink()
    alone = tmp_path / "alone"
    alone.mkdir()
    with open_writer(videos / "a.mp4", 8) as before, open_writer(alone / "b.mp4", 8) as after:
        for frame in islice(FrameReader(DANCE), 6):
            before.write(frame)
            after.write(np.ascontiguousarray(frame[:, ::-1]))
    shutil.copy(alone / "b.mp4", videos / "b.mp4")
    second, first = (
        PoseSequence.load(clips_of_videos(folder, 64, 64, 8) / "poses" / "b.mp4.npz")
        for folder in (videos, alone)
    )
    for part in ("body", "left_hand", "right_hand", "face"):
        assert np.array_equal(getattr(second, part), getattr(first, part)), part


def test_videos_of_nobody_are_refused(tmp_path):
    with open_writer(tmp_path / "wall.mp4", 8) as writer:
        writer.write(np.full((64, 64, 3), 120, np.uint8))
    with pytest.raises(InputError, match="nobody in any"):
        clips_of_videos(tmp_path, 64, 64, 8)


def test_clips_are_not_videos(clips, tmp_path):
    assert not holds_videos(clips)
    assert not holds_videos(tmp_path)
    assert not holds_videos(tmp_path / "nowhere")
