"""Networks through `torch.compile`, block by block.

Residual and transformer blocks, which a UNet repeats, are compiled: what was compiled for one serves all of its shape.
The numbers differ in their last bits.
"""

from __future__ import annotations

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D

from ..errors import MissingDependencyError
from .pipeline import MagicPosePipeline

REPEATED = (BasicTransformerBlock, ResnetBlock2D)
SHAPES = 64
"""Of one kind of block, widths and sizes that are compiled; torch's 8 would leave most of a UNet's as they were."""


def check_compiler(device: torch.device, backend: str = "inductor") -> None:
    """See that something can be compiled here at all, before a model loads.

    Raises:
        MissingDependencyError: it cannot.
    """
    try:
        torch.compile(lambda x: torch.sin(x) + 1, backend=backend)(torch.zeros(8, device=device))
    except RuntimeError as error:
        raise MissingDependencyError(
            expected="a compiler that torch.compile can use (g++; on a GPU gcc and Triton)",
            found=str(error).strip().splitlines()[0],
            remedy="Install it, or leave --compile out.",
        ) from error


def compile_blocks(pipeline: MagicPosePipeline, backend: str = "inductor") -> int:
    """Compile a model's blocks, each when it is first called.

    Args:
        pipeline: the model, where it will compute.
        backend: as `torch.compile` names it.

    Returns:
        How many blocks that are.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
    blocks = [module for module in pipeline.network.modules() if isinstance(module, REPEATED)]
    for block in blocks:
        block.compile(backend=backend)
    return len(blocks)
