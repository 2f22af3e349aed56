"""What drives: told apart, cut by one rule, and refused where nobody is in it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magicpose_cli.errors import MagicPoseError, OptionError, PoseError
from magicpose_cli.jobs.driving import Cut, Driving
from magicpose_cli.media.pictures import Placement, save_picture
from magicpose_cli.media.video import FrameReader, open_writer
from magicpose_cli.pose.draw import draw_pose
from magicpose_cli.pose.sequence import FramePose, PoseSequence

PLACEMENT = Placement.crop(120, 160, 48, 64)
MOST_FRAMES = 9
NOTHING = np.zeros((160, 120, 3), np.uint8)


def _pose(number: int = 0) -> FramePose:
    pose = FramePose.empty()
    body = [(60, 25), (60, 45), (45, 45), (38, 65), (35, 85), (75, 45), (85, 60), (90, 45 + number)]
    for joint, (x, y) in enumerate(body):
        pose.body[joint] = x, y, 1
    return pose


def _numbered(count: int, fps: Fraction) -> PoseSequence:
    """Whose nose lies at (frame number, 1)."""
    frames = [FramePose.empty() for _ in range(count)]
    for number, frame in enumerate(frames):
        frame.body[0] = number, 1, 1
    return PoseSequence.from_frames(frames, 100, 100, fps)


def _numbers(sequence: PoseSequence) -> list[int]:
    return [int(frame.body[0, 0]) for frame in sequence]


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Frames by their count: frame i is of grey 10 i."""
    folders = {count: tmp_path_factory.mktemp(f"steady{count}") for count in range(1, MOST_FRAMES + 1)}
    for count, folder in folders.items():
        for number in range(count):
            save_picture(folder / f"{number}.png", np.full((2, 2, 3), 10 * number, np.uint8))
    return folders


def _read(path: Path, fps: Fraction | None, start_s: float, duration_s: float | None) -> list[int]:
    return [round(frame.mean() / 10) for frame in FrameReader(path, fps, start_s, duration_s)]


RATES = st.one_of(
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(25, 2), Fraction(1, 3)]),
    st.fractions(Fraction(1, 10), 120, max_denominator=1001),
)
FRAMES = st.one_of(st.integers(0, 20).map(lambda halves: halves / 2), st.floats(0, 12))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, MOST_FRAMES), RATES, FRAMES, st.none() | FRAMES)
def test_a_cut_of_poses_is_that_of_the_video(steady, count, fps, start_frames, duration_frames):
    start_s = float(start_frames / fps)
    duration_s = None if duration_frames is None else float(duration_frames / fps)

    def attempt(frames):
        try:
            return frames()
        except OptionError as error:
            return type(error), error.found, error.remedy

    of_poses = attempt(lambda: _numbers(Cut(start_s, duration_s).of(_numbered(count, fps))))
    of_video = attempt(lambda: _read(steady[count], fps, start_s, duration_s))
    assert of_poses == of_video


@pytest.mark.parametrize(("start_s", "duration_s"), [(0.1, None), (0.06, 0.1), (0.059, 0.06), (0.0, 0.02)])
def test_a_cut_of_poses_is_that_of_a_real_container(tmp_path, start_s, duration_s):
    fps = Fraction(25)
    with open_writer(tmp_path / "a.mp4", fps) as writer:
        for number in range(MOST_FRAMES):
            writer.write(np.full((48, 64, 3), 10 * number, np.uint8))
    of_video = _read(tmp_path / "a.mp4", None, start_s, duration_s)
    assert _numbers(Cut(start_s, duration_s).of(_numbered(MOST_FRAMES, fps))) == of_video


@pytest.mark.parametrize(
    ("start_s", "duration_s"),
    [
        (float("inf"), None),
        (float("nan"), None),
        (-1, None),
        (0, 0),
        (0, float("inf")),
        (0, -1),
        (0.36, None),
    ],
)
def test_times_that_make_no_sense_end_as_for_a_video(steady, start_s, duration_s):
    errors = []
    for cut in (
        lambda: Cut(start_s, duration_s).of(_numbered(MOST_FRAMES, Fraction(25))),
        lambda: FrameReader(steady[MOST_FRAMES], None, start_s, duration_s),
    ):
        with pytest.raises(OptionError) as caught:
            cut()
        errors.append((caught.value.found, caught.value.remedy))
    assert errors[0] == errors[1]


