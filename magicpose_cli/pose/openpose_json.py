"""OpenPose's JSON files, one a frame: the exchange format of every tool that draws or reads its skeletons.

Written: `people[0]` with the 18 COCO points and, beside OpenPose's own entries, `canvas_width` and
`canvas_height`, as the ControlNet web tools write them. Read: COCO-18 or BODY_25 bodies, hands, faces,
several people (the largest is taken), with or without the canvas.
"""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .. import console
from ..errors import PoseError
from ..media import atomic
from ..media.files import natural_key, shortened
from .sequence import MOST_PX, POINT_COUNTS, FramePose, PoseSequence, check_size

_KEYS = {
    "body": "pose_keypoints_2d",
    "left_hand": "hand_left_keypoints_2d",
    "right_hand": "hand_right_keypoints_2d",
    "face": "face_keypoints_2d",
}
_BODY_25_TO_18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
"""BODY_25 has the mid-hip at 8 and six foot points at the end; the rest is in COCO's order."""
_LONGEST_STEM = 255 - len("_000000000000_keypoints.json")
"""Bytes of the video's name that fit in a file's name."""


def write(sequence: PoseSequence, folder: Path, overwrite: bool = False) -> None:
    """Write one file a frame, `NAME_000000000000_keypoints.json`, into a folder of their own.

    Args:
        sequence: the poses.
        folder: the folder; it appears whole or not at all.
        overwrite: replace a folder of such files that is there already.

    Raises:
        OutputExistsError: the folder is not empty and `overwrite` is False.
        OptionError: it holds files that are not keypoints.
    """
    stem = shortened(Path(sequence.source_name).stem or "frame", _LONGEST_STEM)
    with atomic.write_folder(folder, overwrite=overwrite, is_ours=_is_keypoints_file) as temporary:
        for index, frame in enumerate(sequence):
            text = json.dumps(_document(frame, sequence.width_px, sequence.height_px))
            (temporary / f"{stem}_{index:012d}_keypoints.json").write_text(text, encoding="utf-8")


def check_output(folder: str | Path, overwrite: bool = False) -> None:
    """Raise before any work what `write` would raise about its folder; arguments and errors as there."""
    atomic.check_folder_output(folder, overwrite, _is_keypoints_file)


def _is_keypoints_file(path: Path) -> bool:
    return path.is_file() and path.name.endswith("_keypoints.json")


def is_openpose_folder(folder: str | Path) -> bool:
    """Whether a folder holds OpenPose JSON: its first .json file has a list of `people`."""
    try:
        files = _files(Path(folder))
        if files:
            _people(_parsed(files[0]), files[0])
    except PoseError:
        return False
    return bool(files)


def read(folder: Path, width_px: int | None, height_px: int | None, fps: Fraction) -> PoseSequence:
    """Read a folder of OpenPose JSON files in natural order of their names.

    Args:
        folder: the folder; its .json files are the frames.
        width_px: width of the pictures the points belong to. None: the files' own `canvas_width`, or,
            where they have none, a guess from the extent of the points, which is said.
        height_px: their height, the same way.
        fps: frames per second; the files do not tell.

    Returns:
        The poses; of several people in a frame the one with the largest body, and it is said how often.

    Raises:
        PoseError: no JSON files, or one that is not OpenPose's.
    """
    files = _files(folder)
    if not files:
        raise PoseError(
            expected=f"OpenPose JSON files in {folder}",
            found="a single file" if folder.is_file() else "none" if folder.is_dir() else "no such folder",
            remedy="Give the folder that OpenPose wrote with --write_json.",
        )
    frames: list[FramePose] = []
    canvases: set[tuple[int, int]] = set()
    crowded = 0
    for path in files:
        document = _parsed(path)
        people = [_person(entry, path) for entry in _people(document, path)]
        crowded += len(people) > 1
        frames.append(max(people, key=_body_area_px2) if people else FramePose.empty())
        if canvas := _canvas(document, path):
            canvases.add(canvas)
    if crowded:
        console.say(f"{crowded} of {len(files)} frames show several people; the largest is taken.")
    size = _size(folder, frames, canvases, width_px, height_px)
    check_size(*size, "Write the files again with canvas_width and canvas_height.")
    if _normalised(frames):
        scale = np.array([*size, 1], np.float32)
        frames = [FramePose(*(part * scale for part in frame)) for frame in frames]
    return PoseSequence.from_frames(frames, *size, fps, source_name=folder.name)


def _files(folder: Path) -> list[Path]:
    if not os.path.isdir(folder):
        return []
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() == ".json" and path.is_file()]
    except OSError as error:
        raise PoseError(
            expected=f"a folder that can be read at {folder}",
            found=(error.strerror or str(error)).lower(),
            remedy="Check who may read it.",
        ) from error
    found = [path for path in found if path.name != "report.json"]  # which may tell their rate
    return sorted(found, key=lambda path: natural_key(path.name))


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _foreign(path, str(error)) from error


