"""The one interface in front of the pose detectors, and the walk through a driving video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from .. import console
from ..device import pick_device
from ..errors import OptionError, PoseError
from .sequence import FramePose, PoseSequence

if TYPE_CHECKING:
    from ..media.video import FrameReader

DETECTORS = ("auto", "mediapipe", "openpose")
"""What `open_detector` understands."""


class Detector(Protocol):
    """Finds the pose of one person in one picture after the other."""

    name: str
    """`mediapipe` or `openpose`."""

    several_people: int
    """In how many of the pictures so far there were several people, where the detector can tell."""

    def detect(self, picture: np.ndarray) -> FramePose:
        """Find body, hands and face of the most prominent person.

        Args:
            picture: uint8 (H W 3) RGB; consecutive calls get consecutive frames of one video.

        Returns:
            The pose in pixels of the picture; nobody found gives `FramePose.empty()`.
        """

    def detect_still(self, picture: np.ndarray) -> FramePose:
        """As `detect`, for a picture that belongs to no video: what was seen before does not matter."""

    def close(self) -> None:
        """Free what the detector holds."""


def choose_detector(name: str = "auto") -> str:
    """Name the detector that `open_detector` would load, without loading it.

    Args:
        name: `mediapipe` (its models are in its wheel), `openpose` (what the paper used; its weights are
            installed separately), or `auto`: openpose where its weights are installed, else mediapipe; the
            choice is said.

    Raises:
        OptionError: another name.
    """
    if name not in DETECTORS:
        raise OptionError(
            expected=f"a detector ({', '.join(DETECTORS)})", found=repr(name), remedy="Choose one of them."
        )
    if name != "auto":
        return name
    from .detect_openpose import find_weights

    found = find_weights() is not None
    name = "openpose" if found else "mediapipe"
    console.say(f"Pose detector: {name}" + ("." if found else " (no openpose weights are installed)."))
    return name


def open_detector(name: str = "auto", device: str = "auto") -> Detector:
    """Load a detector.

    Args:
        name: as `choose_detector` understands it.
        device: where openpose's networks run, as `device.pick_device` understands it; mediapipe, on the CPU, asks for
            none.

    Raises:
        OptionError: another name, or no such device.
        MissingDependencyError: the detector's package cannot be loaded.
        ModelError: openpose was asked for and its weights are not installed.
    """
    if choose_detector(name) == "openpose":
        from .detect_openpose import OpenposePoseDetector

        return OpenposePoseDetector(pick_device(device))
    from .detect_mediapipe import MediapipePoseDetector

    return MediapipePoseDetector()


def detect_sequence(
    reader: FrameReader, detector: Detector, source_name: str = "", source_sha256: str = ""
) -> PoseSequence:
    """Find the poses of all frames of a video, one frame at a time, with a progress bar; see also `clean.py`.

    Args:
        reader: the frames.
        detector: what finds them.
        source_name: file name of the video.
        source_sha256: its SHA-256 in hex.

    Returns:
        One pose a frame; frames without a person are empty.

    Raises:
        PoseError: nobody in any frame.
        VideoError: the video cannot be read, has no frames, or frames of several sizes.
    """
    frames: list[FramePose] = []
    several_before = detector.several_people
    with console.progress("Finding poses", total=reader.expected_frames) as stage:
        for picture in reader:
            frames.append(detector.detect(picture))
            stage.advance()
    if not any(frame.found("body") for frame in frames):
        raise PoseError(
            expected=f"a person in {source_name or 'the video'}",
            found=f"nobody in any of {len(frames)} frames" if len(frames) > 1 else "nobody in it",
            remedy="Give a video in which one person is seen well, at least from head to chest.",
        )
    if several := detector.several_people - several_before:
        console.say(
            f"{several} of {len(frames)} frames show several people; the largest is taken, and followed."
        )
    return PoseSequence.from_frames(
        frames, reader.info.width_px, reader.info.height_px, reader.fps, source_name, source_sha256
    )
