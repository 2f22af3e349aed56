"""How the dancer moves: key poses of the arms, steps, sway, turns of the head, fingers and the face over time.

Motion is defined in seconds, so the frame rate only samples it. Directions are given as (outward, forward,
up) for either arm; world axes are those of `body`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .body import FACIAL_ACTIONS, BodyModel

# upper arm, forearm, turn of the palm (degrees)
_ARM_POSES: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float], ...] = (
    ((0.30, 0.0, -1.0), (0.25, 0.30, -1.0), 0),  # hanging
    ((0.75, -0.25, -0.75), (-0.62, 0.50, -0.30), 0),  # hand on the hip
    ((1.0, 0.1, 0.0), (1.0, 0.25, 0.1), 0),  # out to the side
    ((0.6, 0.1, 0.9), (0.35, 0.2, 1.0), 0),  # up, a V
    ((1.0, 0.1, 0.05), (0.1, 0.3, 1.0), 0),  # goalpost
    ((1.0, 0.0, -0.3), (0.15, 0.55, -0.9), 0),  # scarecrow
    ((0.7, 0.15, -0.5), (0.45, 0.45, 1.0), 0),  # wave
    ((0.45, 0.2, -0.9), (-0.30, 0.85, 0.4), 0),  # fist before the chest
    ((0.35, 0.5, -0.8), (-0.85, 0.55, 0.2), 0),  # across the chest
    ((0.3, 0.95, -0.15), (0.0, 1.0, 0.15), 0),  # to the front
    ((0.55, 0.15, 0.95), (-0.5, 0.25, 0.9), 0),  # ring overhead
    ((0.85, 0.25, 0.35), (-0.45, 0.15, 0.85), 0),  # hand near the head
    ((0.45, 0.45, -0.8), (-0.05, 0.6, 1.0), 0),  # hand by the cheek
    ((0.8, 0.1, 0.6), (0.8, 0.2, 0.75), 0),  # slanting up
    ((0.75, 0.1, -0.65), (0.8, 0.35, -0.5), 0),  # slanting down
    ((0.25, 0.4, -0.95), (-0.15, 0.85, -0.35), 0),  # low in front
    ((0.6, 0.35, -0.65), (0.15, 0.6, 0.95), 0),  # peace sign beside the face
    ((0.85, 0.3, -0.1), (-0.6, 0.75, 0.2), 0),  # elbow out, hand before the chest
)

_FINGERS = ("finger2", "finger3", "finger4", "finger5")
_HAND_SHAPES = ((0.15, 0.15, 0.15, 0.15, 0.1), (1, 1, 1, 1, 0.9), (0, 0, 0, 0, 0), (0, 0, 1, 1, 0.9), (0, 1, 1, 1, 0.6),
                (0.45, 0.5, 0.55, 0.6, 0.3))  # fmt: skip
"""Curl of index, middle, ring, little finger and thumb: relaxed, fist, flat, two, one, cupped."""


@dataclass(frozen=True)
class Motion:
    """A dance, sampled at f frames.

    Attributes:
        rotations: float64 (f bones 3 3), each bone's turn relative to its parent.
        root_m: float32 (f 3), where the root joint is, the floor at z = 0.
        face: facial actions by name, each float64 (f,) in 0..1.
    """

    rotations: np.ndarray
    root_m: np.ndarray
    face: dict[str, np.ndarray]


def draw_dance(
    rng: np.random.Generator,
    body: BodyModel,
    joints: np.ndarray,
    time_s: np.ndarray,
    full_body: bool,
    still: bool = False,
) -> Motion:
    """Draw a dance at random.

    Args:
        rng: where the randomness comes from.
        body: bone names.
        joints: float32 (bones 3), the person's own joints at rest, metres.
        time_s: float64 (f,), when each frame is.
        full_body: whether the legs are in the picture; then they step more.
        still: stand with hanging arms and hardly move.
    """
    f = len(time_s)
    rotations = np.tile(np.eye(3), (f, len(body.bones), 1, 1))
    beat_s = rng.uniform(0.42, 0.75)
    torso = _move_torso(rng, body, rotations, time_s, beat_s, still)
    root_m = _move_legs(rng, body, joints, rotations, torso, time_s, beat_s, full_body, still)
    _move_arms(rng, body, rotations, time_s, beat_s, still)
    return Motion(rotations, root_m, _move_face(rng, time_s))


def rotation(vectors: np.ndarray) -> np.ndarray:
    """Rotation vectors (... 3) in radians to matrices (... 3 3), by Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    axis = vectors / np.maximum(angle, 1e-12)
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    a = angle[..., None]
    return np.eye(3) + np.sin(a) * cross + (1 - np.cos(a)) * (cross @ cross)


