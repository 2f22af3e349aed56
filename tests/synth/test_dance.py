"""Motion: rigid, smooth, defined in seconds, and never the same twice."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.synth.body import SKIN, BodyModel, PosedBody
from magicpose_cli.synth.dance import Motion, draw_dance, rotation

RATE = 20


def dance(body: BodyModel, seed: int, time_s: np.ndarray, still: bool = False) -> Motion:
    return draw_dance(np.random.default_rng(seed), body, body.canonical_joints, time_s, True, still)


@pytest.fixture(scope="module")
def motions(body: BodyModel) -> list[Motion]:
    return [dance(body, seed, np.arange(RATE * 2) / RATE) for seed in range(8)]


@pytest.fixture(scope="module")
def bodies(body: BodyModel, motions: list[Motion]) -> list[PosedBody]:
    return [body.pose({}, motion.rotations, {}) for motion in motions]


def test_rotations_are_rotations(motions: list[Motion]) -> None:
    for motion in motions:
        r = motion.rotations
        assert np.allclose(r @ r.swapaxes(-1, -2), np.eye(3), atol=1e-9)
        assert np.allclose(np.linalg.det(r), 1)


def test_rotation_vector_turns_about_its_axis() -> None:
    quarter = rotation(np.array([0.0, 0.0, np.pi / 2]))
    assert np.allclose(quarter @ [1, 0, 0], [0, 1, 0])
    assert np.allclose(quarter @ [0, 0, 1], [0, 0, 1])


def test_frame_rate_only_samples_the_motion(body: BodyModel) -> None:
    fine, coarse = dance(body, 3, np.arange(25) / 24), dance(body, 3, np.arange(13) / 12)
    assert np.allclose(fine.rotations[::2], coarse.rotations)
    assert np.allclose(fine.root_m[::2], coarse.root_m)
    assert all(np.allclose(fine.face[name][::2], coarse.face[name]) for name in fine.face)


def test_motion_has_no_jumps(bodies: list[PosedBody], motions: list[Motion]) -> None:
    for posed, motion in zip(bodies, motions, strict=True):
        joints = posed.joints + motion.root_m[:, None]
        speed_m_s = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * RATE
        assert speed_m_s.max() < 12  # a fast clap is about 7 m/s


def test_hands_travel(body: BodyModel, bodies: list[PosedBody]) -> None:
    wrists = [body.bone("wrist.L"), body.bone("wrist.R")]
    reach_m = [np.ptp(posed.joints[:, wrists], axis=0).max() for posed in bodies]
    assert min(reach_m) > 0.2 and np.median(reach_m) > 0.4


def test_feet_stay_on_the_floor(body: BodyModel, bodies: list[PosedBody], motions: list[Motion]) -> None:
    skin = np.unique(body.triangles[body.parts == SKIN])
    for posed, motion in zip(bodies, motions, strict=True):
        lowest_m = (posed.vertices[:, skin] + motion.root_m[:, None])[..., 2].min(1)
        assert lowest_m.min() > -0.03 and lowest_m.max() < 0.06


def test_faces_move_within_their_range(motions: list[Motion]) -> None:
    curves = np.array([list(motion.face.values()) for motion in motions])
    assert curves.min() >= 0 and curves.max() <= 1
    assert (np.ptp(curves, axis=-1) > 0.2).any(1).all()  # some expression changes in every clip


def test_still_stands_with_hanging_arms(body: BodyModel) -> None:
    motion = dance(body, 4, np.arange(8) / 4, still=True)
    joints = body.pose({}, motion.rotations, {}).joints
    for side in "LR":
        wrist, hip = joints[:, body.bone(f"wrist.{side}")], joints[:, body.bone(f"upperleg01.{side}")]
        assert (np.abs(wrist[:, 2] - hip[:, 2]) < 0.25).all()
        assert np.ptp(wrist, axis=0).max() < 0.25
