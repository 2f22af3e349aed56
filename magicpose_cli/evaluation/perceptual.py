"""LPIPS: how different two frames look to a VGG16, as published (`lpips_disco`) and as it should be (`lpips`).

Zhang et al., CVPR 2018, version 0.1 with the linear heads that the lpips package brings.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError, OptionError
from .extra import from_eval_extra
from .metric_weights import fill, read_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

SMALLEST_SIDE_PX = 16  # four poolings: below that nothing is left of a frame


def load_lpips(weights: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The network behind both values.

    Args:
        weights: torchvision's VGG16, ``vgg16-397923af.pth``.
        device: where to compute.

    Raises:
        MissingDependencyError: the `eval` extra is not installed.
        ModelError: not that file.
    """
    with from_eval_extra("the lpips package", "LPIPS"):
        import lpips as package
    import torch

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # torchvision's about arguments that the package still uses
        # a random VGG16, so that nothing is downloaded; the package's own heads
        network = package.LPIPS(net="vgg", version="0.1", pnet_rand=True, verbose=False)
    tensors = read_weights(weights, "features.")
    # `slice2.5.bias` there is `features.5.bias` here; the classifier and the last pooling are not used
    names = {name: name.partition(".")[2] for name in network.net.state_dict()}
    if not tensors:
        raise ModelError(
            expected=f"VGG16's tensors, features.0.weight and on, in {weights}",
            found="none of them",
            remedy="Give the file as it was released.",
        )
    fill(network.net, {name: tensors[own] for name, own in names.items() if own in tensors}, weights)
    return network.eval().requires_grad_(False).to(device)


def lpips(network: nn.Module, generated: np.ndarray, truth: np.ndarray) -> float:
    """LPIPS of two frames, 0 and up (seldom above 1), lower is better.

    Args:
        network: from `load_lpips`.
        generated, truth: uint8 ``(H W 3)`` of one size, 16 px and more.

    Raises:
        OptionError: smaller frames.
    """
    return _distance(network, generated, truth, normalize=True)


def lpips_disco(network: nn.Module, generated: np.ndarray, truth: np.ndarray) -> float:
    """As `lpips`, but pixels go in as 0..1 where the network expects -1..1: so it was published, and it is lower."""
    return _distance(network, generated, truth, normalize=False)


def _distance(network: nn.Module, generated: np.ndarray, truth: np.ndarray, *, normalize: bool) -> float:
    import torch

    if min(truth.shape[:2]) < SMALLEST_SIDE_PX:
        raise OptionError(
            expected=f"frames of at least {SMALLEST_SIDE_PX} px on each side, for LPIPS",
            found=f"{truth.shape[1]}x{truth.shape[0]}",
            remedy="Compare larger pictures.",
        )
    device = next(network.parameters()).device
    ours, theirs = (
        torch.from_numpy(frame).to(device).permute(2, 0, 1)[None].float() / 255
        for frame in (generated, truth)
    )
    with torch.inference_mode():
        return float(network(ours, theirs, normalize=normalize))
