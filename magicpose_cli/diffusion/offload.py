"""Networks larger than a GPU's memory: what stays on it, and what comes when it is needed.

    none          all networks stay
    model         VAE, appearance net, and UNet with ControlNet: each is there while it works
    group         blocks of the networks, the next on its way while one computes; single layers of ControlNet and VAE
    sequential    single layers: the least memory, and the most time

The numbers do not change. The first that fits in a budget is taken: it moves the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from diffusers.hooks import apply_group_offloading
from torch import nn

from .codec import vae_dtype

if TYPE_CHECKING:
    from .pipeline import MagicPosePipeline

Offload = Literal["none", "model", "group", "sequential"]
_CPU = torch.device("cpu")
_SPARE = 0.1  # of the budget, for what the allocator and CUDA's kernels take


@dataclass(frozen=True)
class Weights:
    """Bytes that each way of offloading keeps on the device at a time."""

    none: int
    model: int
    group: int
    sequential: int


def weights_of(pipeline: MagicPosePipeline, dtype: torch.dtype, device: torch.device) -> Weights:
    """Count a model's weights, as they would be in a number format on a device; they may be on the meta device."""
    of_vae = dict.fromkeys(pipeline.vae.parameters(), vae_dtype(pipeline.vae, dtype, device))

    def size(*modules: nn.Module | None) -> int:
        parameters = [p for m in modules if m is not None for p in m.parameters()]
        return sum(p.numel() * of_vae.get(p, dtype).itemsize for p in parameters)

    network = pipeline.network
    everything = [m for m in (network, pipeline.vae, pipeline.image_encoder) if m is not None]
    largest = max(size(layer) for m in everything for layer in m.modules() if not list(layer.children()))
    streamed = []
    for unet in (network.unet, network.appearance_unet):
        blocks = [block for blocks in (unet.down_blocks, unet.up_blocks) for block in blocks]
        rest = size(unet) - size(*blocks)
        streamed.append(rest + 2 * max(map(size, blocks)))  # one computes, the next is on its way
    return Weights(
        none=size(*everything),
        model=max(sum(map(size, group)) for group in _turns(pipeline)),
        group=max(*streamed, 2 * largest),
        sequential=2 * largest,
    )


def choose_offload(weights: Weights, working_bytes: int, budget_bytes: int) -> Offload | None:
    """The fastest way that fits; None where not even the last one does.

    Args:
        weights: the model's.
        working_bytes: what hidden states and latents take while the networks run.
        budget_bytes: of the device's memory.
    """
    kinds: tuple[Offload, ...] = ("none", "model", "group", "sequential")
    room = (1 - _SPARE) * budget_bytes - working_bytes
    return next((kind for kind in kinds if getattr(weights, kind) <= room), None)


def offload(pipeline: MagicPosePipeline, kind: Offload, device: torch.device) -> Turns | None:
    """Let a model's networks, all on the CPU, compute on a device without staying there.

    Args:
        pipeline: the model.
        kind: ``model``, ``group`` or ``sequential``.
        device: where they compute.

    Returns:
        For ``model``, who says whose turn it is.
    """
    if kind == "model":
        return Turns(_turns(pipeline), device)
    network = pipeline.network
    streamed = [network.unet, network.appearance_unet] if kind == "group" else []
    for module in streamed:
        apply_group_offloading(
            module,
            onload_device=device,
            offload_device=_CPU,
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=device.type == "cuda",
        )
    # what is called by its parts, as the ControlNet's embedding and the VAE's two halves, cannot come block by block
    everything = (
        network.unet,
        network.appearance_unet,
        network.pose_controlnet,
        pipeline.vae,
        pipeline.image_encoder,
    )
    for module in everything:
        if module is not None and module not in streamed:
            apply_group_offloading(
                module, onload_device=device, offload_device=_CPU, offload_type="leaf_level"
            )
    return None


class Turns:
    """Groups of networks of which one is on the device at a time.

    Args:
        groups: each group's networks come and go together.
        device: where they compute; they wait on the CPU.
    """

    def __init__(self, groups: Sequence[Sequence[nn.Module]], device: torch.device) -> None:
        self._groups, self._device = groups, device
        self._there: Sequence[nn.Module] | None = None
        for group in groups:
            for module in group:
                module.register_forward_pre_hook(partial(self._before, group))
                embedding = getattr(module, "controlnet_cond_embedding", None)
                if embedding is not None:  # called by itself, before its ControlNet
                    embedding.register_forward_pre_hook(partial(self._before, group))

    def take(self, module: nn.Module) -> None:
        """Bring a network whose parts are called, not itself: a VAE, which encodes and decodes."""
        self._take(next(group for group in self._groups if any(m is module for m in group)))

    def _before(self, group: Sequence[nn.Module], _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        self._take(group)
        # an input that was made where the weights lay comes along
        return tuple(x.to(self._device) if isinstance(x, torch.Tensor) else x for x in inputs)

    def _take(self, group: Sequence[nn.Module]) -> None:
        if group is self._there:
            return
        for module in self._there or ():
            nn.Module.to(module, _CPU)
        for module in group:
            nn.Module.to(module, self._device)
        self._there = group


def _turns(pipeline: MagicPosePipeline) -> list[list[nn.Module]]:
    network = pipeline.network
    groups = [
        [network.unet, network.pose_controlnet],
        [network.appearance_unet],
        [pipeline.vae],
        [pipeline.image_encoder],
    ]
    present = [[module for module in group if module is not None] for group in groups]
    return [group for group in present if group]
