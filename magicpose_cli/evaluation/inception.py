"""FID's features: TensorFlow's Inception of 2015 that the first FID program used, as pytorch-fid carries it.

The frames of all videos of a side make one distribution; FID is the `distributions.frechet_distance` of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError
from .extra import from_eval_extra
from .metric_weights import read_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

FEATURES = 2048  # of the last average pooling, "pool3"
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
    import torch

    device = next(network.parameters()).device
    rows = [np.empty((0, FEATURES), np.float32)]
    with torch.inference_mode():
        for batch in _batches(frames, batch_size):
            pictures = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float() / 255
            rows.append(network(pictures)[0].flatten(1).cpu().numpy())
    return np.concatenate(rows)


def _batches(frames: Iterable[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
    """Neighbours of one size together, uint8 ``(b H W 3)``."""
    batch: list[np.ndarray] = []
    for frame in frames:
        if batch and (len(batch) == batch_size or frame.shape != batch[0].shape):
            yield np.stack(batch)
            batch = []
        batch.append(frame)
    if batch:
        yield np.stack(batch)
