"""What a frame costs: multiplications and additions of each network, counted without weights (torch's counter)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..sampling import SamplingBlock
from .codec import fold_of
from .controls import Controls
from .pipeline import PAPER, STRETCH, MagicPosePipeline

CONVOLUTIONS, MATRICES = "convolutions", "matrices"


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of one call: those of convolutions, and those of products of matrices."""

    convolutions: float
    matrices: float

    @property
    def total(self) -> float:
        return self.convolutions + self.matrices

    def __add__(self, other: Flops) -> Flops:
        return Flops(self.convolutions + other.convolutions, self.matrices + other.matrices)

    def times(self, factor: float) -> Flops:
        """Of so many calls."""
        return Flops(self.convolutions * factor, self.matrices * factor)


@dataclass(frozen=True)
class Costs:
    """Of each part, for one frame or one reference at one timestep.

    Attributes:
        appearance_net: reads the reference.
        pose_embedding: of a pose map, once for all steps.
        pose_controlnet: the rest of it.
        unet: with bank and residuals, in a window of 16, without the motion module.
        unet_plain: the unconditional branch.
        motion_module: all temporal layers, in a window of 16.
        decode: latents to a picture.
        encode: a picture to latents.
    """

    appearance_net: Flops
    pose_embedding: Flops
    pose_controlnet: Flops
    unet: Flops
    unet_plain: Flops
    motion_module: Flops
    decode: Flops
    encode: Flops

    def of_video(
        self,
        frames: int,
        sampling: SamplingBlock,
        controls: Controls = PAPER,
        *,
        references: int = 1,
        overlap_share: float = 0.0,
    ) -> dict[str, Flops]:
        """The least that a video takes: nothing twice, and no result thrown away.

        Args:
            frames: how many.
            sampling: steps, and guidance in each: 1 is without the unconditional branch, 0 without the other.
            controls: a scale of 0 is without that condition's network.
            references: pictures of the person.
            overlap_share: frames that are in two windows, as a share of all.

        Returns:
            Operations by part.
        """
        steps = range(sampling.num_inference_steps)
        conditional = [step for step in steps if sampling.guidance_at(step) != 0]
        unconditional = sum(sampling.guidance_at(step) != 1 for step in steps)
        posed = sum(controls.pose_scale_at(step, len(steps)) != 0 for step in conditional)
        read = references if controls.appearance_scale else 0
        bank = (self.unet + self.unet_plain.times(-1)).times(read)
        plain = self.unet_plain + self.motion_module
        seen = frames * (1 + overlap_share)
        # with a motion module all frames go through a step together; without one, a stretch at a time
        readings = 1 if self.motion_module.total else -(-frames // STRETCH)
        return {
            "appearance net": self.appearance_net.times(read * len(conditional) * readings),
            "pose embedding": self.pose_embedding.times(frames if posed else 0),
            "pose ControlNet": self.pose_controlnet.times(posed * seen),
            "UNet": (plain + bank).times(len(conditional) * seen) + plain.times(unconditional * seen),
            "VAE": self.decode.times(frames) + self.encode.times(references),
        }


def count_costs(pipeline: MagicPosePipeline, width_px: int, height_px: int) -> Costs:
    """Count at a size; of a pipeline on torch's meta device, which holds shapes and no numbers, in a second or two.

    Args:
        pipeline: the model, with a pose ControlNet.
        width_px, height_px: of the pictures.
    """
    network, vae = pipeline.network, pipeline.vae
    rows, columns = height_px // pipeline.latent_factor, width_px // pipeline.latent_factor
    unet, controlnet = pipeline.unet, pipeline.pose_controlnet
    assert controlnet is not None, "a model that follows poses"
    new: dict[str, Any] = {"device": unet.device, "dtype": unet.dtype}
    tokens = 1 if pipeline.prompt_embeds is None else pipeline.prompt_embeds.shape[1]
    step = torch.zeros(1, dtype=torch.long, device=unet.device)
    text = torch.zeros(1, tokens, unet.config.cross_attention_dim, **new)
    latents = torch.zeros(1, 1, vae.config.latent_channels, rows, columns, **new)
    maps = torch.zeros(1, 3, height_px, width_px, **new)
    fold = fold_of(vae)
    folded = torch.zeros(1, vae.config.in_channels, height_px // fold, width_px // fold, **new)
    bank, appearance = _count(lambda: network.read_reference(latents[:, 0], step, text))
    embeds, embedding = _count(lambda: network.embed_pose(maps))
    window = 16  # the bank's keys and values are made once for all its frames
    clip = latents.expand(-1, window, -1, -1, -1)
    poses = embeds.expand(window, -1, -1, -1)[None]
    _, plain = _count(lambda: network(clip, step, text))
    _, bare = _count(lambda: unet(network.with_positions(latents[0]), step, text, return_dict=False))
    _, with_bank = _count(lambda: network(clip, step, text, bank))
    network.link.forget()  # or the next call finds keys and values made
    _, whole = _count(lambda: network(clip, step, text, bank, pose_embeds=poses))
    network.link.forget()
    _, encode = _count(lambda: vae.encode(folded.to(vae.dtype)))
    _, decode = _count(lambda: vae.decode(latents[0].to(vae.dtype)))
    motion = (plain.times(1 / window) + bare.times(-1)) if network.has_motion else Flops(0, 0)
    return Costs(
        appearance_net=appearance,
        pose_embedding=embedding,
        pose_controlnet=(whole + with_bank.times(-1)).times(1 / window),
        unet=with_bank.times(1 / window) + motion.times(-1),
        unet_plain=bare,
        motion_module=motion,
        decode=decode,
        encode=encode,
    )


@torch.no_grad()
def _count(call: Callable[[], Any]) -> tuple[Any, Flops]:
    counter = FlopCounterMode(display=False)
    with counter:
        result = call()
    by_operation = counter.get_flop_counts()["Global"]
    convolutions = sum(count for name, count in by_operation.items() if "convolution" in str(name))
    return result, Flops(float(convolutions), float(sum(by_operation.values()) - convolutions))
