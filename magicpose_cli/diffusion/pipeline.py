"""Pictures in, frames out: the whole method as one diffusers pipeline, saved and loaded as a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

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
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from .. import console
from ..device import FRAMES_AT_ONCE, fetch, return_free_memory
from ..media.pictures import Placement
from ..pose.compressed import CompressedMaps
from ..pose.sequence import PoseSequence
from ..sampling import SamplingBlock, Solver, read_block
from .codec import decode, decode_there, embed_picture, encode, fold_of, vae_dtype
from .controls import Controls
from .details import ReferenceDetails
from .facts import PROMPT_EMBEDS
from .guidance import GuidedNetwork
from .network import MagicPoseNetwork
from .offload import Offload, Turns, offload
from .pose_embeddings import PoseEmbeddings
from .pose_maps import PoseMaps, Stretch, gather
from .sampler import denoise, frame_noise, make_solver
from .windows import WindowPlan

PAPER = Controls()
STRETCH = 64
"""Frames denoised before the first of them is decoded, where frames are independent; a bank serves so many."""


class MagicPosePipeline(DiffusionPipeline):
    """MagicPose: a person's picture and somebody's poses to frames of the person in those poses.

    Args:
        vae: between pictures and latents.
        unet: the denoising UNet.
        appearance_unet: reads the reference.
        scheduler: a DDIMScheduler as the model was trained.
        pose_controlnet: reads the pose maps; None is the paper's stage 1, which follows no pose.
        motion_adapter: the motion module; without it frames are independent of each other.
        image_encoder: CLIP's, for a UNet that is conditioned on a picture (SD Image Variations) and not on a text.
        sampling: defaults for sampling, the fields of `SamplingBlock`.
    """

    _optional_components = ["pose_controlnet", "motion_adapter", "image_encoder"]  # noqa: RUF012 - diffusers' own name and type

    def __init__(
        self,
        vae: AutoencoderKL,
        unet: UNet2DConditionModel,
        appearance_unet: UNet2DConditionModel,
        scheduler: DDIMScheduler,
        pose_controlnet: ControlNetModel | None = None,
        motion_adapter: MotionAdapter | None = None,
        image_encoder: CLIPVisionModelWithProjection | None = None,
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
            image_encoder=image_encoder,
        )
        self.sampling = read_block(SamplingBlock, sampling or {}, "the model's sampling block")
        self.register_to_config(sampling=self.sampling.model_dump())
        self.network = MagicPoseNetwork(unet, appearance_unet, pose_controlnet, motion_adapter)
        self._prompt_embeds: Tensor | None = None
        self._computes_on: torch.device | None = None  # where networks come to that wait elsewhere
        self._turns: Turns | None = None
        self._said_independent = False

    # folder

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> MagicPosePipeline:
        """Load a model's folder; the options are those of `DiffusionPipeline.from_pretrained`."""
        return super().from_pretrained(str(folder), **options)

    @property
    def prompt_embeds(self) -> Tensor | None:
        """The empty prompt's embedding ``(1 n d)``, read from the folder that the model was loaded from; or None."""
        stored = Path(self.config.get("_name_or_path") or ".") / PROMPT_EMBEDS
        if self._prompt_embeds is None and self.config.get("_name_or_path") and stored.is_file():
            self._prompt_embeds = load_file(stored)["prompt_embeds"]
        return self._prompt_embeds

    @prompt_embeds.setter
    def prompt_embeds(self, embeds: Tensor | None) -> None:
        self._prompt_embeds = embeds

    def save_pretrained(self, folder: str | Path, **options: Any) -> None:
        """Write the model's folder; the options are those of `DiffusionPipeline.save_pretrained`."""
        super().save_pretrained(str(folder), **options)
        for path in (Path(folder) / "model_index.json", *Path(folder).glob("*/config.json")):
            written = json.loads(path.read_text())
            if written.pop("_name_or_path", None) is not None:  # a path of this machine, of no use elsewhere
                path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
        if self.prompt_embeds is not None:
            save_file({"prompt_embeds": self.prompt_embeds.contiguous()}, Path(folder) / PROMPT_EMBEDS)

    def to(self, *args: Any, **kwargs: Any) -> MagicPosePipeline:
        """Move all networks; the motion module's position table too, which only the joined network holds."""
        super().to(*args, **kwargs)
        self.network.to(self.unet.device, self.unet.dtype)
        self._keep_vae_exact(self.unet.device)
        return self

    def offload(self, kind: Offload, device: torch.device) -> None:
        """Compute on a device without staying on it, as `offload.Offload` says; from the CPU, for good."""
        self._keep_vae_exact(device)
        self._computes_on = device
        self._turns = offload(self, kind, device)

    def _keep_vae_exact(self, device: torch.device) -> None:
        # torch's own `to`, since diffusers' warns of layers to keep in fp32
        nn.Module.to(self.vae, vae_dtype(self.vae, self.unet.dtype, device))

    @property
    def computes_on(self) -> torch.device:
        """The device that the networks compute on, wherever their weights lie."""
        return self._computes_on or self.unet.device

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

    def encode(self, pictures: np.ndarray) -> Tensor:
        """Encode uint8 ``(f H W 3)`` to scaled latents ``(f c h w)``, the posterior's mode."""
        self._call(self.vae)
        return encode(self.vae, pictures).to(self.unet.dtype)

    def decode(self, latents: Tensor) -> np.ndarray:
        """Decode scaled latents ``(f c h w)`` to uint8 ``(f H W 3)``; errors as `codec.decode`."""
        self._call(self.vae)
        return decode(self.vae, latents)

    def use_tiles(self, tile_px: int) -> None:
        """Let the VAE see larger pictures in tiles of this side, which overlap and blend: less memory."""
        self.vae.enable_tiling()
        self.vae.tile_sample_min_size = tile_px // fold_of(self.vae)
        self.vae.tile_latent_min_size = tile_px // self.latent_factor

    def embed_picture(self, pictures: np.ndarray) -> Tensor | None:
        """CLIP's embedding ``(1 r d)`` of references, uint8 ``(r H W 3)``; None for a model without image encoder."""
        if self.image_encoder is None:
            return None
        self._call(self.image_encoder)
        return embed_picture(self.image_encoder, pictures)

    def _call(self, network: nn.Module) -> None:
        """Bring a network whose turn it is."""
        if self._turns is not None:
            self._turns.take(network)

    # the network and the sampler

    @torch.no_grad()
    def predict_noise(
        self,
        latents: Tensor,
        timestep: int | Tensor,
        reference_latent: Tensor,
        pose_maps: Tensor | None,
        prompt_embeds: Tensor | None = None,
        guidance_scale: float | None = None,
        *,
        controls: Controls = PAPER,
        reference_noise: Tensor | None = None,
    ) -> Tensor:
        """The paper's whole network at one timestep, in the model's prediction type.

        Args:
            latents: noisy latents ``(f c h w)``; with a motion module they are consecutive frames.
            timestep: one for all, or ``(f,)``.
            reference_latent: ``(r c h w)``, r pictures of one person.
            pose_maps: float [0, 1] ``(f 3 H W)``, or None for no ControlNet (the paper's stage 1).
            prompt_embeds: ``(1 n d)``; None is the stored embedding of the empty prompt.
            guidance_scale: 1 is the conditional branch alone, 0 the unconditional; None the model's own.
            controls: strength of bank and pose; their time is the sampler's.
            reference_noise: noise ``(r c h w)`` to put on the reference at the timestep; None leaves it clean.

        Returns:
            ``(f c h w)``.

        Raises:
            ValueError: timesteps that are not one or one a frame, or that differ between frames with a motion
                module; no prompt embedding.
        """
        network = self._guided(reference_latent, prompt_embeds, controls, reference_noise)
        scale = self.sampling.guidance_scale if guidance_scale is None else guidance_scale
        steps = torch.as_tensor(timestep).reshape(-1).tolist()
        if len(steps) not in (1, len(latents)):
            raise ValueError(f"{len(steps)} timesteps for {len(latents)} frames: one for all, or one each")
        if len(set(steps)) == 1:
            return network(latents, steps[0], scale, pose_maps, controls.pose_scale)
        if self.network.has_motion:
            raise ValueError("with a motion module all frames of a call share one timestep")
        frames = [
            network(
                latents[i : i + 1],
                step,
                scale,
                None if pose_maps is None else pose_maps[i : i + 1],
                controls.pose_scale,
            )
            for i, step in enumerate(steps)
        ]
        return torch.cat(frames)

    def _guided(
        self,
        reference_latent: Tensor,
        prompt_embeds: Tensor | None,
        controls: Controls,
        reference_noise: Tensor | None,
    ) -> GuidedNetwork:
        text = self.prompt_embeds if prompt_embeds is None else prompt_embeds
        if text is None:
            raise ValueError("this model stores no embedding of the empty prompt: pass prompt_embeds")
        text = text.to(self.computes_on, self.unet.dtype)
        return GuidedNetwork(self.network, self.scheduler, reference_latent, text, controls, reference_noise)

    @torch.no_grad()
    def denoise(
        self,
        latents: Tensor,
        reference_latent: Tensor,
        pose_maps: Tensor | PoseMaps | None,
        prompt_embeds: Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        window: int = 16,
        overlap: int = 4,
        offsets: Sequence[int] | None = None,
        *,
        controls: Controls = PAPER,
        reference_noise: Tensor | None = None,
        circular: bool = False,
        seed: int = 0,
        solver: Solver | None = None,
        guided: tuple[float, float] | None = None,
        batch: int = FRAMES_AT_ONCE,
        on_step: Callable[[int], None] | None = None,
    ) -> Tensor:
        """The sampler between two latents.

        Args:
            latents: start noise ``(f c h w)``.
            reference_latent: ``(r c h w)``.
            pose_maps: float [0, 1] ``(f 3 H W)``, maps made when asked for, or None for no ControlNet.
            prompt_embeds: as in `predict_noise`.
            num_inference_steps: None is the model's own. A number that divides 1000, for the reference's timesteps.
            guidance_scale: None is the model's own.
            window: frames denoised together.
            overlap: frames that neighbouring windows share.
            offsets: one for each step: the reference implementation's circular windows. None: windows of our own,
                shifted each step by an offset drawn from the seed, never joining the last frame to the first, and
                fading into each other where they overlap.
            controls: strength and time of bank and pose.
            reference_noise: as in `predict_noise`, the same in each step.
            circular: without offsets, take the reference's windows all the same, at offsets drawn from the seed.
            seed: of the offsets.
            solver: None is the model's own.
            guided: part of the steps with guidance, from 0 to 1; None is the model's own.
            batch: frames that go through the networks together where they are independent; a window's always do.
            on_step: called after each window with the number of frames that this step had not seen before.

        Returns:
            Clean latents ``(f c h w)``, in fp32 on the CPU.
        """
        frames = latents.shape[0]
        self._say_if_independent(frames)
        network = self._guided(reference_latent, prompt_embeds, controls, reference_noise)
        sampling = self.sampling.chosen(None, num_inference_steps, guidance_scale, solver, guided)
        steps = sampling.num_inference_steps
        scheduler = make_solver(self.scheduler, sampling.solver)
        embeddings = None
        if pose_maps is not None:
            embeddings = PoseEmbeddings(self.network.embed_pose, partial(gather, pose_maps))

        def predict(part: Tensor, timestep: int, numbers: Sequence[int]) -> Tensor:
            step = scheduler.timesteps.tolist().index(timestep)
            scale = sampling.guidance_at(step)
            # the unconditional branch has no pose
            pose_scale = controls.pose_scale_at(step, steps) if scale else 0.0
            embedded = embeddings.of(numbers) if embeddings is not None and pose_scale else None
            return network(part.to(self.computes_on), timestep, scale, None, pose_scale, embedded)

        windows = WindowPlan(
            frames,
            window,
            overlap,
            see_each_other=self.network.has_motion,
            batch=batch,
            circular=circular,
            offsets=offsets,
            seed=seed,
        )
        return denoise(latents, predict, scheduler, steps, windows.of, on_step, fade=windows.fade)

    def _say_if_independent(self, frames: int) -> None:
        if frames > 1 and not self.network.has_motion and not self._said_independent:
            console.warn("this model has no motion module: its frames are independent and may flicker.")
            self._said_independent = True  # once, not for each video

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
        circular: bool = False,
        noise: str | None = None,
        noisy_reference: bool | None = None,
        reference_details: bool | None = None,
        controls: Controls = PAPER,
        solver: Solver | None = None,
        guided: tuple[float, float] | None = None,
        batch: int = FRAMES_AT_ONCE,
        on_step: Callable[[int], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Make the frames of the reference's person in the given poses.

        Args:
            reference: uint8 ``(H W 3)``, or ``(r H W 3)`` for several pictures of one person; sides multiples of
                `size_multiple_px`.
            poses: a pose sequence, or pose maps, uint8 ``(f H W 3)`` of the reference's size, all at hand or made
                when asked for.
            num_inference_steps, guidance_scale, solver, guided: as in `denoise`; None is the model's own.
            seed: of the noise and of the windows' offsets.
            window, overlap, circular, controls, batch, on_step: as in `denoise`.
            noise: ``shared`` by all frames or ``independent``; None is the model's own.
            noisy_reference: whether the reference is noised as the frames are; None is the model's own.
            reference_details: whether frames take the reference's details, as `ReferenceDetails` does; None is the
                model's own.

        Returns:
            uint8 ``(H W 3)``, one a pose, made as they are asked for: with a motion module all are denoised before the
            first is decoded, without one `STRETCH` at a time.

        Raises:
            ValueError: a reference whose sides are no multiples of `size_multiple_px`.
        """
        references = reference if reference.ndim == 4 else reference[None]
        height, width = references.shape[1:3]
        if height % self.size_multiple_px or width % self.size_multiple_px:
            raise ValueError(
                f"{width}x{height} px is no multiple of {self.size_multiple_px} px in both sides"
            )
        if isinstance(poses, PoseSequence):
            placement = Placement.crop(poses.width_px, poses.height_px, width, height)
            poses = CompressedMaps.of(poses, placement, None if self.network.has_motion else STRETCH)
        reference_latent = self.encode(references)
        channels, rows, columns = reference_latent.shape[1:]
        shape = (channels, rows, columns)
        is_shared = (noise or self.sampling.noise) == "shared"
        is_noisy = self.sampling.reference == "noised" if noisy_reference is None else noisy_reference
        reference_noise = frame_noise(1, shape, seed, shared=True) if is_noisy else None
        text = self.embed_picture(references)
        finish = ReferenceDetails(references[0]) if self.sampling.takes_details(reference_details) else None

        def make(first: int, stop: int) -> Iterator[np.ndarray]:
            return_free_memory()
            latents = self.denoise(
                frame_noise(stop - first, shape, seed, shared=is_shared, first=first),
                reference_latent,
                Stretch(poses, first, stop),
                text,
                num_inference_steps,
                guidance_scale,
                window,
                overlap,
                controls=controls,
                reference_noise=reference_noise,
                circular=circular,
                seed=seed,
                solver=solver,
                guided=guided,
                batch=batch,
                on_step=on_step,
            )
            frames = fetch(decoded(latents))
            return frames if finish is None else map(finish, frames)

        def decoded(latents: Tensor) -> Iterator[Tensor]:
            for latent in latents:
                self._call(self.vae)
                yield decode_there(self.vae, latent[None])[0]

        # frames that see each other are denoised together, others a stretch at a time: so memory does not grow
        together = len(poses) if self.network.has_motion else STRETCH
        starts = range(0, len(poses), together)
        return (frame for first in starts for frame in make(first, min(first + together, len(poses))))
