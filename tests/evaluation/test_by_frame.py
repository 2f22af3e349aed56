"""Values frame by frame, in memory and as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from magicpose_cli.errors import OutputExistsError
from magicpose_cli.evaluation.by_frame import values_by_frame, write_frames_csv


def record(**changed: Any) -> dict[str, Any]:
    return {
        "frames": {"psnr": [20.1, 21.0, 1 / 3]},
        "points": {"body": [(3, 4), (0, 0), (1, 2)], "hands": [(0, 21), (0, 0), (42, 42)], "face": []},
        "openings": {"mouth": [None, [0.25, 0.5], None], "eyes": [None] * 3},
        "flicker": [[0.5, 0.25], [1.0, 0.0]],
        **changed,
    }


def test_a_value_of_two_neighbours_stands_at_the_later_one() -> None:
    found = values_by_frame(record())
    assert found["flicker"] == [None, 0.5, 1.0] and found["flicker_of_truth"] == [None, 0.25, 0.0]
    assert found["pose_accuracy"] == [0.75, None, 0.5]
    assert (found["joints_agreeing"], found["joints_in_truth"]) == ([3, 0, 1], [4, 0, 2])
    assert found["pose_accuracy_hands"] == [0.0, None, 1.0] and found["hand_points_in_truth"] == [21, 0, 42]
    assert "pose_accuracy_face" not in found


def test_openings_stand_at_their_frames() -> None:
    found = values_by_frame(record())
    assert (found["mouth"], found["mouth_of_truth"]) == ([None, 0.25, None], [None, 0.5, None])
    assert "eyes" not in found


def test_faces_stand_at_their_frames() -> None:
    found = values_by_frame(record(faces={"found": [1.0, None, 0.0], "face_cos": [0.5, None, None]}))
    assert (found["face_det"], found["face_cos"]) == ([1.0, None, 0.0], [0.5, None, None])
    without = values_by_frame(record(faces={"found": [None] * 3}))
    assert not {"face_det", "face_cos"} & set(without)


def test_what_cannot_be_placed_is_left_out() -> None:
    # one pair had no background: which one, the record does not say
    assert list(values_by_frame(record(points={}, openings={}, flicker=[[0.5, 0.25]]))) == ["psnr"]
    assert list(values_by_frame(record(points={}, openings={}, flicker=None))) == ["psnr"]


def test_metrics_that_are_new_come_along() -> None:
    frames = {"psnr": [1.0, 2.0, 3.0], "new": [None, 5.0, 6.0], "of_pairs": [7.0, 8.0]}
    found = values_by_frame(record(frames=frames))
    assert found["new"] == [None, 5.0, 6.0] and found["of_pairs"] == [None, 7.0, 8.0]


def test_csv_has_a_row_a_frame_in_full_precision(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    rows = [(("m, n", "a"), values_by_frame(record())), (("o", "b"), {"psnr": [1 / 7], "l1": [2.0]})]
    write_frames_csv(path, rows, ("method", "clip"))
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["method"], row["clip"], row["frame"]) for row in found] == [
        ("m, n", "a", "1"), ("m, n", "a", "2"), ("m, n", "a", "3"), ("o", "b", "1"),
    ]  # fmt: skip
    assert float(found[2]["psnr"]) == 1 / 3 and float(found[3]["psnr"]) == 1 / 7
    assert found[0]["flicker"] == "" and found[0]["l1"] == "" and found[3]["l1"] == "2.0"
    with pytest.raises(OutputExistsError):
        write_frames_csv(path, rows, ("method", "clip"), overwrite=False)
