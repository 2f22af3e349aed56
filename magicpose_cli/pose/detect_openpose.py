"""OpenPose as a pose detector: controlnet-aux's PyTorch port, the one that made the paper's training data.

The port is slow to import, noisy and unmaintained, so nothing else may import it, and only when it is asked
for. Its weights (510 MB, for non-commercial use) come from the Hugging Face hub and are looked up locally.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import MissingDependencyError, ModelError
from .follow import Follower
from .opencv import load_cv2
from .sequence import FramePose

if TYPE_CHECKING:
    import torch
    from controlnet_aux.open_pose import BodyResult, Keypoint

WEIGHTS_REPOSITORY = "lllyasviel/Annotators"
WEIGHTS_FOLDER_VARIABLE = "MAGICPOSE_OPENPOSE_DIR"
DETECTION_SHORT_SIDE_PX = 604
"""Larger frames are searched at this size, that of the paper's training videos: the port's memory grows with
the picture (1 GB at 1080x1920), its accuracy does not."""


class Weights(NamedTuple):
    """The three files of the detector."""

    body: Path
    hand: Path
    face: Path


_FILE_NAMES = Weights(Path("body_pose_model.pth"), Path("hand_pose_model.pth"), Path("facenet.pth"))


def find_weights() -> Weights | None:
    """Look the weights up on this machine, without touching the network.

    Returns:
        The files in the folder that the environment variable MAGICPOSE_OPENPOSE_DIR names, else those in the
        Hugging Face cache, or None where one of the three is missing there.

    Raises:
        ModelError: the folder is named but does not hold the files.
    """
    if folder := os.environ.get(WEIGHTS_FOLDER_VARIABLE):
        paths = Weights(*(Path(folder) / name for name in _FILE_NAMES))
        missing = [path.name for path in paths if not path.is_file()]
        if missing:
            raise ModelError(
                expected=f"the openpose weights in {folder} (named by {WEIGHTS_FOLDER_VARIABLE})",
                found="no " + " and no ".join(missing),
                remedy=f"Copy the files there, or unset {WEIGHTS_FOLDER_VARIABLE}.",
            )
        return paths
    from huggingface_hub import try_to_load_from_cache

    cached = [try_to_load_from_cache(WEIGHTS_REPOSITORY, str(name)) for name in _FILE_NAMES]
    if not all(isinstance(path, str) for path in cached):
        return None
    return Weights(*(Path(str(path)) for path in cached))


class OpenposePoseDetector:
    """Body, hands and face by OpenPose, each frame on its own; of several people the largest is taken, and followed.

    Args:
        device: where the networks run.

    Raises:
        ModelError: the weights are not installed, or are no weights.
        MissingDependencyError: controlnet-aux cannot be loaded.
    """

    name = "openpose"

    def __init__(self, device: torch.device) -> None:
        self.several_people = 0
        self._follower = Follower()
        weights = find_weights()
        if weights is None:
            raise ModelError(
                expected=f"the openpose weights of {WEIGHTS_REPOSITORY}",
                found="that they are not on this machine",
                remedy=f"Run `hf download {WEIGHTS_REPOSITORY} {' '.join(map(str, _FILE_NAMES))}`, or copy the "
                f"three files into a folder and name it in {WEIGHTS_FOLDER_VARIABLE}; or use --detector mediapipe.",
            )
        self._cv2 = load_cv2()
        self._openpose = _load(weights).to(device)

    def detect(self, picture: np.ndarray) -> FramePose:
        """Find the person in the next frame; see `Detector.detect`."""
        return self._find(picture, self._follower)

    def detect_still(self, picture: np.ndarray) -> FramePose:
        """Find the person in a picture of its own; see `Detector.detect_still`."""
        return self._find(picture, Follower())

    def close(self) -> None:
        """Free the networks."""
        self._openpose = None

    def _find(self, picture: np.ndarray, follower: Follower) -> FramePose:
        height_px, width_px = picture.shape[:2]
        small = self._searchable(picture)
        import torch

        with torch.no_grad():
            candidates, subset = self._openpose.body_estimation(small)
            people = self._openpose.body_estimation.format_body_result(candidates, subset)
            self.several_people += len(people) > 1
            chosen = follower.choose([_points(person) for person in people])
            if chosen is None:
                return FramePose.empty()
            person = people[chosen]
            left_hand, right_hand = self._openpose.detect_hands(person, small)
            face = self._openpose.detect_face(person, small)
        scale = (width_px / small.shape[1], height_px / small.shape[0])
        return to_frame_pose(person, left_hand, right_hand, face, scale, (width_px, height_px))

    def _searchable(self, picture: np.ndarray) -> np.ndarray:
        """BGR, as the port wants it, and no larger than needed."""
        height_px, width_px = picture.shape[:2]
        factor = min(1.0, DETECTION_SHORT_SIDE_PX / min(height_px, width_px))
        if factor < 1:
            size = (round(width_px * factor), round(height_px * factor))
            picture = self._cv2.resize(picture, size, interpolation=self._cv2.INTER_AREA)
        return np.ascontiguousarray(picture[:, :, ::-1])


def to_frame_pose(
    body: BodyResult,
    left_hand: Sequence[Keypoint] | None,
    right_hand: Sequence[Keypoint] | None,
    face: Sequence[Keypoint] | None,
    body_scale: tuple[float, float],
    size_px: tuple[int, int],
) -> FramePose:
    """Turn the port's results for one person into a pose.

    Args:
        body: 18 keypoints in pixels with their scores, None where missing.
        left_hand: 21 keypoints as fractions of the picture, negative where missing; None for no hand.
        right_hand: the same.
        face: 70 keypoints, the same.
        body_scale: what x and y of the body are multiplied with.
        size_px: width and height of the picture.

    Returns:
        The pose in pixels. The port gives no scores for hands and faces; their points get confidence 1.
    """
    pose = FramePose.empty()
    for row, point in zip(pose.body, body.keypoints, strict=True):
        if point is not None:
            # peaks of the heat maps overshoot 1 a little
            row[:] = point.x * body_scale[0], point.y * body_scale[1], min(max(point.score, 0.0), 1.0)
    for rows, points in ((pose.left_hand, left_hand), (pose.right_hand, right_hand), (pose.face, face)):
        for row, point in zip(rows, points or (), strict=False):
            if point.x > 0 and point.y > 0:
                row[:] = point.x * size_px[0], point.y * size_px[1], 1
    return pose


def _points(body: BodyResult) -> np.ndarray:
    """The body's points that were found, (n 2) px."""
    found = [(point.x, point.y) for point in body.keypoints if point is not None]
    return np.array(found or [(0.0, 0.0)])