def _people(document: Any, path: Path) -> list[Any]:
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # the ControlNet web tools wrap a frame in a list
    people = document.get("people") if isinstance(document, dict) else None
    if not isinstance(people, list):
        raise _foreign(path, "no list of people")
    return people


def _canvas(document: Any, path: Path) -> tuple[int, int] | None:
    entries = document[0] if isinstance(document, list) else document
    if "canvas_width" not in entries or "canvas_height" not in entries:
        return None
    size = entries["canvas_width"], entries["canvas_height"]
    if not all(
        isinstance(side, int | float) and 1 <= side < 2**31 for side in size
    ):  # check_size has the rest
        raise _foreign(path, f"a canvas of {size[0]!r} x {size[1]!r}")
    return int(size[0]), int(size[1])


def _person(entry: Any, path: Path) -> FramePose:
    if not isinstance(entry, dict):
        raise _foreign(path, "a person that is no object")
    return FramePose(*(_points(entry.get(key) or [], part, path) for part, key in _KEYS.items()))


def _points(numbers: Any, part: str, path: Path) -> np.ndarray:
    count = POINT_COUNTS[part]
    try:
        flat = np.asarray(numbers, np.float64)
        points = flat.reshape(-1, 3)
    except (TypeError, ValueError) as error:
        raise _foreign(path, f"{_KEYS[part]} that is no list of x, y, confidence") from error
    if len(points) == 0:
        return np.zeros((count, 3), np.float32)
    if part == "body" and len(points) == 25:
        points = points[list(_BODY_25_TO_18)]
    if len(points) != count:
        raise _foreign(path, f"{len(points)} points in {_KEYS[part]}, not {count}")
    if not np.isfinite(points).all() or np.abs(points[:, :2]).max() > MOST_PX:
        raise _foreign(path, f"numbers in {_KEYS[part]} that are no positions")
    points = points.astype(np.float32)
    points[:, 2] = points[:, 2].clip(0, 1)  # OpenPose's heat maps overshoot 1 a little
    points[points[:, 2] == 0] = 0
    return points


def _document(frame: FramePose, width_px: int, height_px: int) -> dict[str, Any]:
    person = {"person_id": [-1]} | {
        key: [round(number, 4) for number in getattr(frame, part).ravel().tolist()]
        for part, key in _KEYS.items()
    }
    people = [person] if any(frame.found(part) for part in _KEYS) else []
    return {"version": 1.3, "people": people, "canvas_width": width_px, "canvas_height": height_px}


def _body_area_px2(pose: FramePose) -> float:
    seen = pose.body[pose.body[:, 2] > 0, :2]
    return float(np.prod(np.ptp(seen, axis=0))) if len(seen) else 0.0


def _extent(frames: list[FramePose]) -> np.ndarray:
    """Smallest and largest x and y of all points found, (2 2); zeros where there are none."""
    points = [part[part[:, 2] > 0, :2] for frame in frames for part in frame]
    seen = np.concatenate(points) if points else np.zeros((0, 2))
    return np.stack([seen.min(axis=0), seen.max(axis=0)]) if len(seen) else np.zeros((2, 2))


def _normalised(frames: list[FramePose]) -> bool:
    """Whether the points are fractions of the picture (OpenPose's --keypoint_scale 3), not pixels."""
    highest = _extent(frames)[1]
    return bool(0 < highest.max() <= 1)


def _size(
    folder: Path,
    frames: list[FramePose],
    canvases: set[tuple[int, int]],
    width_px: int | None,
    height_px: int | None,
) -> tuple[int, int]:
    if width_px is not None and height_px is not None:
        return width_px, height_px
    if len(canvases) > 1:
        raise PoseError(
            expected=f"one canvas size for all files in {folder}",
            found=" and ".join(f"{w}x{h}" for w, h in sorted(canvases)[:2]),
            remedy="Keep the frames of each video in a folder of their own.",
        )
    if canvases:
        return canvases.pop()
    lowest, highest = _extent(frames)
    if highest.max() <= 1:
        raise PoseError(
            expected="keypoints in pixels, or files that tell the picture's size",
            found=f"neither in {folder}" if highest.any() else f"no keypoints at all in {folder}",
            remedy="Write the files again with canvas_width and canvas_height, or with --keypoint_scale 0.",
        )
    # as much room right and below as there is left and above: a dancer is mostly filmed in the middle
    guess = [max(2, round(float(high + max(low, 0.0)))) for low, high in zip(lowest, highest, strict=True)]
    size = (width_px or guess[0], height_px or guess[1])
    console.warn(
        f"The files in {folder} do not tell the picture's size; it is taken as {size[0]}x{size[1]} from the "
        "extent of the keypoints."
    )
    return size


def _foreign(path: Path, found: str) -> PoseError:
    return PoseError(
        expected=f"an OpenPose keypoints file at {path}",
        found=found,
        remedy="Give a folder that holds OpenPose's JSON files and nothing else.",
    )