def _waves(rng: np.random.Generator, time_s: np.ndarray, period_s: float, size: float) -> np.ndarray:
    """A smooth wandering curve (f,) of about +-size: the beat, its double and a slow part."""
    total = np.zeros_like(time_s)
    for factor, share in ((1, 0.5), (2, 0.35), (rng.uniform(3.3, 5), 0.5)):
        total += (
            share * rng.uniform(0.3, 1) * np.sin(2 * np.pi * (time_s / (period_s * factor) + rng.random()))
        )
    return size * total


def _move_torso(
    rng: np.random.Generator,
    body: BodyModel,
    rotations: np.ndarray,
    time_s: np.ndarray,
    beat_s: float,
    still: bool,
) -> np.ndarray:
    """Turn root, spine, neck and head in place; returns the root's rotation (f 3 3)."""
    energy = rng.uniform(0.4, 1.1) * (0.2 if still else 1.0)
    facing = rng.normal(0, 0.18)
    f = len(time_s)

    def wave(size: float, slower: float = 2.0) -> np.ndarray:
        return _waves(rng, time_s, beat_s * slower, size * energy)

    root = rotation(np.stack([wave(0.05), wave(0.07), facing + wave(0.16, 4)], -1))
    rotations[:, body.bone("root")] = root
    for name in ("spine05", "spine04", "spine03", "spine02", "spine01"):
        rotations[:, body.bone(name)] = rotation(np.stack([wave(0.025), wave(0.045), wave(0.035)], -1))
    head = np.stack([wave(0.09) - 0.02, wave(0.09), wave(0.18, 3) - 0.6 * facing], -1)
    for name, share in (("neck01", 0.25), ("neck02", 0.2), ("neck03", 0.2), ("head", 0.35)):
        rotations[:, body.bone(name)] = rotation(share * head)
    gaze = np.stack([wave(0.05, 5), np.zeros(f), wave(0.12, 5)], -1)
    for name in ("eye.L", "eye.R"):
        rotations[:, body.bone(name)] = rotation(gaze)
    return root


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _frame(first: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Orthonormal columns (... 3 3): first, normal made square to it, and their product."""
    a = _unit(first)
    n = _unit(normal - (normal * a).sum(-1, keepdims=True) * a)
    return np.stack([a, n, np.cross(a, n)], -1)


def _turn_onto(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation (... 3 3) that brings direction `start` onto `end`."""
    start, end = np.broadcast_arrays(_unit(start), _unit(end))
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start * end).sum(-1, keepdims=True))
    return rotation(axis / np.maximum(sine, 1e-12) * angle)


