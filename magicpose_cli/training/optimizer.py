"""What a recipe may name: optimizers (AdamW, or Muon for what is a matrix and AdamW for the rest), and schedules."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from diffusers.optimization import get_scheduler
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.overrides import TorchFunctionMode

from ..device import training_precision
from ..recipe import Optimisation

SMALLEST_SIDE = 64
"""A weight with fewer rows or columns is AdamW's: Muon would blow its few directions up to equal size."""


def make_optimizer(groups: list[dict[str, Any]], settings: Optimisation) -> Optimizer:
    """The recipe's optimizer.

    Args:
        groups: ``params`` and ``lr`` of each, the parameters where they will be trained: on their device, in their
            memory format.
        settings: the stage's.
    """
    if settings.optimizer == "adamw":
        return AdamW(groups, weight_decay=settings.weight_decay)
    return MuonForMatrices(groups, settings.weight_decay)


def make_schedule(optimizer: Optimizer, settings: Optimisation) -> LambdaLR:
    """The recipe's learning rates over its steps."""
    warmup, total = settings.warmup_steps, settings.steps
    if settings.schedule == "warmup_stable_decay":
        from transformers.optimization import get_wsd_schedule

        falls = min(max(1, round(settings.decay_share * total)), max(total - warmup, 0))
        return get_wsd_schedule(optimizer, warmup, falls, num_training_steps=total, decay_type="linear")
    return get_scheduler(settings.schedule, optimizer, num_warmup_steps=warmup, num_training_steps=total)


class MuonForMatrices(Optimizer):
    """torch's Muon (Jordan et al., 2024) on matrices and AdamW on the rest, as one optimizer.

    A convolution's weight ``(out in h w)`` counts as the matrix ``(out, in h w)``. torch's Muon takes nothing but
    matrices, so it is handed views that share the weights' memory. Its updates are scaled to the size of AdamW's
    (Liu et al., 2025), so that one learning rate serves both.

    Args:
        groups: ``params`` and ``lr`` of each.
        weight_decay: of both.
    """

    def __init__(self, groups: list[dict[str, Any]], weight_decay: float) -> None:
        super().__init__(groups, {"weight_decay": weight_decay})
        self._views: list[tuple[nn.Parameter, nn.Parameter]] = []
        matrices, rest = [], []
        for group in self.param_groups:
            weights = [p for p in group["params"] if _is_matrix(p)]
            views = [nn.Parameter(_matrix_in_place(p)) for p in weights]
            self._views += zip(weights, views, strict=True)
            matrices.append({"params": views, "lr": group["lr"]})
            rest.append({"params": [p for p in group["params"] if not _is_matrix(p)], "lr": group["lr"]})
        self._parts = {
            "muon": Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            "adamw": AdamW(rest, weight_decay=weight_decay),
        }

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the weights by their gradients."""
        if closure is not None:
            raise ValueError("no closures: a step of Muon looks at one gradient")
        for part in self._parts.values():
            for group, own in zip(self.param_groups, part.param_groups, strict=True):
                own |= {name: group[name] for name in ("lr", "weight_decay")}
        for weight, view in self._views:
            # a weight's memory may be another since: accelerate copies weights where several CPU processes train
            view.data = _matrix_in_place(weight)
            view.grad = None if weight.grad is None else _as_matrix(weight.grad, weight)
        device = self._views[0][0].device if self._views else torch.device("cpu")
        with nullcontext() if training_precision("bf16", device) == "bf16" else _StaysFp32():
            for part in self._parts.values():
                part.step()

    def state_dict(self) -> dict[str, Any]:
        """Both optimizers' states, and the groups' learning rates; momenta in their weights' shapes."""
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        parts["muon"]["state"] = self._turned(parts["muon"]["state"], _as_weight)
        return {**super().state_dict(), **parts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what `state_dict` gave, also where weights lie otherwise in memory: a CPU's have their channels last."""
        super().load_state_dict({name: state_dict[name] for name in ("state", "param_groups")})
        muon = state_dict["muon"]
        self._parts["muon"].load_state_dict({**muon, "state": self._turned(muon["state"], _as_matrix)})
        self._parts["adamw"].load_state_dict(state_dict["adamw"])

    def _turned(self, state: dict[int, Any], turn: Callable[[Tensor, Tensor], Tensor]) -> dict[int, Any]:
        """Muon's state with its momenta, numbered as the views are, turned by their weights."""
        weights = [weight for weight, _ in self._views]
        return {
            number: {**kept, "momentum_buffer": turn(kept["momentum_buffer"], weights[number])}
            for number, kept in state.items()
        }


class _StaysFp32(TorchFunctionMode):
    """Leaves in fp32 what asks for bf16.

    torch's Muon iterates in bf16, at an eighth of fp32's speed where a CPU lacks it.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        # a copy, as bf16 would be: what follows may work in place
        return args[0].float().clone() if func is Tensor.bfloat16 else func(*args, **(kwargs or {}))


def _is_matrix(weight: Tensor) -> bool:
    return weight.ndim > 1 and min(weight.shape[0], weight[0].numel()) >= SMALLEST_SIDE


def _matrix_in_place(weight: nn.Parameter) -> Tensor:
    """A weight as a matrix that shares its memory."""
    matrix = _as_matrix(weight.detach(), weight)
    if matrix.data_ptr() != weight.data_ptr():
        raise ValueError("weights must lie in memory as they are, or with their channels last")
    return matrix


def _as_matrix(tensor: Tensor, weight: Tensor) -> Tensor:
    """A weight or its gradient as a matrix, in the order in which the weight lies in memory: so none is copied."""
    if _has_channels_last(weight):
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.flatten(1)


def _as_weight(matrix: Tensor, weight: Tensor) -> Tensor:
    """What `_as_matrix` made, in the weight's shape again."""
    if _has_channels_last(weight):
        return matrix.unflatten(1, (*weight.shape[2:], weight.shape[1])).permute(0, 3, 1, 2)
    return matrix.view(weight.shape)


def _has_channels_last(weight: Tensor) -> bool:
    return weight.ndim == 4 and not weight.is_contiguous()
