"""Choices that several commands offer; their names are the library's own, checked there again."""

from __future__ import annotations

from enum import StrEnum


class DetectorName(StrEnum):
    """Who finds the poses."""

    auto = "auto"
    mediapipe = "mediapipe"
    openpose = "openpose"


class DrivingKind(StrEnum):
    """What the driving is."""

    auto = "auto"
    video = "video"
    pose_maps = "pose-maps"
    openpose_json = "openpose-json"


class FitName(StrEnum):
    """How a picture comes to another shape."""

    crop = "crop"
    pad = "pad"


class DtypeName(StrEnum):
    """Number formats."""

    auto = "auto"
    fp32 = "fp32"
    fp16 = "fp16"
    bf16 = "bf16"


class NoiseName(StrEnum):
    """What frames start from."""

    shared = "shared"
    independent = "independent"


class WindowsName(StrEnum):
    """Which frames are denoised together."""

    shifted = "shifted"
    reference = "reference"


class SolverName(StrEnum):
    """What takes the denoising steps."""

    ddim = "ddim"
    dpm = "dpm++"
    unipc = "unipc"
