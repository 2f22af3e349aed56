"""What the ControlNet makes of pose maps before it looks at latents: the same in each step, so it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import ControlNetModel
from torch import Tensor

KEPT_BYTES = 96 * 2**20
"""A video's embeddings are kept up to this: of 36 frames of 512x512 px in half precision, of 256 of mini's in fp32."""


class PoseEmbeddings:
    """Embeddings of a video's pose maps by frame number.

    Args:
        embed: pose maps, float [0, 1] ``(f 3 H W)``, to embeddings ``(f d h w)``.
        maps_of: frame numbers to pose maps.
    """

    def __init__(self, embed: Callable[[Tensor], Tensor], maps_of: Callable[[Sequence[int]], Tensor]) -> None:
        self._embed, self._maps_of = embed, maps_of
        self._kept: dict[int, Tensor] = {}
        self._bytes = 0

    def of(self, numbers: Sequence[int]) -> Tensor:
        """Embeddings ``(f d h w)`` of some frames; those that are not kept are made, and kept while there is room."""
        new = [number for number in numbers if number not in self._kept]
        made = dict(zip(new, self._embed(self._maps_of(new)), strict=True)) if new else {}
        for number, embedding in made.items():
            size = embedding.numel() * embedding.element_size()
            if self._bytes + size <= KEPT_BYTES:
                self._kept[number] = embedding.clone()  # of the batch it was made in, nothing else is held
                self._bytes += size
        return torch.stack([made[n] if n in made else self._kept[n] for n in numbers])


@contextmanager
def in_place_of_maps(controlnet: ControlNetModel, embeddings: Tensor) -> Iterator[Tensor]:
    """Let a ControlNet's next call take embeddings ``(f d h w)`` for what it would make of its pose maps.

    Gives what to hand it as pose maps: a pixel a frame, which costs nothing.
    """

    def replace(_: Any, args: Any, out: Tensor) -> Tensor:
        return embeddings

    hook = controlnet.controlnet_cond_embedding.register_forward_hook(replace)
    try:
        yield embeddings.new_zeros(len(embeddings), 3, 1, 1)
    finally:
        hook.remove()
