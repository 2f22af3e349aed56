"""What takes more than one pair of frames: the people in both videos, and the change from frame to frame.

Each measure is shown one pair of frames after the other, holds poses and numbers but no more frames than the last
ones, and tells at the end what it found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..pose.detect import Detector
from ..pose.sequence import FramePose
from . import people
from .faces import FaceNetwork, FacePairs, face_found
from .person_mask import PersonMasks
from .sides import Place
from .stopwatch import Stopwatch
from .temporal import background, difference_256, dtssd_of, flicker
from .warping import flow_between, warping_error

PerFrame = list[float | None]


@dataclass
class Found:
    """What a measure found.

    Attributes:
        values: by key of `metrics.METRICS`.
        per_frame: one value a frame by key; None where that frame has none.
        missing: why there is no value, by key.
        samples: how many (faces of the result, faces of the truth) a value of faces is about.
    """

    values: dict[str, float] = field(default_factory=dict)
    per_frame: dict[str, PerFrame] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    samples: dict[str, tuple[int, int]] = field(default_factory=dict)

    def mean(self, key: str, per_frame: PerFrame, otherwise: str) -> None:
        """Take in a metric that is the mean of its frames, or the reason why it has none."""
        self.per_frame[key] = per_frame
        there = [value for value in per_frame if value is not None]
        if there:
            self.values[key] = float(np.mean(there))
        else:
            self.missing[key] = otherwise


class PairMeasure(Protocol):
    """One of the measures below."""

    def see(self, result: np.ndarray, truth: np.ndarray, place: Place) -> None:
        """The next pair of frames, uint8 ``(H W 3)`` of one size, and where it stands in which video."""

    def found(self) -> Found:
        """What the pairs came to."""


class PeopleMeasure:
    """`pose_accuracy*`, `expression`, `face_det` and whose face it is: what one detector finds in both videos.

    Args:
        detector: looks at each frame by itself, so that neither side's track helps it.
        of_faces: the networks that tell faces apart.
        watch: runs while the detector works.
    """

    def __init__(self, detector: Detector, of_faces: Sequence[FaceNetwork], watch: Stopwatch) -> None:
        self._detector, self._watch = detector, watch
        self._faces = [FacePairs(network) for network in of_faces]
        self._clips: dict[str, tuple[list[FramePose], list[FramePose]]] = {}

    def see(self, result: np.ndarray, truth: np.ndarray, place: Place) -> None:
        """See `PairMeasure`; equal frames are looked at once."""
        with self._watch.running():
            theirs = self._detector.detect_still(truth)
            ours = theirs if np.array_equal(result, truth) else self._detector.detect_still(result)
        clip = self._clips.setdefault(place[0], ([], []))
        for poses, pose in zip(clip, (ours, theirs), strict=True):
            poses.append(pose)
        for pairs in self._faces:
            pairs.see(result, truth, ours, theirs)

    def found(self) -> Found:
        """See `PairMeasure`."""
        found = Found()
        clips = list(self._clips.values())
        points = [people.points_of_clip(*clip) for clip in clips]
        for part, (key, whom) in _ACCURACIES.items():
            share = people.share_that_agrees([of[part] for of in points])
            if share is None:
                found.missing[key] = f"MediaPipe finds {whom} in the truth."
                continue
            found.values[key] = share
            found.per_frame[key] = [
                value
                for clip, of in zip(clips, points, strict=True)
                for value in _shares(of[part], len(clip[0]))
            ]
        expression = people.expression([people.openings_of_clip(*clip) for clip in clips])
        if expression is not None:
            found.values["expression"] = expression
        else:
            found.missing["expression"] = (
                f"it needs {people.LEAST_FRAMES} frames in which both sides show a face, the true one "
                f"{people.SMALLEST_FACE_PX} px tall, with mouth, eyes and brows that move."
            )
        faces = [face_found(ours, theirs) for clip in clips for ours, theirs in zip(*clip, strict=True)]
        found.mean("face_det", faces, "MediaPipe finds no face in the truth.")
        counts = faces.count(1), len(faces) - faces.count(None)
        found.samples["face_det"] = counts
        for pairs in self._faces:
            for key, values in pairs.values().items():
                found.samples[key] = len(values) - values.count(None), counts[1]
                found.mean(key, values, "MediaPipe finds no frame with a whole face on both sides.")
        return found


_ACCURACIES = {
    "body": ("pose_accuracy", "nobody"),
    "hands": ("pose_accuracy_hands", "no hand"),
    "face": ("pose_accuracy_face", "no face"),
}
"""Key of each of `people.POSE_PARTS`, and what the truth lacks where it has no value."""


def _shares(points: list[tuple[int, int]], num_frames: int) -> PerFrame:
    """Of each frame; a clip in which nobody was found has no points."""
    return [agree / there if there else None for agree, there in points] or [None] * num_frames


class ChangeMeasure:
    """`flicker` of the background and `warping_error`, each with the truth's own value beside it.

    A frame's value is that of the change from the frame before; a video's first frame has none.

    Args:
        masks: finds the truth's person, around which the background begins; None leaves the flicker out.
        watch: runs while it does.
    """

    def __init__(self, masks: PersonMasks | None, watch: Stopwatch) -> None:
        self._masks, self._watch = masks, watch
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._place_before: Place | None = None
        self._still_before = np.empty(0, bool)
        kinds = ("warping_error", *(("flicker",) if masks is not None else ()))
        self._values: dict[str, tuple[PerFrame, PerFrame]] = {kind: ([], []) for kind in kinds}

    def see(self, result: np.ndarray, truth: np.ndarray, place: Place) -> None:
        """See `PairMeasure`."""
        if self._place_before != (place[0], place[1] - 1):
            self._before = None  # another video, or a frame is missing
        still = np.empty(0, bool)
        if self._masks is not None:
            with self._watch.running():
                person = self._masks.find(truth)
            still = background(person)
        now = (result, truth)
        flow = None if self._before is None else flow_between(self._before[1], truth)
        for side, frame in enumerate(now):
            before = frame if self._before is None else self._before[side]
            changes = {"warping_error": None if flow is None else warping_error(before, frame, flow)}
            if self._masks is not None:
                changes["flicker"] = (
                    None if flow is None else flicker(before, frame, still & self._still_before)
                )
            for kind, change in changes.items():
                self._values[kind][side].append(change)
        self._before, self._still_before, self._place_before = now, still, place

    def found(self) -> Found:
        """See `PairMeasure`."""
        found = Found()
        reasons = {
            "flicker": "no two neighbouring frames share a pixel of the background.",
            "warping_error": "no two neighbouring frames of the truth share anything that moves on.",
        }
        for kind, sides in self._values.items():
            for key, per_frame in zip((kind, f"{kind}_of_truth"), sides, strict=True):
                found.mean(key, per_frame, reasons[kind])
        return found


class DtssdMeasure:
    """`dtssd`: how differently the two videos change; a frame's value is that of the change from the frame before."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._place_before: Place | None = None
        self._values: PerFrame = []

    def see(self, result: np.ndarray, truth: np.ndarray, place: Place) -> None:
        """See `PairMeasure`."""
        apart = difference_256(result, truth)
        follows = self._place_before == (place[0], place[1] - 1)
        self._values.append(dtssd_of(self._before, apart) if follows and self._before is not None else None)
        self._before, self._place_before = apart, place

    def found(self) -> Found:
        """See `PairMeasure`."""
        found = Found()
        found.mean("dtssd", self._values, "no two frames are neighbours.")
        return found
