"""I3D: Inception, its filters inflated in time (Carreira and Zisserman, CVPR 2017, Figure 3), for FVD.

Names and sizes are those of piergiaj's port to PyTorch, so that its weights load. Padding is TensorFlow's
"same", which the weights were trained with: an odd pixel goes behind.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 400  # Kinetics-400's; FVD compares their logits
BATCH_NORM_EPS = 1e-3  # TensorFlow's

Size = tuple[int, int, int]  # time, height, width


class I3D(nn.Module):
    """Videos to logits.

    ``forward`` takes float ``(b 3 f 224 224)`` in [-1, 1], of any number of frames, and gives ``(b 400)``: the mean
    over time of the classes' logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, stride=(2, 2, 2))
        self.MaxPool3d_2a_3x3 = Pool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        self.MaxPool3d_3a_3x3 = Pool((1, 3, 3), (1, 2, 2))
        self.Mixed_3b = Mixed(192, 64, (96, 128), (16, 32), 32)
        self.Mixed_3c = Mixed(256, 128, (128, 192), (32, 96), 64)
        self.MaxPool3d_4a_3x3 = Pool((3, 3, 3), (2, 2, 2))
        self.Mixed_4b = Mixed(480, 192, (96, 208), (16, 48), 64)
        self.Mixed_4c = Mixed(512, 160, (112, 224), (24, 64), 64)
        self.Mixed_4d = Mixed(512, 128, (128, 256), (24, 64), 64)
        self.Mixed_4e = Mixed(512, 112, (144, 288), (32, 64), 64)
        self.Mixed_4f = Mixed(528, 256, (160, 320), (32, 128), 128)
        self.MaxPool3d_5a_2x2 = Pool((2, 2, 2), (2, 2, 2))
        self.Mixed_5b = Mixed(832, 256, (160, 320), (32, 128), 128)
        self.Mixed_5c = Mixed(832, 384, (192, 384), (48, 128), 128)
        self.logits = Logits(1024, CLASSES)

    def forward(self, videos: Tensor) -> Tensor:
        x = videos
        for stage in self.children():  # in the order of their making
            x = stage(x)
        return x


class Unit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, width_in: int, width_out: int, kernel: int, stride: Size = (1, 1, 1)) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(width_in, width_out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(width_out, eps=BATCH_NORM_EPS)
        self._kernel, self._stride = (kernel, kernel, kernel), stride

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv3d(_padded(x, self._kernel, self._stride))))


class Pool(nn.Module):
    """Maximum; padding with zeros is no change, since all it sees is what a ReLU let through."""

    def __init__(self, kernel: Size, stride: Size) -> None:
        super().__init__()
        self._kernel, self._stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool3d(_padded(x, self._kernel, self._stride), self._kernel, self._stride)


class Mixed(nn.Module):
    """Inception block: four branches side by side, their channels joined."""

    def __init__(
        self, width: int, one: int, three: tuple[int, int], other: tuple[int, int], pooled: int
    ) -> None:
        super().__init__()
        self.b0 = Unit(width, one, 1)
        self.b1a, self.b1b = Unit(width, three[0], 1), Unit(three[0], three[1], 3)
        self.b2a, self.b2b = Unit(width, other[0], 1), Unit(other[0], other[1], 3)
        self.b3a, self.b3b = Pool((3, 3, 3), (1, 1, 1)), Unit(width, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))
        return torch.cat(branches, dim=1)


class Logits(nn.Module):
    """Average over 7x7 places, one linear map to classes, mean over time (Quo Vadis, section 2.4)."""

    def __init__(self, width_in: int, classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(width_in, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3d(F.avg_pool3d(x, (1, 7, 7), stride=1)).mean(dim=(2, 3, 4))


def _padded(x: Tensor, kernel: Size, stride: Size) -> Tensor:
    """Zeros around ``(b c t h w)`` so that a filter gives ceil(size / stride) outputs in each direction."""
    padding: list[int] = []
    for size, reach, step in zip(x.shape[2:], kernel, stride, strict=True):
        total = max((-(-size // step) - 1) * step + reach - size, 0)
        padding = [total // 2, total - total // 2, *padding]  # torch counts from the last direction
    return F.pad(x, padding) if any(padding) else x
