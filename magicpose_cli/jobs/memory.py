"""How a model's networks share a GPU's memory: settled, and said, before a weight is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import console
from ..device import working_bytes
from ..errors import OptionError

if TYPE_CHECKING:
    import torch

    from ..diffusion.offload import Offload
    from ..diffusion.pipeline import MagicPosePipeline


def settle_offload(
    shapes: Callable[[], MagicPosePipeline],
    device: torch.device,
    dtype: torch.dtype,
    size_px: tuple[int, int],
    batch: int,
    budget: int,
    *,
    compiles: bool,
    takes_less: str,
) -> Offload:
    """How the networks fit on a GPU; a CPU's memory is not asked.

    Args:
        shapes: gives the model without its weights.
        device, dtype: where and in which format it computes.
        size_px: width and height of the pictures.
        batch: frames that go through the networks together.
        budget: bytes of the device's memory.
        compiles: whether the networks are compiled, which those that take turns cannot be.
        takes_less: options of the command that lessen what it takes, as "a smaller --size or --batch".

    Raises:
        OptionError: networks that take turns are to be compiled.
        MissingDependencyError: there is no compiler.
    """
    offload: Offload = "none"
    if device.type == "cuda":
        from ..diffusion.offload import choose_offload, weights_of

        working = working_bytes(batch, dtype, *size_px)
        chosen = choose_offload(weights_of(shapes(), dtype, device), working, budget)
        if chosen is None:
            console.warn(f"{budget / 2**30:.1f} GB of the GPU's memory may not do; {takes_less} takes less.")
        elif chosen != "none":
            console.say(
                f"Networks take turns on the GPU ({chosen} offload), to keep within {budget / 2**30:.1f} GB."
            )
        offload = chosen or "sequential"
    if compiles:
        _check_compile(device, offload, takes_less)
    return offload


def _check_compile(device: torch.device, offload: Offload, takes_less: str) -> None:
    from ..diffusion.compiled import check_compiler

    if offload != "none":
        raise OptionError(
            expected="--compile with a model that stays on the GPU",
            found=f"one whose networks take turns there ({offload} offload)",
            remedy=f"Leave --compile out, or use {takes_less}.",
        )
    check_compiler(device)
