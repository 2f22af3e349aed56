"""What a checkpoint holds: its kind, its networks, and a place for each of its tensors."""

from __future__ import annotations

from collections import Counter

from ...errors import ModelError
from . import names
from .parts import Part, controlnet_part, image_part, motion_part, text_part, unet_part, vae_part
from .reading import Checkpoint

CONTROL = "control_model."
"""A ControlNet's tensors in a file of its own; in a stage-1 file of MagicPose, the appearance net's."""
IMAGE = "cond_stage_model.model.visual."
"""OpenAI's CLIP, as SD Image Variations' original file has it."""

_DEAD = {
    "the noise schedule, which follows from its settings": names.SCHEDULE_BUFFERS,
    "averaged weights beside the weights themselves": ("model_ema.",),
    "the text half of an image encoder's CLIP": tuple(
        f"cond_stage_model.{name}"
        for name in (
            "model.transformer.",
            "model.token_embedding.",
            "model.positional_embedding",
            "model.ln_final.",
            "model.text_projection",
            "model.logit_scale",
            "mean",
            "std",
        )
    ),
}
"""What nothing uses of the tensors outside of the networks, and how their names begin."""

_DEAD_WITHIN = {
    "appearance_unet": "the appearance net's hint block",
    "vae": "the VAE's discriminator or averaged weights",
    "text_encoder": "position_ids, which count from 0",
    "motion_adapter": "second copies of position tables",
}


def kind_of(file: Checkpoint) -> str:
    """Tell what a checkpoint is by its tensors' names.

    Raises:
        ModelError: nothing that converts.
    """

    def has(beginning: str) -> bool:
        return any(name.startswith(beginning) for name in file.shapes)

    if has(names.APPEARANCE):
        return "magicpose"
    if has(CONTROL + "output_blocks."):
        return "magicpose stage 1"
    if has(names.UNET):
        return "stable diffusion"
    if any(name.endswith("zero_convs.0.0.weight") for name in file.shapes):
        return "controlnet"
    if any("motion_modules." in name for name in file.shapes):
        return "motion module"
    raise ModelError(
        expected=f"weights of MagicPose, Stable Diffusion 1, a ControlNet or AnimateDiff in {file.path.name}",
        found=", ".join(list(file.shapes)[:3]),
        remedy="Give another file; what is in diffusers' layout already needs no conversion.",
    )


def find_parts(file: Checkpoint, kind: str, heads: int, groups: int) -> dict[str, Part]:
    """Name the networks in a checkpoint of a known kind, in the order in which they are converted.

    Args:
        file: the checkpoint.
        kind: as `kind_of` tells it.
        heads, groups: attention heads and norm groups of the diffusion networks.

    Raises:
        ModelError: one that must be there is not.
    """
    if kind == "motion module":
        return {"motion_adapter": motion_part(file, heads, groups)}
    if kind == "controlnet":
        prefix = CONTROL if CONTROL + "zero_convs.0.0.weight" in file.shapes else ""
        return {"pose_controlnet": controlnet_part(file, prefix, heads, groups)}
    wanted = {"unet": names.UNET, "vae": names.VAE}
    if kind == "magicpose":
        wanted["pose_controlnet"] = names.POSE
    lacking = [name for name, prefix in wanted.items() if not any(n.startswith(prefix) for n in file.shapes)]
    if lacking:
        raise ModelError(
            expected=f"a whole checkpoint in {file.path.name}",
            found=f"no {' and no '.join(lacking)}",
            remedy="Give the file that has all networks.",
        )
    parts = {"unet": unet_part(file, names.UNET, heads, groups)}
    if kind.startswith("magicpose"):
        prefix = names.APPEARANCE if kind == "magicpose" else CONTROL
        parts["appearance_unet"] = unet_part(file, prefix, heads, groups, is_appearance=True)
        if kind == "magicpose":
            parts["pose_controlnet"] = controlnet_part(file, names.POSE, heads, groups)
    parts["vae"] = vae_part(file, names.VAE)
    if any(name.startswith(names.TEXT) for name in file.shapes):
        parts["text_encoder"] = text_part(file, names.TEXT)
    if any(name.startswith(IMAGE) for name in file.shapes):
        parts["image_encoder"] = image_part(file, IMAGE)
    return parts


def account_for(file: Checkpoint, parts: dict[str, Part]) -> dict[str, int]:
    """Give each tensor of a file a place: in a network, or among those that nothing uses, which are counted.

    Raises:
        ModelError: tensors missing, left over or of another shape; lists them.
    """
    faults = [fault for part in parts.values() for fault in part.faults()]
    dead: Counter[str] = Counter()
    for name in file.shapes:
        home = next(((p, part) for p, part in parts.items() if name.startswith(part.prefix)), None)
        why = next((why for why, beginnings in _DEAD.items() if name.startswith(beginnings)), None)
        if home is not None:
            if home[1].is_dead(name.removeprefix(home[1].prefix)):
                dead[_DEAD_WITHIN[home[0]]] += 1
        elif why is not None:
            dead[why] += 1
        else:
            faults.append(f"left over {name}")
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults)
        raise ModelError(
            expected=f"each tensor of {file.path.name} to have its place, and each place its tensor",
            found=f"{len(faults)} that do not",
            remedy=f"Give the file as it was released.\n{shown}",
        )
    return dict(dead)