def test_no_poses_at_all_are_not_cut():
    with pytest.raises(OptionError, match=r"a start before the end of the poses at 0\.00 s"):
        Cut().of(PoseSequence.from_frames([], 10, 10, 25))


def _maps(folder: Path, pictures: list[np.ndarray], kind: str = "auto") -> Driving:
    with open_writer(folder, 25) as writer:
        for picture in pictures:
            writer.write(picture)
    return Driving(folder, kind)


def test_pose_maps_of_nobody_are_counted_and_said(tmp_path, capsys):
    drawn = [draw_pose(_pose(number), 120, 160) for number in range(3)]
    driving = _maps(tmp_path / "maps", [drawn[0], NOTHING, *drawn[1:], NOTHING])
    driving.find_poses(None)
    maps = driving.maps(PLACEMENT)
    assert (driving.kind, len(maps), driving.empty_frames) == ("pose-maps", 5, 2)
    assert "2 of 5 frames show nobody" in capsys.readouterr().err
    for index, picture in zip((0, 1, 3), (drawn[0], NOTHING, drawn[2]), strict=True):
        np.testing.assert_array_equal(maps[index], PLACEMENT.apply(picture))


def test_pose_maps_that_all_show_nobody_are_refused(tmp_path):
    driving = _maps(tmp_path / "maps", [NOTHING] * 3, "pose-maps")
    with pytest.raises(PoseError, match="nobody in any of 3 frames"):
        driving.maps(PLACEMENT)


def test_empty_frames_of_poses_are_counted_too(tmp_path):
    frames = [_pose(), FramePose.empty(), _pose(), FramePose.empty()]
    PoseSequence.from_frames(frames, 120, 160, 25).save(tmp_path / "a.npz")
    driving = Driving(tmp_path / "a.npz")
    driving.find_poses(None)
    assert driving.empty_frames == 2


def test_a_black_lead_in_does_not_make_pose_maps_a_video(tmp_path):
    drawn = draw_pose(_pose(), 120, 160)
    assert _maps(tmp_path / "two_seconds", [NOTHING] * 50 + [drawn] * 60).kind == "pose-maps"
    assert _maps(tmp_path / "few", [NOTHING] + [drawn] * 3).kind == "pose-maps"


def test_a_single_json_file_is_told_to_be_one(tmp_path):
    PoseSequence.from_frames([_pose()], 120, 160, 25).to_openpose_json(tmp_path / "json")
    (file,) = (tmp_path / "json").iterdir()
    for kind in ("openpose-json", "auto"):
        with pytest.raises(MagicPoseError, match=r"a single file.*the folder"):
            Driving(file, kind)


def test_a_face_alone_is_somebody(tmp_path):
    pose = FramePose.empty()
    pose.face[:10] = (60, 40, 1)
    PoseSequence.from_frames([pose, FramePose.empty()], 120, 160, 25).save(tmp_path / "a.npz")
    driving = Driving(tmp_path / "a.npz")
    driving.find_poses(None)
    assert driving.empty_frames == 1


def test_a_folder_has_the_rate_that_is_given_or_that_its_report_says(tmp_path, capsys):
    PoseSequence.from_frames([_pose()] * 3, 120, 160, 30).to_openpose_json(tmp_path / "json")
    assert Driving(tmp_path / "json").fps == 25
    assert "names no frame rate" in " ".join(capsys.readouterr().err.split())
    assert Driving(tmp_path / "json", fps=Fraction(30)).fps == 30
    (tmp_path / "json" / "report.json").write_text('{"fps": "24"}')
    assert Driving(tmp_path / "json").fps == 24
    with open_writer(tmp_path / "frames", 30) as writer:
        writer.write(NOTHING)
        writer.add_report('{"fps": "30"}')
    assert Driving(tmp_path / "frames", "video").fps == 30
    assert "names no frame rate" not in capsys.readouterr().err
    PoseSequence.from_frames([_pose()], 120, 160, 30).save(tmp_path / "a.npz")
    with pytest.raises(OptionError, match="poses at a rate of their own"):
        Driving(tmp_path / "a.npz", fps=Fraction(30))


def test_a_video_is_taken_at_the_rate_that_is_given(tmp_path):
    with open_writer(tmp_path / "a.mp4", 30) as writer:
        for _ in range(30):
            writer.write(NOTHING)
    driving = Driving(tmp_path / "a.mp4", "video", fps=Fraction(10))
    assert (driving.fps, driving.expected_frames) == (10, 10)