def _move_legs(
    rng: np.random.Generator, body: BodyModel, joints: np.ndarray, rotations: np.ndarray, root: np.ndarray,
    time_s: np.ndarray, beat_s: float, full_body: bool, still: bool,
) -> np.ndarray:  # fmt: skip
    """Two-bone legs from swaying hips to planted, now and then stepping feet; returns the root (f 3)."""
    f = len(time_s)
    at = {n: joints[body.bone(n)].astype(np.float64) for n in body.bones}
    thigh = np.linalg.norm(at["lowerleg01.L"] - at["upperleg01.L"])
    shank = np.linalg.norm(at["foot.L"] - at["lowerleg01.L"])
    ankle_m = 0.078  # ankle above the sole, shoes included
    stand_m = ankle_m + (at["root"][2] - at["upperleg01.L"][2]) + thigh + shank
    energy = rng.uniform(0.3, 1.0) * (0.1 if still else 1.0)
    crouch = 0.035 + 0.05 * energy * (1 + np.sin(2 * np.pi * time_s / beat_s)) / 2 * rng.uniform(0.3, 1)
    crouch = crouch + np.abs(_waves(rng, time_s, 4 * beat_s, 0.05 * energy))
    sway = _waves(rng, time_s, 2 * beat_s, 0.06 * energy)
    travel = _waves(rng, time_s, 6 * beat_s, 0.05 * energy)
    root_m = np.stack([sway + travel, np.zeros(f), stand_m - crouch], -1)
    stance = rng.uniform(0.09, 0.2)
    step_m = rng.uniform(0.03, 0.14) * (0.0 if still else 1.0 if full_body else 0.4)
    yaw = np.arctan2(root[:, 1, 0], root[:, 0, 0])
    for side, sign, phase in (("L", 1.0, 0.0), ("R", -1.0, 0.5)):
        swing = np.clip(np.sin(2 * np.pi * (time_s / (4 * beat_s) + phase)), 0, 1) ** 1.5
        foot = np.zeros((f, 3))
        foot[:, 0] = sign * (stance + 0.5 * step_m * swing) + travel
        foot[:, 1] = -step_m * 0.6 * swing
        foot[:, 2] = ankle_m + step_m * swing
        hip = root_m + (root @ (at[f"upperleg01.{side}"] - at["root"]))
        reach = foot - hip
        length = np.linalg.norm(reach, axis=-1)
        span = np.clip(length, 0.3, 0.998 * (thigh + shank))
        along = _unit(reach)
        bend = np.arccos(np.clip((thigh**2 + span**2 - shank**2) / (2 * thigh * span), -1, 1))
        forward = np.stack([np.sin(yaw) + 0.25 * sign, -np.cos(yaw), np.zeros(f)], -1)
        square = _frame(along, forward)
        upper = np.cos(bend)[:, None] * along + np.sin(bend)[:, None] * square[..., 1]
        lower = along * span[:, None] - upper * thigh
        upper0 = at[f"lowerleg01.{side}"] - at[f"upperleg01.{side}"]
        lower0 = at[f"foot.{side}"] - at[f"lowerleg01.{side}"]
        ahead = np.array([0.0, -1.0, 0.0])
        world = _frame(upper, np.cross(forward, upper)) @ _frame(upper0, np.cross(ahead, upper0)).T
        knee = _turn_onto(lower0, np.einsum("fji,fj->fi", world, lower))
        tiptoe = 0.5 * min(1.0, step_m / 0.12) * swing
        flat = rotation(np.stack([tiptoe, np.zeros(f), yaw + 0.12 * sign], -1))
        rotations[:, body.bone(f"upperleg01.{side}")] = root.swapaxes(-1, -2) @ world
        rotations[:, body.bone(f"lowerleg01.{side}")] = knee
        rotations[:, body.bone(f"foot.{side}")] = (world @ knee).swapaxes(-1, -2) @ flat
    return root_m.astype(np.float32)


def _to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """Rotation matrix (3 3) to a unit quaternion (w x y z)."""
    values, vectors = np.linalg.eigh(_quaternion_form(matrix))
    return vectors[:, np.argmax(values)]


