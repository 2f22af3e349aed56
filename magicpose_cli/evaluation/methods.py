"""What makes the frames that are evaluated: a model, with or without its motion module, and the copied reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..sampling import SamplingBlock
from .datasets.clip import Size, TestClip
from .reconstruction import resized_like

if TYPE_CHECKING:
    from ..diffusion.pipeline import MagicPosePipeline

COPY = "copy of the reference"

Make = Callable[[TestClip, Size], Iterable[np.ndarray]]
"""(clip, the truth's width and height in px) -> a frame for each target, uint8 ``(H W 3)``, of that size."""


def copies(clip: TestClip, size_px: Size) -> Iterator[np.ndarray]:
    """The reference, over and over."""
    reference = clip.reference(size_px)
    return (reference for _ in clip.targets)


@dataclass
class Model:
    """A model that is loaded when its first clip is made, if there is one to make.

    Attributes:
        folder: the model's.
        size_px: width and height that it works at.
        sampling: how it samples.
        seed: of the noise of the first clip; each next has the next seed.
        device, dtype: where and in which format to compute.
    """

    folder: Path
    size_px: Size
    sampling: SamplingBlock
    seed: int
    device: str
    dtype: str
    _whole: MagicPosePipeline | None = field(default=None, repr=False)
    _bare: MagicPosePipeline | None = field(default=None, repr=False)

    def make(self, clip: TestClip, size_px: Size, *, keep_motion: bool = True) -> Iterator[np.ndarray]:
        """Frames for a clip's targets."""
        assert clip.maps is not None, "a model needs pose maps"
        from ..device import frames_at_once, total_memory

        pipeline = self._load() if keep_motion else self._without_motion()
        made = pipeline(
            clip.reference(self.size_px),
            clip.read(clip.maps, self.size_px),
            num_inference_steps=self.sampling.num_inference_steps,
            guidance_scale=self.sampling.guidance_scale,
            solver=self.sampling.solver,
            guided=self.sampling.guided,
            reference_details=self.sampling.takes_details(),
            seed=self.seed + clip.number,
            batch=frames_at_once(total_memory(pipeline.device), pipeline.dtype, *self.size_px),
        )
        return (_at(frame, size_px) for frame in made)

    def through_vae(self, clip: TestClip, size_px: Size) -> Iterator[np.ndarray]:
        """The true targets, encoded (the posterior's mode) and decoded by the model's VAE."""
        pipeline = self._load()
        for number in clip.targets:
            frame = clip.read(clip.frames, self.size_px, [number])
            yield _at(pipeline.decode(pipeline.encode(frame))[0], size_px)

    def _load(self) -> MagicPosePipeline:
        if self._whole is None:
            from ..device import pick_device, pick_dtype
            from ..diffusion.folder import load_model

            device = pick_device(self.device)
            self._whole = load_model(self.folder, device, pick_dtype(self.dtype, device))
        return self._whole

    def _without_motion(self) -> MagicPosePipeline:
        if self._bare is None:
            from ..diffusion.pipeline import MagicPosePipeline

            whole = self._load()
            if whole.motion_adapter is None:
                return whole
            parts = {**whole.components, "motion_adapter": None}
            self._bare = MagicPosePipeline(**parts, sampling=whole.sampling.model_dump())
            self._bare.prompt_embeds = whole.prompt_embeds
        return self._bare


def _at(frame: np.ndarray, size_px: Size) -> np.ndarray:
    """A frame in the truth's size, as the protocol does it."""
    return resized_like(frame, np.empty((size_px[1], size_px[0], 3), np.uint8))
