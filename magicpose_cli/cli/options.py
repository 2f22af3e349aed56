"""Options that several commands have, and their choices: the names are the library's own, checked there again."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


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


MOST_STEPS, MOST_GUIDANCE = 1000, 30

Model = Annotated[
    str | None, typer.Option("--model", help="Name or folder; without it the best one installed.")
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", min=1, max=MOST_STEPS, help="Denoising steps.", show_default="model's"),
]
Guidance = Annotated[
    float | None,
    typer.Option("--guidance", min=0, max=MOST_GUIDANCE, help="Image-CFG; 1 is off.", show_default="model's"),
]
Solver = Annotated[
    SolverName | None, typer.Option("--solver", help="What takes the steps.", show_default="model's")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
Dtype = Annotated[
    DtypeName,
    typer.Option("--dtype", help="Number format; auto: fp16 on a GPU, bf16 on a CPU that has it."),
]
DETAILS_FLAG = "--reference-details/--no-reference-details"
DETAILS_HELP = "Take the reference's details where it agrees with what was made."
LEAST_VRAM_GB = 0.1
VRAM_HELP = "How much of a GPU's memory to use, GB; networks that do not fit take turns."
Force = Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
