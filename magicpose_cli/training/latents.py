"""Latents of clips: made once with a VAE and kept beside the clips.

Another VAE makes other files. Pictures taller than the model's height are encoded whole and cut in latent cells: near
the cut that differs a little from encoding what was cut, since a VAE sees some way around.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..diffusion.pipeline import MagicPosePipeline
from .data import Clips
from .kept import Kept, digest_of, keep


class Latents:
    """Latents of clips.

    Args:
        clips: whose they are.
        kept: fp16 ``(f c h w)`` of each video.
    """

    def __init__(self, clips: Clips, kept: Kept) -> None:
        self._clips, self._kept = clips, kept
        self._height = clips.height_px // clips.cell_px

    def __call__(self, numbers: np.ndarray, rows: np.ndarray) -> Tensor:
        """Scaled latents of frames.

        Args:
            numbers: frame numbers ``(b,)`` or ``(b f)``, each sample's of one video.
            rows: latent row at which each sample is cut, ``(b,)``.

        Returns:
            fp32 ``(b c h w)`` or ``(b f c h w)``.
        """
        cut = []
        for own, row in zip(numbers, rows, strict=True):
            video = int(self._clips.video_of(own.reshape(-1)[0]))
            within = own - self._clips.starts[video]
            cut.append(self._kept.of(video)[within, :, int(row) : int(row) + self._height])
        return torch.from_numpy(np.stack(cut).astype(np.float32))


def encode_clips(pipeline: MagicPosePipeline, clips: Clips) -> Latents:
    """Encode the videos whose latents are not there yet; processes share the work.

    Args:
        pipeline: its VAE encodes.
        clips: what to encode.
    """
    size = f"{clips.width_px}x{clips.height_px} {clips.cell_px}"
    digest = digest_of(pipeline.vae, f"{pipeline.vae.config.scaling_factor} {size}")

    def make(pictures: np.ndarray) -> np.ndarray:
        return pipeline.encode(pictures).cpu().half().numpy()

    return Latents(clips, keep(clips, f"latents-{digest}", "encoding clips", make))
