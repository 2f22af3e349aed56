"""Poses in memory and in .npz files."""

from __future__ import annotations

import pickle
from fractions import Fraction

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli import PoseSequence
from magicpose_cli.errors import PoseError
from magicpose_cli.pose.sequence import POINT_COUNTS, FramePose


def blank(length: int = 2, **changes) -> dict:
    parts = {part: np.zeros((length, count, 3), np.float32) for part, count in POINT_COUNTS.items()}
    return parts | {"width_px": 100, "height_px": 200, "fps": Fraction(25)} | changes


@st.composite
def sequences(draw):
    length = draw(st.integers(1, 4))
    parts = {}
    for part, count in POINT_COUNTS.items():
        shape = (length, count)
        xy = draw(hnp.arrays(np.float32, (*shape, 2), elements=st.floats(-5000, 5000, width=32)))
        confidence = draw(hnp.arrays(np.float32, (*shape, 1), elements=st.floats(0, 1, width=32)))
        parts[part] = np.concatenate([xy, confidence], axis=2)
    return PoseSequence(
        **parts,
        width_px=draw(st.integers(160, 8000)),
        height_px=draw(st.integers(160, 8000)),
        fps=draw(st.fractions(Fraction(1, 100), 240, max_denominator=1001)),
        source_name=draw(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
        ),
        source_sha256=draw(st.text("0123456789abcdef", max_size=64)),
    )


@given(sequences())
def test_a_saved_sequence_loads_the_same_and_saves_to_the_same_bytes(tmp_path_factory, sequence):
    folder = tmp_path_factory.mktemp("poses")
    sequence.save(folder / "a.npz")
    again = PoseSequence.load(folder / "a.npz")
    for part in POINT_COUNTS:
        np.testing.assert_array_equal(getattr(again, part), getattr(sequence, part))
    assert (again.width_px, again.height_px, again.fps) == (
        sequence.width_px,
        sequence.height_px,
        sequence.fps,
    )
    assert again.source == sequence.source
    again.save(folder / "b.npz")
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()


@given(sequences())
def test_missing_points_are_zeros_and_counts_agree_with_them(sequence):
    assert (sequence.body[sequence.body[..., 2] == 0] == 0).all()
    counts = sequence.counts()
    assert counts["frames"] == len(sequence) == len(list(sequence))
    assert counts["body"] == sum(frame.found("body") for frame in sequence)
    assert counts["hands"] == sum(frame.found("left_hand") or frame.found("right_hand") for frame in sequence)


def test_frames_join_to_a_sequence_and_come_back(random_pose):
    frames = [random_pose(seed, 320, 240) for seed in range(3)] + [FramePose.empty()]
    sequence = PoseSequence.from_frames(frames, 320, 240, 29.97, "a.mp4", "ff")
    for frame, again in zip(frames, sequence, strict=True):
        for part, part_again in zip(frame, again, strict=True):
            np.testing.assert_array_equal(part, part_again)
    assert sequence.counts() == {
        "frames": 4,
        "body": 3,
        "left_hand": 3,
        "right_hand": 3,
        "hands": 3,
        "face": 3,
    }


def test_a_sequence_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="read-only"):
        PoseSequence(**blank()).body[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": np.zeros((2, 17, 3))}, r"body as numbers of shape \(2, 18, 3\), found .*17"),
        ({"face": np.zeros((1, 70, 3))}, "face as numbers"),
        ({"left_hand": np.full((2, 21, 3), np.nan)}, "finite numbers in left_hand, found NaN"),
        ({"right_hand": np.full((2, 21, 3), 1e300)}, "finite numbers in right_hand"),
        ({"body": np.full((2, 18, 3), 2.0)}, "confidences from 0 to 1 in body, found 2.0"),
        ({"body": np.full((2, 18, 3), "a")}, "body as numbers"),
        ({"width_px": 0}, "at least 1x1 px, .*found 0x200"),
        ({"width_px": 16_385, "height_px": 16_385}, "at most 16384 px a side and 50:1, found 16385x16385"),
        ({"width_px": 4, "height_px": 201}, "50:1, found 4x201"),
        ({"body": np.tile([1e6 + 1, 0, 1], (2, 18, 1))}, "coordinates in body of at most 1000000 px"),
        ({"face": np.tile([0, -2e6, 1], (2, 70, 1))}, "coordinates in face .*found 2e"),
        ({"fps": Fraction(0)}, "frame rate above 0 and up to 1000, found 0"),
        ({"fps": Fraction(1001)}, "frame rate above 0 and up to 1000, found 1001"),
        ({"fps": Fraction(1, 10**9)}, "frame rate of at least 1 frame in 100,000 s, found 1/1000000000"),
    ],
)
def test_what_is_no_pose_is_refused(changes, message):
    with pytest.raises(PoseError, match=message):
        PoseSequence(**blank(**changes))


@pytest.mark.parametrize(
    ("stated", "kept"), [(29.97, Fraction(30000, 1001)), (12.5, Fraction(25, 2)), (30, 30)]
)
def test_a_rate_is_kept_exact(tmp_path, stated, kept):
    sequence = PoseSequence.from_frames([FramePose.empty()], 100, 200, stated)
    assert sequence.fps == PoseSequence(**blank(fps=stated)).fps == kept
    sequence.to_openpose_json(tmp_path / "json")
    again = PoseSequence.from_openpose_json(tmp_path / "json", fps=stated)
    assert again.fps == kept


def test_files_that_are_no_pose_files_are_refused(tmp_path):
    good = tmp_path / "good.npz"
    PoseSequence(**blank()).save(good)
    arrays = dict(np.load(good))
    cases = {
        "absent.npz": ("no such file", None),
        "text.npz": ("Check the path", b"hello"),
        "empty.npz": ("Check the path", b""),
        "cut.npz": ("Check the path", good.read_bytes()[:-100]),
        "flipped.npz": ("Check the path", good.read_bytes()[:80] + b"\xff" * 40 + good.read_bytes()[120:]),
        "pickle.npz": ("Check the path", pickle.dumps({"body": 1})),
    }
    for name, (message, data) in cases.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(PoseError, match=message):
            PoseSequence.load(tmp_path / name)
    for name, message, change in [
        ("future.npz", "version 99", {"format_version": np.int64(99)}),
        ("lacking.npz", "no entry 'face'", {"face": None}),
        ("objects.npz", "Object arrays", {"body": np.array([{}], dtype=object)}),
        ("rate.npz", "Fraction", {"fps": np.array([1, 0])}),
        ("shape.npz", "hand as numbers", {"left_hand": np.zeros((5, 21, 3))}),
    ]:
        changed = {key: value for key, value in (arrays | change).items() if value is not None}
        np.savez(tmp_path / name, **changed)
        with pytest.raises(PoseError, match=message):
            PoseSequence.load(tmp_path / name)


def test_a_file_without_frames_is_refused(tmp_path):
    PoseSequence(**blank(0)).save(tmp_path / "none.npz")
    with pytest.raises(PoseError, match="no frames in it"):
        PoseSequence.load(tmp_path / "none.npz")


def test_a_file_of_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(PoseError, match="a single array"):
        PoseSequence.load(tmp_path / "one.npy")
