"""Pictures in, frames out: the whole method as one diffusers pipeline, saved and loaded as a folder."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DiffusionPipeline,
    MotionAdapter,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from ..errors import MagicPoseError
from ..media.pictures import Placement
from ..pose.draw import pose_map
from ..pose.sequence import PoseSequence
from ..recipe import SamplingBlock, read_block
from .bank import Bank, join_references
from .network import MagicPoseNetwork
from .sampler import denoise, frame_noise
from .windows import circular_windows, shifted_windows

PROMPT_EMBEDS = "prompt_embeds.safetensors"


class PoseMaps(Protocol):
    """Pose maps of a video, drawn or read when asked for: ``maps[i]`` is uint8 ``(H W 3)``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class DrawnMaps:
    """A pose sequence as `PoseMaps`: each map is drawn when asked for, centre-cropped to the model's size."""

    def __init__(self, poses: PoseSequence, width_px: int, height_px: int) -> None:
        self._poses = poses
        self._placement = Placement.crop(poses.width_px, poses.height_px, width_px, height_px)

    def __len__(self) -> int:
        return len(self._poses)

    def __getitem__(self, index: int) -> np.ndarray:
        return pose_map(self._poses[index], self._poses.width_px, self._poses.height_px, self._placement)


class MagicPosePipeline(DiffusionPipeline):
    """MagicPose: a person's picture and somebody's poses to frames of the person in those poses.

    Args:
        vae: between pictures and latents.
        unet: the denoising UNet.
        appearance_unet: reads the reference.
        pose_controlnet: reads the pose maps.
        scheduler: a DDIMScheduler as the model was trained.
        motion_adapter: the motion module; without it frames are independent of each other.
        sampling: defaults for sampling, the fields of `SamplingBlock`.
    """

    _optional_components = ["motion_adapter"]  # noqa: RUF012 - diffusers' own name and type

    def __init__(
        self,
        vae: AutoencoderKL,
        unet: UNet2DConditionModel,
        appearance_unet: UNet2DConditionModel,
        pose_controlnet: ControlNetModel,
        scheduler: DDIMScheduler,
        motion_adapter: MotionAdapter | None = None,
        sampling: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            unet=unet,
            appearance_unet=appearance_unet,
            pose_controlnet=pose_controlnet,
            scheduler=scheduler,
            motion_adapter=motion_adapter,
        )
        self.sampling = read_block(SamplingBlock, sampling or {}, "the model's sampling block")
        self.register_to_config(sampling=self.sampling.model_dump())
        self.network = MagicPoseNetwork(unet, appearance_unet, pose_controlnet, motion_adapter)
        self.prompt_embeds: Tensor | None = None

    # folder

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> MagicPosePipeline:
        """Load a model's folder; the options are those of `DiffusionPipeline.from_pretrained`."""
        pipeline = super().from_pretrained(str(folder), **options)
        stored = Path(folder) / PROMPT_EMBEDS
        if stored.is_file():
            pipeline.prompt_embeds = load_file(stored)["prompt_embeds"]
        return pipeline

    def save_pretrained(self, folder: str | Path, **options: Any) -> None:
        """Write the model's folder; the options are those of `DiffusionPipeline.save_pretrained`."""
        super().save_pretrained(str(folder), **options)
        if self.prompt_embeds is not None:
            save_file({"prompt_embeds": self.prompt_embeds.contiguous()}, Path(folder) / PROMPT_EMBEDS)

    def to(self, *args: Any, **kwargs: Any) -> MagicPosePipeline:
        """Move all networks; the motion module's position table too, which only the joined network holds."""
        super().to(*args, **kwargs)
        self.network.to(self.unet.device, self.unet.dtype)
        if self.vae.config.force_upcast and self.vae.dtype == torch.float16:
            self.vae.to(torch.float32)  # SD's VAE overflows in fp16
        return self

    # sizes

    @property
    def latent_factor(self) -> int:
        """Pixels to one latent cell along each side."""
        return fold_of(self.vae) * 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def size_multiple_px(self) -> int:
        """Width and height must be multiples of this: the VAE's factor times the UNet's own halvings."""
        return self.latent_factor * 2 ** (len(self.unet.config.block_out_channels) - 1)

    # between pictures and latents

    @torch.no_grad()
    def encode(self, pictures: np.ndarray) -> Tensor:
        """Encode uint8 ``(f H W 3)`` to scaled latents ``(f c h w)``, the posterior's mode."""
        pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        pixels = pixels.to(self.vae.device, self.vae.dtype) / 127.5 - 1
        folded = functional.pixel_unshuffle(pixels, fold_of(self.vae))
        latents = self.vae.encode(folded).latent_dist.mode() * self.vae.config.scaling_factor
        return latents.to(self.unet.dtype)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Decode scaled latents ``(f c h w)`` to uint8 ``(f H W 3)``, frame by frame.

        Raises:
            MagicPoseError: latents that are not numbers, as an overflow in half precision leaves them.
        """
        if not bool(torch.isfinite(latents).all()):
            raise MagicPoseError(
                expected="latents that are numbers",
                found="infinities or NaN",
                remedy="Use --dtype bf16 or fp32.",
            )
        frames = []
        for latent in latents:  # one at a time: a frame's pixels must not depend on its neighbours in a batch
            scaled = latent[None].to(self.vae.device, self.vae.dtype) / self.vae.config.scaling_factor
            folded = self.vae.decode(scaled, return_dict=False)[0]
            pixels = functional.pixel_shuffle(folded, fold_of(self.vae))
            frames.append(((pixels.float().clamp(-1, 1) + 1) * 127.5).round().byte()[0])
        return torch.stack(frames).permute(0, 2, 3, 1).cpu().numpy()

    # the network and the sampler

    def _text(self, prompt_embeds: Tensor | None) -> Tensor:
        text = self.prompt_embeds if prompt_embeds is None else prompt_embeds
        if text is None:
            raise ValueError("this model stores no embedding of the empty prompt: pass prompt_embeds")
        return text.to(self.unet.device, self.unet.dtype)

    @torch.no_grad()
    def predict_noise(
        self,
        latents: Tensor,
        timestep: int | Tensor,
        reference_latent: Tensor,
        pose_maps: Tensor | None,
        prompt_embeds: Tensor | None = None,
        guidance_scale: float | None = None,
    ) -> Tensor:
        """The paper's whole network at one timestep, in the model's prediction type.

        Args:
            latents: noisy latents ``(f c h w)``; with a motion module they are consecutive frames.
            timestep: one for all, or ``(f,)``.
            reference_latent: ``(r c h w)``, r pictures of one person.
            pose_maps: float [0, 1] ``(f 3 H W)``, or None for no ControlNet.
            prompt_embeds: ``(1 n d)``; None is the stored embedding of the empty prompt.
            guidance_scale: 1 is the conditional branch alone, 0 the unconditional; None the model's own.

        Returns:
            ``(f c h w)``.

        Raises:
            ValueError: timesteps that differ between frames, with a motion module.
        """
        text = self._text(prompt_embeds)
        steps = torch.as_tensor(timestep, device=latents.device).reshape(-1)
        if bool((steps == steps[0]).all()):
            bank = self._read(reference_latent, int(steps[0]), text)
            return self._guided(latents, int(steps[0]), bank, pose_maps, text, guidance_scale)
        if self.network.has_motion:
            raise ValueError("with a motion module all frames of a call share one timestep")
        frames = [
            self.predict_noise(
                latents[i : i + 1],
                int(steps[i]),
                reference_latent,
                None if pose_maps is None else pose_maps[i : i + 1],
                prompt_embeds,
                guidance_scale,
            )
            for i in range(latents.shape[0])
        ]
        return torch.cat(frames)

    def _read(self, reference_latent: Tensor, timestep: int, text: Tensor) -> Bank:
        latent = reference_latent.to(text)
        steps = torch.full((latent.shape[0],), timestep, device=latent.device)
        return join_references(self.network.read_reference(latent, steps, text))

    def _guided(
        self,
        latents: Tensor,
        timestep: int,
        bank: Bank,
        pose_maps: Tensor | None,
        text: Tensor,
        guidance_scale: float | None,
    ) -> Tensor:
        scale = self.sampling.guidance_scale if guidance_scale is None else guidance_scale
        clip = latents.to(text)[None]
        step = torch.tensor([timestep], device=clip.device)
        maps = None if pose_maps is None else pose_maps.to(text)[None]
        conditional = self.network(clip, step, text, bank, maps)[0].float() if scale != 0 else None
        if scale == 1 and conditional is not None:
            return conditional
        unconditional = self.network(clip, step, text)[0].float()
        if conditional is None:
            return unconditional
        return unconditional + scale * (conditional - unconditional)  # paper 5.2, Image-CFG

    @torch.no_grad()
    def denoise(
        self,
        latents: Tensor,
        reference_latent: Tensor,
        pose_maps: Tensor | PoseMaps,
        prompt_embeds: Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        window: int = 16,
        overlap: int = 4,
        offsets: Sequence[int] | None = None,
        *,
        seed: int = 0,
        on_step: Callable[[int], None] | None = None,
    ) -> Tensor:
        """The sampler between two latents.

        Args:
            latents: start noise ``(f c h w)``.
            reference_latent: ``(r c h w)``.
            pose_maps: float [0, 1] ``(f 3 H W)``, or maps made when asked for.
            prompt_embeds: as in `predict_noise`.
            num_inference_steps: None is the model's own.
            guidance_scale: None is the model's own.
            window: frames denoised together.
            overlap: frames that neighbouring windows share.
            offsets: one for each step: the reference implementation's circular windows. None: windows of our own,
                shifted each step by an offset drawn from the seed, never joining the last frame to the first.
            seed: of the offsets.
            on_step: called after each window with the number of frames that this step had not seen before.

        Returns:
            Clean latents ``(f c h w)``.
        """
        text = self._text(prompt_embeds)
        frames = latents.shape[0]
        bank_of: dict[int, Bank] = {}

        def predict(part: Tensor, timestep: int, numbers: Sequence[int]) -> Tensor:
            if timestep not in bank_of:  # once a timestep for all windows
                bank_of.clear()
                bank_of[timestep] = self._read(reference_latent, timestep, text)
            maps = _gather(pose_maps, numbers)
            return self._guided(part, timestep, bank_of[timestep], maps, text, guidance_scale)

        draw = random.Random(seed)

        def windows(step: int) -> list[list[int]]:
            if offsets is not None:
                return circular_windows(frames, window, overlap, offsets[step])
            return shifted_windows(frames, window, overlap, draw.randrange(max(window - overlap, 1)))

        steps = self.sampling.num_inference_steps if num_inference_steps is None else num_inference_steps
        scheduler = DDIMScheduler.from_config(self.scheduler.config)
        start = latents.to(self.unet.device, torch.float32)
        return denoise(start, predict, scheduler, steps, windows, on_step)

    @torch.no_grad()
    def __call__(
        self,
        reference: np.ndarray,
        poses: PoseSequence | PoseMaps,
        *,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        seed: int = 0,
        window: int = 16,
        overlap: int = 4,
        on_step: Callable[[int], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Make the frames of the reference's person in the given poses.

        Args:
            reference: uint8 ``(H W 3)``, sides multiples of `size_multiple_px`.
            poses: a pose sequence, or pose maps, uint8 ``(f H W 3)`` of the reference's size, all at hand or made
                when asked for.
            num_inference_steps: None is the model's own.
            guidance_scale: None is the model's own.
            seed: of the noise and of the windows' offsets.
            window: frames denoised together.
            overlap: frames that neighbouring windows share.
            on_step: called after each window with the number of frames that this step had not seen before.

        Returns:
            uint8 ``(H W 3)``, one a pose: denoised by then, decoded when asked for.

        Raises:
            ValueError: a reference whose sides are no multiples of `size_multiple_px`.
        """
        height, width = reference.shape[:2]
        if height % self.size_multiple_px or width % self.size_multiple_px:
            raise ValueError(
                f"{width}x{height} px is no multiple of {self.size_multiple_px} px in both sides"
            )
        if isinstance(poses, PoseSequence):
            poses = DrawnMaps(poses, width, height)
        reference_latent = self.encode(reference[None])
        shape = (self.vae.config.latent_channels, *reference_latent.shape[-2:])
        latents = self.denoise(
            frame_noise(len(poses), shape, seed, shared=self.sampling.noise == "shared"),
            reference_latent,
            poses,
            None,
            num_inference_steps,
            guidance_scale,
            window,
            overlap,
            seed=seed,
            on_step=on_step,
        )
        return (self.decode(latent[None])[0] for latent in latents)


def fold_of(vae: AutoencoderKL) -> int:
    """Side in px of the squares that a VAE takes as channels: 1 for SD's three, 4 for 48 channels.

    Folding spares a small VAE its widest pictures, where a CPU spends most of its time.
    """
    return math.isqrt(vae.config.in_channels // 3)


def _gather(pose_maps: Tensor | PoseMaps, numbers: Sequence[int]) -> Tensor:
    if isinstance(pose_maps, Tensor):
        return pose_maps[list(numbers)]
    drawn = np.stack([pose_maps[number] for number in numbers])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255
