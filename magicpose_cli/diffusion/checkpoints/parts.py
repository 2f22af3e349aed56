"""One network's way from a checkpoint to a diffusers module: its settings, what its file lacks, its weights.

A part is looked at by shapes alone, on torch's meta device, so that all that is wrong with a file is known before
a tensor is read. `Part.load` then maps the tensors from the disk and puts them in place, without a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, ControlNetModel, MotionAdapter, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_animatediff_checkpoint_to_diffusers,
    convert_controlnet_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from ...errors import ModelError
from . import names
from .reading import Checkpoint, Shapes
from .shapes import (
    controlnet_settings,
    image_encoder_settings,
    motion_settings,
    text_settings,
    unet_settings,
    vae_settings,
)

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Part:
    """A network in a checkpoint.

    Attributes:
        source: the file.
        prefix: what its tensors' names begin with there.
        skeleton: the module, on the meta device.
        rename: tensors by original name, without prefix, to tensors by the module's names.
        originals: the module's name of each tensor -> the original one, without prefix.
        dead: beginnings of names, without prefix, of tensors that nothing uses.
        absent: names of the module's tensors that a file of this kind never has, and that nothing uses.
    """

    source: Checkpoint
    prefix: str
    skeleton: nn.Module
    rename: Callable[[Tensors], Tensors]
    originals: dict[str, str]
    dead: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()

    @property
    def class_name(self) -> str:
        return type(self.skeleton).__name__

    def faults(self) -> list[str]:
        """What is missing, in excess or of another shape, each as ``missing NAME``, in the file's own names."""
        there = {n: s for n, s in self.source.under(self.prefix).items() if not self.is_dead(n)}
        wanted = {o for name, o in self.originals.items() if name not in self.absent}
        faults = [f"missing {self.prefix}{name}" for name in sorted(wanted - set(there))]
        faults += [
            f"left over {self.prefix}{name}" for name in sorted(set(there) - set(self.originals.values()))
        ]
        kinds = {name: self.source.dtypes[self.prefix + name] for name in there}
        faults += [
            f"{kind} in {self.prefix}{n}" for n, kind in sorted(kinds.items()) if not kind.is_floating_point
        ]
        if faults:
            return faults
        own = {name: tuple(t.shape) for name, t in self.skeleton.state_dict().items()}
        got = self.rename({name: torch.empty(shape, device="meta") for name, shape in there.items()})
        return [
            f"shape {tuple(got[name].shape)} instead of {own[name]} of {self.prefix}{self.originals[name]}"
            for name in sorted(own)
            if name in got and tuple(got[name].shape) != own[name]
        ]

    def is_dead(self, name: str) -> bool:
        """Whether a tensor, by original name without prefix, is one that nothing uses."""
        return name.startswith(self.dead) if self.dead else False

    def load(self, dtype: torch.dtype | None) -> nn.Module:
        """Give the module its weights, as they are in the file or in another number format."""
        there = self.source.tensors(self.prefix)
        ours = self.rename({name: t for name, t in there.items() if not self.is_dead(name)})
        like = next(iter(ours.values()))
        ours |= {name: _idle(name, self.skeleton.state_dict()[name].shape, like) for name in self.absent}
        if dtype is not None:
            ours = {name: t.to(dtype) if t.is_floating_point() else t for name, t in ours.items()}
        ours = {name: t.contiguous() for name, t in ours.items()}
        self.skeleton.load_state_dict(ours, strict=True, assign=True)
        return self.skeleton.eval().requires_grad_(False)


def _idle(name: str, shape: torch.Size, like: Tensor) -> Tensor:
    """Weights that let nothing through, for layers whose result is thrown away."""
    return like.new_ones(shape) if "norm" in name and name.endswith("weight") else like.new_zeros(shape)


def _skeleton(make: Any, settings: Callable[..., dict[str, Any]], shapes: Shapes, *given: int) -> Any:
    """A module on the meta device, of the settings that are read off its shapes in a file.

    Args:
        make: the module's class, or a function of its settings.
        settings: one of the functions of shapes.py.
        shapes, given: its arguments.

    Raises:
        ModelError: settings that cannot be read, or that the class cannot be.
    """
    try:
        with init_empty_weights(include_buffers=False):
            return make(**settings(shapes, *given))
    except ModelError:
        raise
    except Exception as error:  # constructors refuse odd sizes in ways of their own
        raise ModelError(
            expected=f"a network of Stable Diffusion 1's kind in {' under '.join(filter(None, shapes.place))}",
            found=f"shapes that make none ({str(error).splitlines()[0]})",
            remedy="Give the file as it was released.",
        ) from error


_OUT = frozenset({"conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight", "conv_out.bias"})


