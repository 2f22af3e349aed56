"""AdaFace's network (Kim et al., CVPR 2022): a residual network that turns a face into a direction in 512 dimensions.

The improved residual blocks are those of ArcFace (Deng et al., CVPR 2019, section 3.2.2); names and sizes are those of
AdaFace's code, so that its weights load. Face-Cos is the mean over frames of the cosine of two faces' directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .face_crop import CROP_SIZE_PX
from .faces import FaceNetwork, aligned_crop
from .metric_weights import fill, read_weights

FEATURES = 512
BLOCKS = {"ir_50": (3, 4, 14, 3), "ir_101": (3, 13, 30, 3)}
"""How many residual blocks of 64, 128, 256 and 512 channels; each group begins with a halving."""


class AdaFace(nn.Module):
    """Faces, BGR float ``(b 3 112 112)`` in [-1, 1], to features ``(b 512)`` of any length."""

    def __init__(self, kind: str = "ir_50") -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
        )
        blocks: list[nn.Module] = []
        width_in = 64
        for width, count in zip((64, 128, 256, 512), BLOCKS[kind], strict=True):
            for number in range(count):
                blocks.append(Block(width_in, width, stride=1 if number else 2))
                width_in = width
        self.body = nn.Sequential(*blocks)
        side = CROP_SIZE_PX // 16
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Dropout(0.4),  # of training: it holds its place among the names
            nn.Flatten(),
            nn.Linear(512 * side * side, FEATURES),
            nn.BatchNorm1d(FEATURES, affine=False),
        )

    def forward(self, faces: Tensor) -> Tensor:
        return self.output_layer(self.body(self.input_layer(faces)))


class Block(nn.Module):
    """Batch norm, convolution, batch norm, PReLU, convolution, batch norm, beside a shortcut."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if width_in == width:
            self.shortcut_layer = nn.MaxPool2d(1, stride)  # every other pixel
        else:
            conv = nn.Conv2d(width_in, width, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(conv, nn.BatchNorm2d(width))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(width_in),
            nn.Conv2d(width_in, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


def load_adaface(weights: Path, kind: str = "ir_50", device: torch.device | str = "cpu") -> AdaFace:
    """AdaFace's network with its weights.

    Args:
        weights: a released checkpoint, such as ``adaface_ir50_ms1mv2.ckpt``.
        kind: `ir_50` or `ir_101`. Values of different checkpoints cannot be compared.
        device: where to compute.

    Raises:
        ModelError: not that file.
    """
    with torch.random.fork_rng(devices=[]):
        network = AdaFace(kind)
    fill(network, read_weights(weights, "model."), weights)  # beside it lies the head of its training
    return network.eval().requires_grad_(False).to(device)


def face_network(network: AdaFace) -> FaceNetwork:
    """AdaFace for `face_cos` and `face_cos_all`, -1..1: a dot product, since its features have length 1."""
    compare = dict.fromkeys(("face_cos", "face_cos_all"), lambda a, b: float(a @ b))
    return FaceNetwork(aligned_crop, partial(embed_faces, network), compare, {"face_cos_all": 0.0})


def embed_faces(network: AdaFace, crops: Sequence[np.ndarray]) -> np.ndarray:
    """Directions of faces, float32 ``(n 512)`` of length 1; a dot product of two is their cosine, -1..1.

    Args:
        network: from `load_adaface`.
        crops: uint8 ``(112 112 3)`` each, RGB, from `face_crop.crop_face`.
    """
    if not len(crops):
        return np.empty((0, FEATURES), np.float32)
    device = next(network.parameters()).device
    bgr = torch.from_numpy(np.stack(crops)[..., ::-1].copy()).to(device)  # it was trained on OpenCV's order
    with torch.inference_mode():
        features = network((bgr.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5)
        return nn.functional.normalize(features).cpu().numpy()
