"""FID-VID's and FVD's features of a video: one row a clip, from a 3D-ResNet-50 or an I3D trained on Kinetics-400.

FID-VID is the `distributions.frechet_distance` of ResNet features, FVD that of I3D's logits, each over the clips
of all videos of a side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .clips import Numbered, clips, for_i3d, for_resnet
from .extra import from_eval_extra
from .metric_weights import fill, read_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH_SIZE = 4  # clips: 16 frames of 224x224 fill about 0.4 GB of memory on their way through I3D


@dataclass(frozen=True)
class VideoNetwork:
    """A network, and the form in which it takes frames.

    Attributes:
        network: float ``(b 3 16 h w)`` to ``(b width)``.
        prepare: a frame uint8 ``(H W 3)`` to float32 ``(3 h w)``.
        width: of its features.
    """

    network: nn.Module
    prepare: Callable[[np.ndarray], np.ndarray]
    width: int


def load_resnet(weights: Path, device: torch.device | str = "cpu") -> VideoNetwork:
    """FID-VID's network: ResNet-50 in three dimensions, shortcuts of kind B (Hara et al., CVPR 2018), 2048 features.

    Args:
        weights: ``resnet-50-kinetics.pth`` of 3D-ResNets-PyTorch.
        device: where to compute.

    Raises:
        MissingDependencyError: the `eval` extra is not installed.
        ModelError: not that file.
    """
    with from_eval_extra("the monai package", "FID-VID"):
        from monai.networks.nets.resnet import resnet50
    import torch

    with torch.random.fork_rng(devices=[]):
        network = resnet50(
            spatial_dims=3,
            n_input_channels=3,
            conv1_t_size=7,
            conv1_t_stride=(1, 2, 2),
            shortcut_type="B",
            bias_downsample=False,
            feed_forward=False,  # the features, not the classes
        )
    # it was saved from several GPUs: each name has `module.` before it
    tensors = read_weights(weights, "module.")
    fill(network, {name: value for name, value in tensors.items() if not name.startswith("fc.")}, weights)
    return VideoNetwork(network.eval().requires_grad_(False).to(device), for_resnet, 2048)


def load_i3d(weights: Path, device: torch.device | str = "cpu") -> VideoNetwork:
    """FVD's network: I3D, 400 logits.

    Args:
        weights: ``i3d_pretrained_400.pt``.
        device: where to compute.

    Raises:
        ModelError: not that file.
    """
    import torch

    from .i3d import CLASSES, I3D

    with torch.random.fork_rng(devices=[]):
        network = I3D()
    fill(network, read_weights(weights), weights)
    return VideoNetwork(network.eval().requires_grad_(False).to(device), for_i3d, CLASSES)


def video_features(
    network: VideoNetwork, videos: Iterable[Numbered], batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """One row of features a clip.

    Args:
        network: from `load_resnet` or `load_i3d`.
        videos: (frame number, frame) of each.
        batch_size: how many clips to compute at once; the features do not depend on it.

    Returns:
        float32 ``(clips width)``; a video of fewer than 16 consecutive frames adds none.
    """
    rows = [np.empty((0, network.width), np.float32)]
    batch: list[np.ndarray] = []
    for video in videos:
        for _, clip in clips(video, network.prepare):
            batch.append(clip)
            if len(batch) == batch_size:
                rows.append(_features(network.network, batch))
                batch = []
    if batch:
        rows.append(_features(network.network, batch))
    return np.concatenate(rows)


def _features(network: nn.Module, batch: list[np.ndarray]) -> np.ndarray:
    import torch

    device = next(network.parameters()).device
    with torch.inference_mode():
        return network(torch.from_numpy(np.stack(batch)).to(device)).cpu().numpy()
