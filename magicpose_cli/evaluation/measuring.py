"""The records of an evaluation: each method's frames of each clip, looked at as at the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing

import numpy as np

from .. import console
from ..media.atomic import write_json
from ..pose.detect import Detector, open_detector
from ..pose.sequence import FramePose
from .datasets import TestClip
from .networks import Networks
from .person_mask import people_in
from .records import Record, is_complete, make_record
from .results import Results
from .stopwatch import Stopwatch


def record_all(
    results: Results,
    names: Sequence[str],
    clips: Sequence[TestClip],
    networks: Networks,
    detecting: Stopwatch,
) -> dict[str, list[Record]]:
    """Each method's record of each clip, by the method's name.

    Those that are there are read, unless they lack what these networks give.

    Args:
        results: the evaluation's folder, with all frames made.
        names: the methods'.
        clips: in order.
        networks: of the metrics that need weights.
        detecting: runs while people are looked for.
    """
    records: dict[str, list[Record]] = {name: [] for name in names}
    with (
        closing(open_detector("mediapipe")) as detector,
        console.progress("Measuring", total=len(clips) * len(names), unit="clips") as stage,
    ):
        for clip in clips:
            truth, poses, person = None, None, None
            for name in names:
                path = results.record(name, clip)
                if not path.is_file() or not is_complete(json.loads(path.read_text()), networks):
                    if truth is None:
                        truth = results.truth(clip)
                        person = results.people(clip)
                        with detecting.running():
                            poses = [detector.detect_still(frame) for frame in truth]
                            if person is None:
                                person = people_in(truth)
                    made = results.made(name, clip)
                    with detecting.running():
                        found = _found(made, detector)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_json(path, make_record(made, truth, found, poses or [], person, networks))
                records[name].append(json.loads(path.read_text()))
                stage.advance()
    return records


def _found(frames: np.ndarray, detector: Detector) -> list[FramePose]:
    """Poses of frames; equal neighbours are looked at once."""
    poses: list[FramePose] = []
    for i, frame in enumerate(frames):
        same = i > 0 and np.array_equal(frame, frames[i - 1])
        poses.append(poses[-1] if same else detector.detect_still(frame))
    return poses
