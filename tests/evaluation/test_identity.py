"""Colours of a person, and whose they are."""

from __future__ import annotations

import numpy as np

from magicpose_cli.evaluation import identity
from magicpose_cli.pose.sequence import FramePose

BODY = {
    0: (32, 12),
    1: (32, 20),
    2: (24, 22),
    5: (40, 22),
    8: (27, 40),
    11: (37, 40),
    9: (27, 58),
    12: (37, 58),
}


def person(top: tuple[int, int, int], trousers: tuple[int, int, int]) -> tuple[np.ndarray, FramePose]:
    frame = np.full((64, 64, 3), 128, np.uint8)
    frame[20:40, 22:43], frame[40:, 24:41] = top, trousers
    body = np.zeros((18, 3), np.float32)
    for joint, (x, y) in BODY.items():
        body[joint] = x, y, 1
    return frame, FramePose.empty()._replace(body=body)


def test_the_nearest_person_is_the_one_in_the_same_clothes() -> None:
    clothes = [((200, 30, 30), (20, 20, 90)), ((30, 160, 60), (20, 20, 90)), ((200, 30, 30), (220, 220, 220))]
    people = [person(*worn) for worn in clothes]
    colours = [identity.colours([frame], [pose]) for frame, pose in people]
    for number, (frame, pose) in enumerate(people):
        noisy = np.clip(frame + np.random.default_rng(number).normal(0, 12, frame.shape), 0, 255)
        seen = identity.colours([noisy.astype(np.uint8)], [pose])
        assert identity.nearest(seen, colours) == number


def test_what_is_not_seen_is_left_out() -> None:
    frame, pose = person((200, 30, 30), (20, 20, 90))
    pose.body[[9, 12]] = 0  # no knees: nothing of the trousers
    seen = identity.colours([frame], [pose])
    assert np.isnan(seen[4]).all() and not np.isnan(seen[:4]).any()
    others = [person((30, 160, 60), (20, 20, 90)), person((200, 30, 30), (220, 220, 220))]
    assert identity.nearest(seen, [identity.colours([f], [p]) for f, p in others]) == 1
    nothing = identity.colours([frame], [FramePose.empty()])
    assert np.isnan(nothing).all()
    assert identity.nearest(nothing, [nothing, seen]) is None
