"""EfficientNet-Lite0's features (Liu, 2020, trained on ImageNet): a Frechet distance without a download.

`fid_effnet_lite0` is no FID: another network's features, on another scale, under a name of its own:
something to go by where FID's own network is out of reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .clips import batches, resized_bicubic
from .extra import from_eval_extra
from .metric_weights import fill, read_weights

FEATURES = 1280
SIDE_PX = 224
BATCH_SIZE = 16  # frames


def load_effnet(weights: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The network with its weights; float ``(b 3 224 224)`` in [-1, 1] to ``(b 1280)``.

    Args:
        weights: ``efficientnet-lite0-57934424.pth``.
        device: where to compute.

    Raises:
        ModelError: not that file.
        MissingDependencyError: the `offline` extra is not installed.
    """
    with from_eval_extra("efficientnet-lite-pytorch", "fid_effnet_lite0", "offline"):
        from efficientnet_lite_pytorch import EfficientNet
    with torch.random.fork_rng(devices=[]):
        network = EfficientNet.from_name("efficientnet-lite0")
    fill(network, read_weights(weights), weights)
    return _Features(network).eval().requires_grad_(False).to(device)


class _Features(nn.Module):
    """What stands before the classifier, averaged over the picture."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.network.extract_features(pictures)  # type: ignore[operator]
        return features.mean((2, 3))


def effnet_features(network: nn.Module, frames: Iterable[np.ndarray]) -> np.ndarray:
    """Features of frames, float32 ``(n 1280)``.

    Args:
        network: from `load_effnet`.
        frames: uint8 ``(H W 3)`` each; resized to 224x224, bicubic and antialiased.
    """
    found, device = [np.empty((0, FEATURES), np.float32)], next(network.parameters()).device
    with torch.inference_mode():
        for batch in batches((resized_bicubic(frame, SIDE_PX) for frame in frames), BATCH_SIZE):
            pictures = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2) / 127.5 - 1
            found.append(network(pictures).cpu().numpy())
    return np.concatenate(found)
