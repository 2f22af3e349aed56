"""Videos become clips once: real detector, a real person, and a video of nobody."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.errors import InputError
from magicpose_cli.media.pictures import Placement
from magicpose_cli.media.video import FrameReader, open_writer
from magicpose_cli.pose.detect_mediapipe import MediapipePoseDetector
from magicpose_cli.pose.sequence import PoseSequence
from magicpose_cli.training import videos as videos_module
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.videos import clips_of_videos, holds_videos

DRIVING = Path(__file__).parents[3] / "shared" / "media" / "driving"
DANCE, OTHER = DRIVING / "drv_fullbody_squats_5fps.mp4", DRIVING / "drv_upperbody_signing_phone.mp4"


@pytest.fixture
def videos(tmp_path):
    if not DANCE.is_file():
        pytest.skip("videos of real people (../shared/media) are not here")
    folder = tmp_path / "videos"
    (folder / "test").mkdir(parents=True)
    shutil.copy(DANCE, folder / "squats.mp4")
    shutil.copy(DANCE, folder / "test" / "held_out.mp4")
    with open_writer(folder / "wall.mp4", 2) as writer:
        for _ in range(4):
            writer.write(np.full((64, 64, 3), 120, np.uint8))
    return folder


def test_videos_are_taken_apart_once(videos, capsys):
    assert holds_videos(videos)
    clips = clips_of_videos(videos, 64, 64, 2)
    said = capsys.readouterr().err
    assert "wall.mp4: 0 of 4 frames show one person, in 0 clips; left out: 4 with nobody." in " ".join(
        said.split()
    )
    assert "frames that show several cannot be left out" in " ".join(said.split())
    read, held_out = (
        load_clips(clips, "train", 64, 64, cell_px=4),
        load_clips(clips, "test", 64, 64, cell_px=4),
    )
    assert len(read) == len(held_out) == 1
    assert read.total > 10
    assert not read.lacks_keypoints()
    numbers = np.arange(3)
    stored = np.stack([read.whole_picture(int(n), read.map_paths[n])[: read.height_px] for n in numbers])
    drawn = np.stack([read.whole_map(int(n))[: read.height_px] for n in numbers])
    # the same but for a row of pixels that the stored ones lost when they were cut to whole cells
    assert drawn.any() and np.abs(drawn.astype(int) - stored).mean() < 0.1 * stored[stored > 0].mean()
    before = {p: p.stat().st_mtime_ns for p in clips.rglob("*") if p.is_file()}
    assert clips_of_videos(videos, 64, 64, 2) == clips
    assert before == {p: p.stat().st_mtime_ns for p in clips.rglob("*") if p.is_file()}
    assert "frames" not in capsys.readouterr().err
    # looked at anew, as after being killed: what an attempt before left is not among the clips
    note = clips / videos_module.LOOKED_AT / "train" / "squats.mp4"
    note.unlink()
    shutil.copytree(clips / "train_set" / "squats.mp4.000", clips / "train_set" / "squats.mp4.007")
    clips_of_videos(videos, 64, 64, 2)
    assert note.is_file() and not (clips / "train_set" / "squats.mp4.007").exists()


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
        PoseSequence.load(clips_of_videos(folder, 64, 64, 8) / "poses" / "b.mp4.000.npz")
        for folder in (videos, alone)
    )
    for part in ("body", "left_hand", "right_hand", "face"):
        assert np.array_equal(getattr(second, part), getattr(first, part)), part


def test_a_clip_ends_where_the_person_is_lost_where_the_film_is_cut_and_where_several_are_seen(
    tmp_path, monkeypatch, capsys
):
    if not OTHER.is_file():
        pytest.skip("videos of real people (../shared/media) are not here")

    class OfCrowds(MediapipePoseDetector):
        """Told by a white edge that a picture shows several people, which MediapipePoseDetector cannot see."""

        def detect(self, picture):
            self.several_people += bool((picture[:8] > 240).all())
            return super().detect(picture)

    monkeypatch.setattr(videos_module, "open_detector", lambda name="": OfCrowds())
    squats = [np.ascontiguousarray(frame[:, 100:620]) for frame in islice(FrameReader(DANCE), 7)]
    other = list(islice(FrameReader(OTHER), 4))
    place = Placement.crop(540, 720, 520, 1280)
    other = [place.apply(frame) for frame in other]
    crowd, wall = squats[4].copy(), np.full_like(squats[0], 120)
    crowd[:24] = 255
    with open_writer(tmp_path / "film.mp4", 8) as writer:
        for frame in (*squats[:3], wall, *squats[3:6], *other[:2], crowd, *squats[:2], wall, squats[0]):
            writer.write(frame)
    clips = clips_of_videos(tmp_path, 64, 64, 8)
    read = load_clips(clips, "train", 64, 64, cell_px=4)
    assert np.diff(read.starts).tolist() == [3, 3, 2, 2]
    said = " ".join(capsys.readouterr().err.split())
    assert "10 of 14 frames show one person, in 4 clips" in said
    assert "left out: 2 with nobody, 1 with several people, 1 alone between those." in said
    colours = [read.whole_picture(int(number)).mean((0, 1)) for number in (0, 3, 6, 8)]
    assert np.abs(colours[0] - colours[1]).max() < 5 < np.abs(colours[1] - colours[2]).max()


def test_videos_of_nobody_are_refused(tmp_path):
    with open_writer(tmp_path / "wall.mp4", 8) as writer:
        writer.write(np.full((64, 64, 3), 120, np.uint8))
    with pytest.raises(InputError, match="in a row that show one person"):
        clips_of_videos(tmp_path, 64, 64, 8)


def test_clips_are_not_videos(clips, tmp_path):
    assert not holds_videos(clips)
    assert not holds_videos(tmp_path)
    assert not holds_videos(tmp_path / "nowhere")