def unet_part(
    source: Checkpoint, prefix: str, heads: int, groups: int, *, is_appearance: bool = False
) -> Part:
    """A UNet in LDM's layout.

    Args:
        source, prefix: where it lies.
        heads, groups: attention heads and norm groups.
        is_appearance: it is the appearance net, whose file has no ``out`` layer and a hint block that nothing uses.
    """
    shapes = source.under(prefix)
    skeleton = _skeleton(UNet2DConditionModel, unet_settings, shapes, heads, groups)

    def rename(tensors: Tensors) -> Tensors:
        full = {names.UNET + name: t for name, t in tensors.items()}
        return convert_ldm_unet_checkpoint(full, skeleton.config)

    return Part(
        source,
        prefix,
        skeleton,
        rename,
        names.original_unet_names(skeleton),
        dead=("input_hint_block.",) if is_appearance else (),
        absent=_OUT if is_appearance and "out.2.weight" not in shapes else frozenset(),
    )


def controlnet_part(source: Checkpoint, prefix: str, heads: int, groups: int) -> Part:
    """A ControlNet in the layout of its authors."""
    skeleton = _skeleton(ControlNetModel, controlnet_settings, source.under(prefix), heads, groups)
    return Part(
        source,
        prefix,
        skeleton,
        lambda tensors: convert_controlnet_checkpoint(tensors, skeleton.config),
        names.original_unet_names(skeleton),
    )


def vae_part(source: Checkpoint, prefix: str) -> Part:
    """An autoencoder in LDM's layout; the discriminator that some files carry is of no use."""
    skeleton = _skeleton(AutoencoderKL, vae_settings, source.under(prefix))
    return Part(
        source,
        prefix,
        skeleton,
        lambda tensors: convert_ldm_vae_checkpoint(tensors, skeleton.config),
        names.original_vae_names(skeleton),
        dead=("loss.", "model_ema."),
    )


def text_part(source: Checkpoint, prefix: str) -> Part:
    """CLIP's text encoder in transformers 4's names."""
    skeleton = _skeleton(
        lambda **settings: CLIPTextModel(CLIPTextConfig(**settings)), text_settings, source.under(prefix)
    )
    return Part(
        source,
        prefix,
        skeleton,
        dict,
        {name: name for name in skeleton.state_dict()},
        dead=("embeddings.position_ids",),
    )


def image_part(source: Checkpoint, prefix: str) -> Part:
    """CLIP's image encoder in OpenAI's names (``visual.``), as SD Image Variations' original file has it."""
    skeleton = _skeleton(
        lambda **settings: CLIPVisionModelWithProjection(CLIPVisionConfig(**settings)),
        image_encoder_settings,
        source.under(prefix),
    )
    pairs = {name: names.openai_image_encoder_name(name) for name in skeleton.state_dict()}

    def rename(tensors: Tensors) -> Tensors:
        ours = {}
        for name, (original, third) in pairs.items():
            tensor = tensors[original]
            if third is not None:
                tensor = tensor.chunk(3)[third]
            ours[name] = tensor.T if original == "proj" else tensor
        return ours

    return Part(source, prefix, skeleton, rename, {name: original for name, (original, _) in pairs.items()})


def motion_part(source: Checkpoint, heads: int, groups: int) -> Part:
    """An AnimateDiff motion module: its authors' layout (v1, v2, v3, AnimateLCM) or diffusers'."""
    prefix = "module." if all(name.startswith("module.") for name in source.shapes) else ""
    there = source.under(prefix)
    is_original = any(".temporal_transformer." in name for name in there)
    shapes = Shapes({_motion_name(name): shape for name, shape in there.items()}, there.place)
    skeleton = _skeleton(MotionAdapter, motion_settings, shapes, heads, groups)
    tables = {name: t for name, t in skeleton.state_dict().items() if name.endswith("pos_embed.pe")}
    has_tables = not shapes.keys().isdisjoint(tables)
    named = [name for name in skeleton.state_dict() if has_tables or name not in tables]
    return Part(
        source,
        prefix,
        skeleton,
        # fixed sines: a file without tables gets the ones that its frames were counted with
        lambda tensors: {**tables, **{_motion_name(name): t for name, t in tensors.items()}},
        {name: names.original_motion_name(name) if is_original else name for name in named},
        dead=tuple(name for name in there if "attention_blocks.1.pos_encoder" in name),
    )


def _motion_name(original: str) -> str:
    """diffusers' name; its converter leaves out the position tables, which are kept here as they were trained with."""
    kept = original.replace("attention_blocks.0.pos_encoder.", "pos_embed.")
    kept = kept.replace("pos_encoder", "second_pos_embed")
    return next(iter(convert_animatediff_checkpoint_to_diffusers({kept: None})))
