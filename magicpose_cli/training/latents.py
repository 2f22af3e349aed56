"""Latents of clips: made once with a VAE, kept on disk beside the clips, and read from there.

    DATA/.magicpose/latents-<VAE and size>/<video>-<its frames>.npy        fp16 (f c h w), one file a video

A video's file appears whole or not at all; another VAE, or other frames, make another file. Pictures taller than the
model's height are encoded whole and cut in latent cells: near the cut that differs a little from encoding what was
cut, since a VAE sees some way around.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from diffusers import AutoencoderKL
from torch import Tensor

from .. import console
from ..device import pick_device
from ..diffusion.pipeline import MagicPosePipeline
from ..media.atomic import write_file
from ..weights import models_dir
from .data import Clips

_TOGETHER = 8  # pictures


class Latents:
    """Latents of clips, mapped from disk: what is not asked for takes no memory, and processes share it.

    Args:
        clips: whose they are.
        files: one a video.
    """

    def __init__(self, clips: Clips, files: list[Path]) -> None:
        self._clips, self._files = clips, files
        self._mapped: dict[int, np.ndarray] = {}
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
            cut.append(self._of(video)[within, :, int(row) : int(row) + self._height])
        return torch.from_numpy(np.stack(cut).astype(np.float32))

    def _of(self, video: int) -> np.ndarray:
        if video not in self._mapped:
            self._mapped[video] = np.load(self._files[video], mmap_mode="r")
        return self._mapped[video]


def encode_clips(pipeline: MagicPosePipeline, clips: Clips) -> Latents:
    """Encode the videos whose latents are not there yet; processes share the work.

    Args:
        pipeline: its VAE encodes.
        clips: what to encode.
    """
    size = f"{clips.width_px}x{clips.height_px} {clips.cell_px}"
    folder = _writable(clips.folder / ".magicpose") / f"latents-{_digest_of(pipeline.vae, size)}"
    files = [
        folder / f"{clips.frame_paths[start].parent.name}-{_listing(clips.frame_paths[start:stop])}.npy"
        for start, stop in zip(clips.starts, clips.starts[1:], strict=False)
    ]
    state = PartialState(cpu=pick_device("auto").type == "cpu")
    # each process's share is of all videos, not of those that are missing: others write while this one looks
    own = range(state.process_index, len(files), state.num_processes)
    todo = [video for video in own if not files[video].is_file()]
    if todo:
        folder.mkdir(parents=True, exist_ok=True)
        frames = sum(int(clips.starts[video + 1] - clips.starts[video]) for video in todo)
        with console.progress("encoding clips", total=frames) as stage:
            for video in todo:
                latents = _encode(pipeline, clips, video)
                with write_file(files[video]) as temporary, temporary.open("wb") as file:
                    np.save(file, latents)
                stage.advance(len(latents))
    state.wait_for_everyone()
    return Latents(clips, files)


def _encode(pipeline: MagicPosePipeline, clips: Clips, video: int) -> np.ndarray:
    parts = []
    first, last = int(clips.starts[video]), int(clips.starts[video + 1])
    for start in range(first, last, _TOGETHER):
        pictures = np.stack([clips.whole_picture(n) for n in range(start, min(start + _TOGETHER, last))])
        parts.append(pipeline.encode(pictures).cpu().half().numpy())
    return np.concatenate(parts)


def _writable(folder: Path) -> Path:
    """The folder, or where nothing can be written beside the clips, one in magicpose's cache."""
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    instead = (
        models_dir().parent / "latents" / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    )
    console.say(f"nothing can be written to {folder}: latents are kept in {instead}.")
    instead.mkdir(parents=True, exist_ok=True)
    return instead


def _digest_of(vae: AutoencoderKL, size: str) -> str:
    """Of a VAE's weights and scale, and of the size that pictures come to."""
    digest = hashlib.sha256(f"{vae.config.scaling_factor} {size}".encode())
    for name, tensor in sorted(vae.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _listing(paths: tuple[Path, ...]) -> str:
    """Of the names, sizes and times of frames."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]
