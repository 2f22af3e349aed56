"""Clips on disk: layout, resuming, and that a seed decides every byte."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.errors import MissingDependencyError, OptionError
from magicpose_cli.pose.draw import draw_pose
from magicpose_cli.pose.sequence import PoseSequence
from magicpose_cli.synth import body as body_module
from magicpose_cli.synth.clips import ClipPlan, write_clips


def plan(out: Path, **changes: object) -> ClipPlan:
    return replace(ClipPlan(out, 2, 3, 64, Fraction(12), 5, "train"), **changes)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dancers")
    assert write_clips(plan(out)) == 2
    return out


def test_layout_is_that_of_the_tiktok_folders(written: Path) -> None:
    assert sorted(p.name for p in written.iterdir()) == [
        "mask_train_set",
        "pose_map_train_set",
        "poses",
        "train_set",
    ]
    videos = sorted(p.name for p in (written / "train_set").iterdir())
    assert len(videos) == 2
    assert videos == sorted(p.name for p in (written / "pose_map_train_set").iterdir())
    for video in videos:
        for kind in ("train_set", "pose_map_train_set"):
            names = sorted(p.name for p in (written / kind / video).iterdir())
            assert names == ["0000.png", "0001.png", "0002.png"]
            with Image.open(written / kind / video / names[0]) as picture:
                assert picture.size == (64, 64) and picture.mode == "RGB"


def test_pose_file_and_pose_map_tell_the_same(written: Path) -> None:
    for file in (written / "poses").iterdir():
        sequence = PoseSequence.load(file)
        assert (len(sequence), sequence.width_px, sequence.fps) == (3, 64, 12)
        assert sequence.source_name == file.stem and len(sequence.source_sha256) == 64
        drawn = np.array(Image.open(written / "pose_map_train_set" / file.stem / "0001.png"))
        coarse = (
            draw_pose(sequence[1], 64, 64).max(-1) > 0
        )  # thick strokes at native size cover the thin ones
        assert (drawn.max(-1) > 60).sum() > 50
        assert not ((drawn.max(-1) > 60) & ~coarse).any()


def test_masks_hold_the_dancer_and_leave_the_background(written: Path) -> None:
    for file in (written / "poses").iterdir():
        pose = PoseSequence.load(file)[1]
        mask = np.array(Image.open(written / "mask_train_set" / file.stem / "0001.png"))
        assert mask.shape == (64, 64) and set(np.unique(mask)) == {0, 255}
        seen = pose.body[(pose.body[:, 2] > 0.5)]
        inside = seen[((seen[:, :2] >= 0) & (seen[:, :2] < 64)).all(1)]
        columns, rows = inside[:, :2].astype(int).T
        assert (mask[rows, columns] > 0).mean() > 0.9
        frames = [np.array(Image.open(f)) for f in sorted((written / "train_set" / file.stem).iterdir())]
        masks = [np.array(Image.open(f)) for f in sorted((written / "mask_train_set" / file.stem).iterdir())]
        empty = (np.stack(masks) == 0).all(0)
        assert empty.any()
        # nothing but the dancer and the shadow moves
        moved = np.abs(np.stack(frames).astype(int) - frames[0]).max((0, 3))
        assert np.median(moved[empty]) == 0


def test_test_split_has_its_own_folders_and_people(written: Path, tmp_path: Path) -> None:
    write_clips(plan(tmp_path, split="test"))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "disco_test_set",
        "mask_disco_test_set",
        "pose_map_disco_test_set",
        "poses",
    ]
    test = [np.array(Image.open(f)) for f in sorted((tmp_path / "disco_test_set").rglob("*.png"))]
    train = [np.array(Image.open(f)) for f in sorted((written / "train_set").rglob("*.png"))]
    assert all(np.abs(a.astype(int) - b).mean() > 5 for a in test for b in train)


def test_same_seed_gives_the_same_bytes_also_when_resumed(written: Path, tmp_path: Path) -> None:
    assert write_clips(plan(tmp_path, clips=1)) == 1
    assert write_clips(plan(tmp_path)) == 1
    assert write_clips(plan(tmp_path)) == 0
    assert bytes_of(tmp_path) == bytes_of(written)


@pytest.mark.slow
def test_workers_change_no_byte(written: Path, tmp_path: Path) -> None:
    assert write_clips(plan(tmp_path), workers=2) == 2
    assert bytes_of(tmp_path) == bytes_of(written)


def test_another_seed_gives_other_people(written: Path, tmp_path: Path) -> None:
    write_clips(plan(tmp_path, seed=6, clips=1))
    other = next((tmp_path / "train_set").rglob("0000.png")).read_bytes()
    assert other not in bytes_of(written).values()


def test_a_clip_of_another_kind_is_refused_before_rendering(written: Path) -> None:
    before = bytes_of(written)
    with pytest.raises(OptionError, match="with 3 frames, 64 px") as caught:
        write_clips(plan(written, frames=4))
    assert caught.value.exit_code == 2
    assert bytes_of(written) == before


def test_a_clip_cut_off_before_its_pose_file_is_made_again(written: Path, tmp_path: Path) -> None:
    write_clips(plan(tmp_path, clips=1))
    next((tmp_path / "poses").iterdir()).unlink()
    assert write_clips(plan(tmp_path, clips=1)) == 1
    assert bytes_of(tmp_path).items() <= bytes_of(written).items()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"clips": 0}, "--clips"),
        ({"frames": 0}, "--frames"),
        ({"size_px": 16}, "--size"),
        ({"fps": Fraction(0)}, "--fps"),
        ({"seed": -1}, "--seed"),
        ({"split": "val"}, "train or test"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        plan(tmp_path, **changes)


def test_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "find_spec", lambda name: None)
    with pytest.raises(
        MissingDependencyError, match=r"no anny and no numba.*synth extra: pip install -e '\.\[synth\]'"
    ):
        write_clips(plan(tmp_path))
    assert not list(tmp_path.iterdir())
