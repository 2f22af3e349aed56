"""Devices: which one, in which number format, with how much memory. The only place that asks torch about hardware."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    import torch

DTYPES = ("fp32", "fp16", "bf16")


def pick_device(name: str = "auto") -> torch.device:
    """Choose the device: the best there is for ``auto``, or the one named (``cpu``, ``cuda``, ``cuda:1``, ``mps``).

    Raises:
        OptionError: no such device here.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    present = device is not None and (
        device.type == "cpu"
        or (device.type == "cuda" and (device.index or 0) < torch.cuda.device_count())
        or (device.type == "mps" and torch.backends.mps.is_available())
    )
    if device is None or not present:
        raise OptionError(
            expected="a device that this machine has",
            found=f"{name!r}",
            remedy="Use --device auto, cpu, cuda, cuda:N or mps.",
        )
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """Choose the number format: for ``auto`` fp16 on a GPU, bf16 on a CPU that computes in it, and fp32 on others.

    Raises:
        OptionError: not a known format.
    """
    import torch

    formats = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if name == "auto":
        if device.type in ("cuda", "mps"):
            return torch.float16
        return torch.bfloat16 if computes_bf16() else torch.float32
    if name not in formats:
        raise OptionError(
            expected=f"a number format of auto, {', '.join(DTYPES)}",
            found=f"{name!r}",
            remedy="Use --dtype auto.",
        )
    if formats[name] is torch.float16 and device.type == "cpu":
        raise OptionError(
            expected="a number format that the CPU computes well",
            found="fp16 on the CPU",
            remedy="Use --dtype fp32 or bf16, or a GPU.",
        )
    return formats[name]


def computes_bf16() -> bool:
    """Whether this CPU multiplies bf16 (AVX512-BF16 or AMX): others turn it into fp32 first, which takes longer."""
    import torch

    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def training_precision(wanted: str, device: torch.device) -> str:
    """The mixed precision to train in: what a recipe wants, but "no" where a CPU turns bf16 into fp32 and back.

    There a step takes ten times as long in bf16 as in fp32 (measured on an AVX2 CPU).
    """
    return "no" if wanted == "bf16" and device.type == "cpu" and not computes_bf16() else wanted


def memory_format(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """How a network's weights should lie: bf16 on a CPU is faster with channels last (1.1 times), fp32 slower."""
    import torch

    is_last = device.type == "cpu" and dtype is torch.bfloat16
    return torch.channels_last if is_last else torch.contiguous_format


def wait_for(device: torch.device) -> None:
    """Return when a device has done what it was given: a GPU works on while Python goes ahead."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def fetch(tensors: Iterable[torch.Tensor]) -> Iterator[np.ndarray]:
    """Tensors of a device as arrays, in order.

    From a GPU each comes over, into memory that is pinned for that, while it computes the next.
    """
    waiting: Callable[[], np.ndarray] | None = None
    for tensor in tensors:
        if tensor.device.type != "cuda":
            yield tensor.cpu().numpy()
            continue
        arriving = _send(tensor)
        if waiting is not None:
            yield waiting()
        waiting = arriving
    if waiting is not None:
        yield waiting()


def _send(tensor: torch.Tensor) -> Callable[[], np.ndarray]:
    """Start a CUDA tensor on its way; what is returned waits for it."""
    import torch

    kept = torch.empty_like(tensor, device="cpu", pin_memory=True)
    kept.copy_(tensor, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(tensor.device))

    def wait() -> np.ndarray:
        arrived.synchronize()
        return kept.numpy().copy()  # the pinned memory goes back, for the next

    return wait


def return_free_memory() -> None:
    """Give the system back what freed tensors left between others in the C library's heap, where that is glibc's.

    Else it is kept, in pieces too small for the next large ones: mini's peak was 1.6 GB so, and is 1.4 now, and a long
    video added to it all the time.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def total_memory(device: torch.device) -> int:
    """Bytes of a GPU's memory, or of the machine's for a CPU."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory_budget(device: torch.device, vram_gb: float | None) -> int:
    """Bytes that a run may take of a device: a GPU's free memory, or less by `vram_gb`; all of a machine's for a CPU.

    Raises:
        OptionError: a budget for what is no GPU.
    """
    import torch

    if device.type == "cuda":
        free = int(torch.cuda.mem_get_info(device)[0])
        return free if vram_gb is None else min(free, int(vram_gb * 2**30))
    if vram_gb is not None:
        raise OptionError(
            expected="--vram with a GPU of its own memory (cuda)",
            found=f"the device {device}",
            remedy="Leave --vram out.",
        )
    return total_memory(device)


FRAMES_AT_ONCE = 16
_SHARE = 0.4  # of a memory, for hidden states
_VALUES_A_PIXEL = 1200
"""A frame's hidden states while the networks run, as measured at SD1.5's size with attention that keeps no matrix."""


def working_bytes(frames: int, dtype: torch.dtype, width_px: int, height_px: int) -> int:
    """What the hidden states of frames take that go through the networks together."""
    return frames * _VALUES_A_PIXEL * width_px * height_px * dtype.itemsize


TILE_PX = 512
"""Side of the tiles in which a VAE sees a picture that is too large for it: SD's own size."""


def decodes_in_tiles(memory_bytes: int, width_px: int, height_px: int) -> bool:
    """Whether a VAE should see a picture in tiles: where the whole, in fp32, takes more than 40 % of a memory.

    A picture of one tile has no parts.
    SD's decoder has about 1,000 values a pixel at a time (measured at 256 and 512 px), near what the networks have.
    """
    import torch

    takes = working_bytes(1, torch.float32, width_px, height_px)
    return max(width_px, height_px) > TILE_PX and takes > _SHARE * memory_bytes


def frames_at_once(memory_bytes: int, dtype: torch.dtype, width_px: int, height_px: int) -> int:
    """How many independent frames go through the networks together: up to 16, in at most 40 % of a memory."""
    return max(
        1, min(FRAMES_AT_ONCE, int(_SHARE * memory_bytes / working_bytes(1, dtype, width_px, height_px)))
    )
