"""FID's features: TensorFlow's Inception of 2015 that the first FID program used, as pytorch-fid carries it.

The frames of all videos of a side make one distribution; FID is the `distributions.frechet_distance` of the two.

`fid_clean` is FID over the same network, with the preprocessing of clean-fid (Parmar et al., CVPR 2022): an antialiased
bicubic resize on floats, outside the network. clean-fid itself runs NVIDIA's port of the same frozen TensorFlow graph;
that file is a TorchScript program, and no program from outside is run here. Both ports were made to equal the graph's
own outputs, but nobody has held this `fid_clean` against clean-fid's own run yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError
from .clips import batches, resized_bicubic
from .extra import from_eval_extra
from .metric_weights import read_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

FEATURES = 2048  # of the last average pooling, "pool3"
SIZE_PX = 299  # of the network's input
BATCH_SIZE = 50  # pytorch-fid's own


def load_inception(weights: Path, device: torch.device | str = "cpu") -> nn.Module:
    """pytorch-fid's network.

    Args:
        weights: pytorch-fid's ``pt_inception-2015-12-05-6726825d.pth``.
        device: where to compute.

    Raises:
        MissingDependencyError: the `eval` extra is not installed.
        ModelError: not that file.
    """
    with from_eval_extra("the pytorch-fid package", "FID"):
        from pytorch_fid import inception as package
    import torch

    tensors = read_weights(weights)
    fetch = package.load_state_dict_from_url
    # the class downloads its weights and unpickles them; while it is built it gets ours instead
    package.load_state_dict_from_url = lambda *_, **__: tensors
    try:
        with torch.random.fork_rng(devices=[]):
            network = package.InceptionV3([package.InceptionV3.BLOCK_INDEX_BY_DIM[FEATURES]])
    except RuntimeError as error:
        raise ModelError(
            expected=f"the tensors of pytorch-fid's Inception in {weights}",
            found=" ".join(str(error).split())[:200],
            remedy="Give the file as it was released.",
        ) from error
    finally:
        package.load_state_dict_from_url = fetch
    return network.eval().requires_grad_(False).to(device)


def clean_inception(network: nn.Module) -> nn.Module:
    """The same network, sharing its weights, for inputs that `for_clean_fid` prepared."""
    clean = copy(network)
    clean.resize_input = clean.normalize_input = False  # type: ignore[assignment]
    return clean


def for_clean_fid(frame: np.ndarray) -> np.ndarray:
    """A frame uint8 ``(H W 3)`` as clean-fid gives it to its network: 299x299, (x - 128) / 128, float32."""
    return (resized_bicubic(frame, SIZE_PX) - np.float32(128)) / np.float32(128)


def clean_inception_features(
    network: nn.Module, frames: Iterable[np.ndarray], batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """As `inception_features`, for `fid_clean`; the network is `clean_inception`'s."""
    return _features(network, map(for_clean_fid, frames), batch_size, scale=1)


def inception_features(
    network: nn.Module, frames: Iterable[np.ndarray], batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """One row of features a frame.

    Args:
        network: from `load_inception`. It resizes to 299x299 itself, bilinear and without antialiasing.
        frames: uint8 ``(H W 3)`` each, of any sizes.
        batch_size: how many to compute at once; the features do not depend on it.

    Returns:
        float32 ``(f 2048)``.
    """
    return _features(network, frames, batch_size, scale=255)


def _features(network: nn.Module, frames: Iterable[np.ndarray], batch_size: int, scale: int) -> np.ndarray:
    import torch

    device = next(network.parameters()).device
    rows = [np.empty((0, FEATURES), np.float32)]
    with torch.inference_mode():
        for batch in batches(frames, batch_size):
            pictures = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float() / scale
            rows.append(network(pictures)[0].flatten(1).cpu().numpy())
    return np.concatenate(rows)