def _load(weights: Weights) -> Any:
    import torch

    for path in weights:
        try:  # the port loads them with torch's default; here it is made sure that nothing gets executed
            torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
        except Exception as error:
            raise _unfit(path, error) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from controlnet_aux import OpenposeDetector
            from controlnet_aux.open_pose import Body, Face, Hand
    except (ImportError, AttributeError) as error:  # with mediapipe 1.x its import ends in an AttributeError
        raise MissingDependencyError(
            expected="controlnet-aux 0.0.10",
            found=f"an import that fails ({error})",
            remedy="Run `pip install controlnet-aux==0.0.10 mediapipe==0.10.21`, or use --detector mediapipe.",
        ) from error
    try:
        detector = OpenposeDetector(
            *(make(str(path)) for make, path in zip((Body, Hand, Face), weights, strict=True))
        )
    except (KeyError, RuntimeError) as error:
        raise _unfit(weights.body.parent, error) from error
    return detector


def _is_zip(path: Path) -> bool:
    import zipfile

    return zipfile.is_zipfile(path)


def _unfit(path: Path, error: Exception) -> ModelError:
    return ModelError(
        expected=f"openpose weights at {path}",
        found=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
        remedy=f"Download the file again from {WEIGHTS_REPOSITORY}.",
    )
