"""What a stage is to the training loop.

It gives batches that depend on (seed, step) alone, cut into equal shares for processes and forward passes, and a module
whose forward is the loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..recipe import Optimisation


@dataclass(frozen=True)
class Share:
    """One of several equal parts of a batch; their losses' mean is the whole batch's loss."""

    index: int = 0
    count: int = 1

    def rows(self, total: int) -> slice:
        """The rows of a batch that this share has."""
        each = total // self.count
        return slice(self.index * each, (self.index + 1) * each)


WHOLE = Share()


class Stage(Protocol):
    """What the training loop asks of a stage."""

    @property
    def settings(self) -> Optimisation: ...

    @property
    def module(self) -> nn.Module:
        """Its forward takes a batch's tensors and returns the loss."""

    def trained(self) -> Iterable[nn.Parameter]: ...

    def rates(self) -> list[dict[str, Any]]:
        """The same parameters as the optimizer's groups, each with its learning rate."""

    @property
    def may_skip_parameters(self) -> bool:
        """Whether a share's loss may not reach all that trains, which other processes must be told."""

    def batch(self, seed: int, step: int, share: Share) -> dict[str, Any]:
        """The loss's arguments for a share of a step's batch; the draws are those of the whole batch."""

    def finish(self) -> None:
        """Write into the pipeline what only the trained weights can tell."""

    def samples(self) -> np.ndarray:
        """A grid of pictures to watch the stage learn, uint8 ``(H W 3)``."""


def channels_first(pictures: np.ndarray) -> Tensor:
    """uint8 ``(... H W 3)`` to ``(... 3 H W)``; a device gets them so, a quarter of the bytes of floats."""
    return torch.from_numpy(pictures).movedim(-1, -3).contiguous()
