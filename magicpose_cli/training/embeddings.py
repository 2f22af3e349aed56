"""What is in the prompt's place where a UNet is conditioned on a picture (SD Image Variations): CLIP's embedding.

Made once and kept beside the clips, of the square in the middle of a frame where a picture is taller: one embedding
serves all cuts of it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from ..diffusion.codec import embed_picture
from .data import Clips
from .kept import Kept, digest_of, keep


class Embeddings:
    """CLIP's embeddings of clips.

    Args:
        clips: whose they are.
        kept: fp16 ``(f d)`` of each video.
    """

    def __init__(self, clips: Clips, kept: Kept) -> None:
        self._clips, self._kept = clips, kept

    def __call__(self, numbers: np.ndarray) -> Tensor:
        """Embeddings of frames ``(b,)``, fp32 ``(b 1 d)``."""
        rows = []
        for number in numbers:
            video = int(self._clips.video_of(number))
            rows.append(self._kept.of(video)[number - self._clips.starts[video]])
        return torch.from_numpy(np.stack(rows).astype(np.float32))[:, None]


def embed_clips(image_encoder: CLIPVisionModelWithProjection, clips: Clips) -> Embeddings:
    """Embed the videos whose embeddings are not there yet; processes share the work."""
    digest = digest_of(image_encoder, f"{clips.width_px}x{clips.height_px}")

    def make(pictures: np.ndarray) -> np.ndarray:
        top = (pictures.shape[1] - clips.height_px) // 2
        middle = pictures[:, top : top + clips.height_px]
        return embed_picture(image_encoder, middle)[0].cpu().half().numpy()

    return Embeddings(clips, keep(clips, f"embeddings-{digest}", "embedding clips", make))
