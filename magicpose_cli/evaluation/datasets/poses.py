"""Pose maps for a clip whose dataset has none: detected once, and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ... import console
from ...errors import PoseError
from ...media.video import FOLDER_FPS
from ...pose.detect import Detector
from ...pose.sequence import PoseSequence
from .clip import TestClip
from .pictures import DrawnPoses


def with_poses(clip: TestClip, path: Path, detector: Detector) -> TestClip:
    """The clip with pose maps of its targets, drawn from keypoints that are read from a file or found now.

    Args:
        clip: any.
        path: ``.npz`` where the keypoints are kept.
        detector: what finds them.

    Raises:
        PoseError: nobody in any target.
    """
    if not path.is_file():
        width_px, height_px = clip.own_size()
        found = []
        with console.progress(f"Finding poses: {clip.name}", len(clip.targets)) as stage:
            for frame in clip.frames.read(clip.targets):
                found.append(detector.detect(frame))
                stage.advance()
        if not any(pose.found("body") for pose in found):
            raise PoseError(
                expected=f"a person in {clip.frames.name_of(clip.targets[0])}, or later in the clip",
                found="nobody in any frame",
                remedy="Take the clip out.",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        PoseSequence.from_frames(
            found, width_px, height_px, FOLDER_FPS, clip.name, clip.frames.sha256(clip.targets)
        ).save(path)
    return replace(clip, maps=DrawnPoses(PoseSequence.load(path), clip.targets))
