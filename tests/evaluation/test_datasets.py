"""Test sets in each layout, and what is wrong with a clip."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.errors import InputError, PoseError
from magicpose_cli.evaluation.datasets import TestClip, find_clips
from magicpose_cli.evaluation.datasets.check import check_clip, check_numbers
from magicpose_cli.evaluation.datasets.pictures import PictureFiles
from magicpose_cli.evaluation.datasets.poses import with_poses
from magicpose_cli.evaluation.manifest import make_manifest
from magicpose_cli.media.pictures import load_picture, save_picture
from magicpose_cli.media.video import open_writer
from magicpose_cli.pose.sequence import FramePose, PoseSequence

from .layouts import HEIGHT_PX, WIDTH_PX, grey, picture, write_frames, write_magicpose_layout


def opened(dataset: str, root: Path, split: str = "disco", poses_needed: bool = False) -> dict[str, TestClip]:
    _, found = find_clips(dataset, root, split)
    return {name: open_clip(i, poses_needed) for i, (name, open_clip) in enumerate(found.items())}


def greys(clip: TestClip) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in clip.frames.read(range(len(clip.frames)))]


@pytest.mark.parametrize("dataset", ["synth", "tiktok"])
def test_magicpose_layout(tmp_path: Path, dataset: str) -> None:
    clips = opened(dataset, write_magicpose_layout(tmp_path), poses_needed=True)
    assert list(clips) == ["TiktokDance_00337", "TiktokDance_201_005_1x1"]
    first, second = clips.values()
    assert greys(first) == [grey(0, i) for i in range(4)] and first.targets == (1, 2, 3)
    assert greys(second) == [grey(1, i) for i in range(3)] and second.number == 1
    assert first.maps is not None and first.masks is not None
    assert next(first.maps.read([2]))[0, 0, 0] == grey(0, 2, "poses")
    assert next(first.masks.read([2]))[0, 0, 0] == grey(0, 2, "masks")


def test_pose_maps_that_are_missing_are_drawn_from_keypoints(tmp_path: Path) -> None:
    root = write_magicpose_layout(tmp_path, {"a": 3})
    shutil.rmtree(root / "pose_map_disco_test_set")
    (root / "poses").mkdir()
    body = np.zeros((18, 3), np.float32)
    body[1:3] = (8, 8, 1), (20, 8, 1)  # neck and a shoulder
    pose = FramePose.empty()._replace(body=body)
    for frames in (2, 3):
        PoseSequence.from_frames([pose] * frames, 32, 32, 25).save(root / "poses" / "a.npz")
        if frames == 2:
            with pytest.raises(InputError, match="keypoints of 3 frames"):
                opened("synth", root, poses_needed=True)
    maps = opened("synth", root, poses_needed=True)["a"].maps
    assert maps is not None and all(picture.any() for picture in maps.read([0, 1, 2]))


def test_pose_maps_may_have_another_suffix_and_may_lack_where_none_are_needed(tmp_path: Path) -> None:
    root = write_magicpose_layout(tmp_path, {"a": 3})
    folder = root / "pose_map_disco_test_set" / "a"
    for path in folder.iterdir():
        save_picture(path.with_suffix(".jpg"), load_picture(path))
        path.unlink()
    assert opened("tiktok", root, poses_needed=True)["a"].maps is not None
    (folder / "0001.jpg").unlink()
    with pytest.raises(InputError, match=r"a pose map for each frame, found no .*0001\.png"):
        opened("tiktok", root, poses_needed=True)
    assert opened("tiktok", root)["a"].maps is None, "where no model needs them, a warning does"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert opened("tiktok", root)["a"].maps is None
    write_frames(folder, [0] * 4)
    with pytest.raises(InputError, match=r"a frame for a pose map .*0003\.png"):
        opened("tiktok", root, poses_needed=True)
    for i, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"pose_{i}.png") if i < 3 else path.unlink()
    maps = opened("tiktok", root, poses_needed=True)["a"].maps
    assert maps is not None and maps.name_of(1).endswith("pose_1.png"), "named otherwise, they go in order"


def test_sequences_335_to_340(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for video in (1, *range(335, 341)):
        write_frames(raw / f"{video:05d}" / "images", [video % 256, 1, 2], first=1)
        write_frames(raw / f"{video:05d}" / "masks", [0, 0, 0], first=1)
    clips = opened("tiktok", raw, "335-340")
    assert list(clips) == [f"{video:05d}" for video in range(335, 341)]
    assert greys(clips["00338"]) == [338 % 256, 1, 2]
    (tmp_path / "again").mkdir()
    raw.rename(tmp_path / "again" / "TikTok_dataset")
    assert list(opened("tiktok", tmp_path / "again", "335-340")) == list(clips)
    with pytest.raises(InputError, match="DisCo's ten test videos"):
        opened("tiktok", tmp_path / "again")

    ours = write_magicpose_layout(tmp_path / "ours", {"TiktokDance_00337": 2, "TiktokDance_201_005_1x1": 2})
    with pytest.raises(InputError, match="found no 00335, 00336, 00338, 00339, 00340"):
        opened("tiktok", ours, "335-340")
    write_magicpose_layout(
        ours, {f"TiktokDance_{v:05d}": 3 for v in (1, 335, 336, 338, 339, 340)}, "train_set"
    )
    clips = opened("tiktok", ours, "335-340", poses_needed=True)
    assert list(clips) == [f"TiktokDance_{v:05d}" for v in range(335, 341)]
    assert len(clips["TiktokDance_00337"].frames) == 2


@pytest.mark.parametrize("inside", ["{}/test/test_img", "{}_test/test_img", "edn/{}/test_img"])
def test_everybody_dance_now(tmp_path: Path, inside: str) -> None:
    for subject in ("subject1", "subject2", "subject10"):
        folder = tmp_path / inside.format(subject)
        folder.mkdir(parents=True)
        for i in range(2):
            frame = np.zeros((32, 64, 3), np.uint8)
            frame[:, 16:48] = 100 + i  # the central square
            save_picture(folder / f"frame{i:06d}.png", frame)
        write_frames(folder.parent / "train_img", [0])
    clips = opened("everybody-dance-now", tmp_path)
    assert [name.split("-")[-1] for name in clips] == ["subject1", "subject2", "subject10"]
    clip = next(iter(clips.values()))
    assert clip.maps is None
    (frame,) = clip.read(clip.frames, (16, 16))
    assert (frame == 101).all()


def test_a_folder_of_videos_and_of_frames(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames", [1, 2, 3])
    for name in ("video.mp4", "animation.gif"):
        with open_writer(tmp_path / name, 10) as writer:
            for i in range(5):
                writer.write(picture(40 * i))
    (tmp_path / "notes.txt").write_text("no clip")
    clips = opened("folder", tmp_path)
    assert list(clips) == ["animation", "frames", "video"]
    assert greys(clips["frames"]) == [1, 2, 3]
    for name in ("video", "animation"):
        assert greys(clips[name]) == pytest.approx([0, 40, 80, 120, 160], abs=6)
        some = [int(frame[0, 0, 0]) for frame in clips[name].every(3).frames.read([1, 4])]
        assert some == pytest.approx([40, 160], abs=6)
    write_frames(tmp_path / "video", [1, 2])
    with pytest.raises(InputError, match="one clip of the name video"):
        opened("folder", tmp_path)


def test_a_stride_takes_every_so_manyth_target_from_the_first(tmp_path: Path) -> None:
    clip = opened("tiktok", write_magicpose_layout(tmp_path, {"a": 8}))["a"]
    assert clip.every(1) == clip
    assert clip.every(3).targets == (1, 4, 7) and clip.every(3).used == (0, 1, 4, 7)
    assert len(clip.every(9).targets) == 1
    assert clip.every(3).read(clip.frames, (8, 8))[:, 0, 0, 0].tolist() == [grey(0, i) for i in (1, 4, 7)]


def test_what_is_wrong_with_a_clip_names_the_file(tmp_path: Path) -> None:
    good = write_frames(tmp_path / "good", [1, 2, 3])
    paths = sorted(good.iterdir())
    check_clip(TestClip.of("good", 0, PictureFiles(tuple(paths)), None, None))
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    with pytest.raises(InputError, match=r"a whole picture in .*good/0001\.png"):
        check_clip(TestClip.of("good", 0, PictureFiles(tuple(paths)), None, None))
    save_picture(paths[1], np.zeros((HEIGHT_PX, WIDTH_PX + 2, 3), np.uint8))
    with pytest.raises(InputError, match=r"one size, 24x40, as .*0000\.png, found 26x40 in .*0001\.png"):
        check_clip(TestClip.of("good", 0, PictureFiles(tuple(paths)), None, None))
    tiny = tmp_path / "tiny.png"
    save_picture(tiny, np.zeros((10, 30, 3), np.uint8))
    with pytest.raises(
        InputError, match=r"at least 11 px on each side, for SSIM, found 30x10 in .*tiny\.png"
    ):
        check_clip(TestClip.of("tiny", 0, PictureFiles((tiny, tiny)), None, None))
    paths[1].unlink()
    with pytest.raises(InputError, match=r"frame 0001 after 0000\.png in .*good, found 0002\.png next"):
        opened("folder", tmp_path)
    paths[2].unlink()
    with pytest.raises(
        InputError, match="a reference and at least one target in the clip good, found 1 frame"
    ):
        opened("folder", tmp_path)


def test_a_clip_that_shows_nobody_is_named(tmp_path: Path) -> None:
    write_frames(tmp_path / "grey", [90, 100, 110])
    with pytest.raises(PoseError, match=r"a person in .*grey/0001\.png, or later in the clip, found nobody"):
        with_poses(opened("folder", tmp_path)["grey"], tmp_path / "grey.npz", "mediapipe")
    assert not (tmp_path / "grey.npz").exists()


@given(st.integers(0, 50), st.integers(1, 4), st.integers(4, 20), st.data())
def test_a_missing_frame_number_is_found_wherever_it_is(first: int, step: int, count: int, data) -> None:  # type: ignore[no-untyped-def]
    names = [f"dance_{first + step * i:05d}.png" for i in range(count)]
    check_numbers(names, "x")
    gone = data.draw(st.integers(1, count - 2))
    with pytest.raises(InputError, match=f"frame {first + step * gone:05d} after {names[gone - 1]}"):
        check_numbers(names[:gone] + names[gone + 1 :], "x")
    with pytest.raises(InputError, match="rising frame numbers"):
        check_numbers([*names, names[-1].replace(".png", ".jpg")], "x")
    check_numbers([name.replace("dance", f"v{i}") for i, name in enumerate(names[::3])], "x")  # no one order


def test_a_manifest_is_of_contents_not_of_names(tmp_path: Path) -> None:
    def digest(root: Path, stride: int = 1) -> str:
        clips = [clip.every(stride) for clip in opened("folder", root).values()]
        manifest = make_manifest(clips, "folder", "disco", stride)
        assert manifest["n_videos"] == 2 and manifest["split"] is None
        assert manifest["n_frames"] == sum(clip["n_frames"] for clip in manifest["clips"].values())
        return manifest["sha256"]

    a, b, c = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    for root, names in ((a, ("x", "y")), (b, ("z", "w")), (c, ("x", "y"))):
        write_frames(root / names[0], [1, 2, 3])
        write_frames(root / names[1], [1, 2, 4 if root != c else 5], "frame{:02d}.png", first=7)
    assert digest(a) == digest(b) != digest(c)
    assert digest(a, 2) != digest(a)
    assert digest(a, 2) == digest(c, 2)  # the frames that differ are not used


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAGICPOSE_DATA", raising=False)
    for dataset, expected in (
        ("synth", "disco_test_set/<video>"),
        ("tiktok", r"\*_images\.tsv"),
        ("everybody-dance-now", "<subject>/test_img"),
        ("folder", "videos or folders of frames"),
    ):
        with pytest.raises(InputError, match=expected):
            find_clips(dataset, tmp_path)
        with pytest.raises(InputError, match="no such folder"):
            find_clips(dataset, tmp_path / "none")
        with pytest.raises(InputError, match="MAGICPOSE_DATA"):
            find_clips(dataset, None)
    write_frames(tmp_path / "folder" / "a", [1, 2])
    monkeypatch.setenv("MAGICPOSE_DATA", str(tmp_path))
    assert list(find_clips("folder", None)[1]) == ["a"]
