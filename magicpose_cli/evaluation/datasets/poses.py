"""Pose maps for a clip whose dataset has none: detected once, and kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ... import console
from ...errors import PoseError
from ...media.video import FOLDER_FPS
from ...pose.clean import clean
from ...pose.detect import open_detector
from ...pose.sequence import PoseSequence
from .clip import TestClip
from .pictures import DrawnPoses


def with_poses(clip: TestClip, path: Path, detector: str, device: str = "auto") -> TestClip:
    """The clip with pose maps of its targets, drawn from keypoints that are read from a file or found now.

    Args:
        clip: any.
        path: ``.npz`` where the keypoints are kept.
        detector: name of what finds them. It is opened for each clip anew, since it tracks from frame to frame; frames
            that do not follow each other are looked at one by one, and their poses are not cleaned.
        device: where it runs.

    Raises:
        PoseError: nobody in any target.
    """
    if not path.is_file():
        width_px, height_px = clip.own_size()
        follow = clip.targets == tuple(range(clip.targets[0], clip.targets[-1] + 1))
        found = []
        with (
            closing(open_detector(detector, device)) as opened,
            console.progress(f"Finding poses: {clip.name}", len(clip.targets)) as stage,
        ):
            for frame in clip.frames.read(clip.targets):
                found.append(opened.detect(frame) if follow else opened.detect_still(frame))
                stage.advance()
        if not any(pose.found("body") for pose in found):
            raise PoseError(
                expected=f"a person in {clip.frames.name_of(clip.targets[0])}, or later in the clip",
                found="nobody in any frame",
                remedy="Take the clip out.",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        poses = PoseSequence.from_frames(
            found, width_px, height_px, FOLDER_FPS, clip.name, clip.frames.sha256(clip.targets)
        )
        (clean(poses)[0] if follow else poses).save(path)
    return replace(clip, maps=DrawnPoses(PoseSequence.load(path), clip.targets))