def _quaternion_form(m: np.ndarray) -> np.ndarray:
    # Bar-Itzhack: the unit quaternion is the largest eigenvector of this symmetric matrix
    return np.array([
        [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
        [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
        [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
        [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
    ])  # fmt: skip


def _from_quaternion(q: np.ndarray) -> np.ndarray:
    """Unit quaternions (f 4) to matrices (f 3 3)."""
    w, x, y, z = q.T
    return np.stack([
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ], -1).reshape(-1, 3, 3)  # fmt: skip


def _between(keys: np.ndarray, key_time_s: np.ndarray, hold: float, time_s: np.ndarray) -> np.ndarray:
    """Keys (k n) eased from one to the next at times: (f n). `hold` is the share of a span spent resting."""
    index = np.clip(np.searchsorted(key_time_s, time_s, side="right") - 1, 0, len(keys) - 2)
    share = (time_s - key_time_s[index]) / (key_time_s[index + 1] - key_time_s[index])
    share = np.clip((share - hold) / (1 - hold), 0, 1)
    share = (share * share * share * (share * (6 * share - 15) + 10))[:, None]
    return keys[index] * (1 - share) + keys[index + 1] * share


def _key_times(rng: np.random.Generator, end_s: float, beat_s: float) -> np.ndarray:
    times = [-rng.uniform(0, 1) * beat_s]
    while times[-1] <= end_s or len(times) < 2:
        times.append(times[-1] + beat_s * rng.choice([0.7, 1, 1, 1, 1.5]))
    return np.array(times)


def _move_arms(
    rng: np.random.Generator,
    body: BodyModel,
    rotations: np.ndarray,
    time_s: np.ndarray,
    beat_s: float,
    still: bool,
) -> None:
    key_time_s = _key_times(rng, float(time_s[-1]), max(beat_s, 0.45))
    hold = rng.uniform(0.0, 0.3)
    moves = rng.permutation(len(_ARM_POSES))[: rng.integers(3, 7)]
    left = rng.choice(moves, len(key_time_s))
    if still:
        moves, left = moves[:0], np.zeros_like(left)  # hanging
    for i in range(1, len(left) if not still else 0):  # a dance does not stand still
        if left[i] == left[i - 1]:
            left[i] = rng.choice(moves[moves != left[i]])
    mirrored = rng.random(len(left)) < rng.choice([0.2, 0.8])
    right = left if still else np.where(mirrored, left, rng.choice(moves, len(key_time_s)))
    for side, sign, chosen in (("L", 1.0, left), ("R", -1.0, right)):
        _move_arm(rng, body, rotations, side, sign, chosen, key_time_s, hold, time_s)
        _move_fingers(rng, body, rotations, side, key_time_s, time_s, still)


def _move_arm(
    rng: np.random.Generator, body: BodyModel, rotations: np.ndarray, side: str, sign: float, chosen: np.ndarray,
    key_time_s: np.ndarray, hold: float, time_s: np.ndarray,
) -> None:  # fmt: skip
    at = body.canonical_joints.astype(np.float64)
    shoulder, elbow, wrist = (at[body.bone(f"{n}.{side}")] for n in ("upperarm01", "lowerarm01", "wrist"))
    upper0, lower0 = _unit(elbow - shoulder), _unit(wrist - elbow)
    axes0 = _frame(upper0, np.cross(upper0, lower0))
    rest_bend = np.arccos(np.clip(upper0 @ lower0, -1, 1))
    quaternions: list[np.ndarray] = []
    extra: list[list[float]] = []
    for index in chosen:
        upper_arm, forearm, palm_deg = _ARM_POSES[index]
        upper, lower = (
            _unit(np.array([sign * d[0], -d[1], d[2]]) + rng.normal(0, 0.09, 3)) for d in (upper_arm, forearm)
        )
        normal = np.cross(upper, lower)
        if np.linalg.norm(normal) < 0.1:  # a straight arm keeps its elbow turned as at rest
            normal = _turn_onto(upper0, upper) @ axes0[:, 1]
        quaternion = _to_quaternion(_frame(upper, normal) @ axes0.T)
        if quaternions and quaternion @ quaternions[-1] < 0:
            quaternion = -quaternion
        quaternions.append(quaternion)
        bend = np.arccos(np.clip(upper @ lower, -1, 1)) - rest_bend
        extra.append(
            [
                bend,
                upper[2],
                np.radians(palm_deg + rng.normal(0, 25)),
                rng.normal(0, 0.2),
                rng.normal(0, 0.15),
            ]
        )
    arm = _from_quaternion(_unit(_between(np.array(quaternions), key_time_s, hold, time_s)))
    bend, raised, palm, flex, tilt = _between(np.array(extra), key_time_s, hold, time_s).T
    zero = np.zeros_like(bend)
    lift = rotation(np.stack([zero, -sign * 0.35 * np.clip(raised + 0.3, 0, 1), zero], -1))
    rotations[:, body.bone(f"shoulder01.{side}")] = lift
    arm = lift.swapaxes(-1, -2) @ arm
    # the twist about the upper arm's own axis is shared with its second bone, or the shoulder would wring
    swing = _turn_onto(upper0, arm @ upper0)
    twist = swing.swapaxes(-1, -2) @ arm
    angle = np.arctan2(
        np.einsum(
            "fi,fi->f", np.cross(axes0[:, 1], twist @ axes0[:, 1]), np.broadcast_to(upper0, (len(arm), 3))
        ),
        (twist @ axes0[:, 1]) @ axes0[:, 1],
    )
    half = rotation(0.5 * angle[:, None] * upper0)
    rotations[:, body.bone(f"upperarm01.{side}")] = swing @ half
    rotations[:, body.bone(f"upperarm02.{side}")] = half
    rotations[:, body.bone(f"lowerarm01.{side}")] = rotation(bend[:, None] * axes0[:, 1])
    rotations[:, body.bone(f"lowerarm02.{side}")] = rotation(0.6 * sign * palm[:, None] * lower0)
    hinge = np.stack([flex, zero, tilt], -1)
    rotations[:, body.bone(f"wrist.{side}")] = rotation(0.4 * sign * palm[:, None] * lower0) @ rotation(hinge)


def _move_fingers(
    rng: np.random.Generator, body: BodyModel, rotations: np.ndarray, side: str, key_time_s: np.ndarray,
    time_s: np.ndarray, still: bool,
) -> None:  # fmt: skip
    at = body.canonical_joints.astype(np.float64)
    shapes = np.array(_HAND_SHAPES, np.float64)[
        rng.choice(len(_HAND_SHAPES), len(key_time_s), p=[0.35, 0.12, 0.2, 0.1, 0.08, 0.15]) * (not still)
    ]
    curl = _between(np.clip(shapes + rng.normal(0, 0.06, shapes.shape), -0.1, 1), key_time_s, 0.1, time_s)
    across = _unit(at[body.bone(f"finger2-1.{side}")] - at[body.bone(f"finger5-1.{side}")])
    for number, finger in enumerate(_FINGERS):
        along = _unit(at[body.bone(f"{finger}-2.{side}")] - at[body.bone(f"{finger}-1.{side}")])
        axis = _unit(across - (across @ along) * along) * (1.0 if side == "L" else -1.0)
        for joint, most in ((1, 1.2), (2, 1.5), (3, 0.9)):
            angle = curl[:, number] * most - 0.15 * (joint == 1)
            rotations[:, body.bone(f"{finger}-{joint}.{side}")] = rotation(angle[:, None] * axis)
    along = _unit(at[body.bone(f"finger1-3.{side}")] - at[body.bone(f"finger1-2.{side}")])
    axis = _unit(across - (across @ along) * along) * (1.0 if side == "L" else -1.0)
    for joint in (2, 3):
        rotations[:, body.bone(f"finger1-{joint}.{side}")] = rotation((0.6 * curl[:, 4])[:, None] * axis)


def _move_face(rng: np.random.Generator, time_s: np.ndarray) -> dict[str, np.ndarray]:
    face = {name: np.zeros_like(time_s) for name in FACIAL_ACTIONS}

    def mood(chance: float, size: float, period_s: float) -> np.ndarray:
        if rng.random() > chance:
            return np.zeros_like(time_s)
        return size * np.clip(0.35 + _waves(rng, time_s, period_s, 0.8), 0, 1)

    smile, singing = mood(0.75, rng.uniform(0.4, 1.0), 1.2), mood(0.6, rng.uniform(0.2, 0.6), 0.35)
    for half in ("Left", "Right"):
        face[f"mouthSmile{half}"] += smile
        face[f"mouthUpperUp{half}"] += 0.3 * smile
        face[f"eyeSquint{half}"] += 0.4 * smile
        face[f"browDown{half}"] += 0
    face["jawOpen"] += singing + 0.12 * smile
    face["mouthPucker"] += mood(0.25, 0.7, 0.9) * (1 - smile)
    face["mouthFunnel"] += mood(0.25, 0.5, 0.6) * (1 - smile)
    raised, frown = mood(0.5, 0.9, 1.5), mood(0.25, 0.7, 1.5)
    face["browInnerUp"] += raised
    for half in ("Left", "Right"):
        face[f"browOuterUp{half}"] += raised
        face[f"browDown{half}"] += frown * (1 - np.clip(raised, 0, 1))
        face[f"mouthFrown{half}"] += 0.5 * frown * (1 - np.clip(smile, 0, 1))
    blink_s = rng.uniform(0, 3)
    blink = np.zeros_like(time_s)
    while blink_s < time_s[-1] + 1:
        blink += np.exp(-(((time_s - blink_s) / 0.07) ** 2))
        blink_s += rng.uniform(1.2, 4)
    wink = mood(0.1, 1.0, 1.0)
    face["eyeBlinkLeft"] += np.clip(blink + np.clip(2 * wink - 1, 0, 1), 0, 1)
    face["eyeBlinkRight"] += np.clip(blink, 0, 1)
    return {name: np.clip(curve, 0, 1) for name, curve in face.items()}
