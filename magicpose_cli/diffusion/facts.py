"""What a model's folder says of it, without loading it, and whether it is whole.

Nothing here imports torch or diffusers, which take seconds: a wrong model is told at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from .. import console
from ..errors import ModelError, OptionError
from ..sampling import SamplingBlock, read_block

PROMPT_EMBEDS = "prompt_embeds.safetensors"
"""File of the empty prompt's embedding in a model's folder."""

PARTS = {
    "vae": ["diffusers", "AutoencoderKL"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "appearance_unet": ["diffusers", "UNet2DConditionModel"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "pose_controlnet": ["diffusers", "ControlNetModel"],
    "motion_adapter": ["diffusers", "MotionAdapter"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
}
"""Folder of each part, its library and its class."""

MOTION_FRAMES = 24
"""Most frames that a motion module made from nothing takes at once, as AnimateDiff v1's."""

OPTIONAL = ("pose_controlnet", "motion_adapter", "image_encoder")
"""Parts that a model may lack."""


def check_folder(folder: Path) -> dict[str, Any]:
    """See that a model's folder is whole, without loading it.

    Only the library's own classes are let through: a folder can name code of its own, which is never run.

    Returns:
        What is in its ``model_index.json``.

    Raises:
        ModelError: something is missing, damaged or of a foreign class; names it.
    """
    index = read_json(folder / "model_index.json", folder)
    for part, kind in PARTS.items():
        named = index.get(part)
        if part in OPTIONAL and named in (None, [None, None]):
            continue
        if named != kind:
            found = "none" if named is None else str(named)
            raise unfit(f"a {part} of {kind[0]}' class {kind[1]} in {folder}", found)
        if part == "scheduler":
            read_json(folder / part / "scheduler_config.json", folder)
        else:
            check_network(folder / part, folder)
    if (folder / PROMPT_EMBEDS).is_file():
        _check_header(folder / PROMPT_EMBEDS)
    return index


def check_network(part: Path, folder: Path) -> dict[str, Any]:
    """See that one network's settings and weights are there; gives its settings.

    Raises:
        ModelError: something is missing or damaged; names it, and the model's folder.
    """
    settings = read_json(part / "config.json", folder)
    weights = sorted(part.glob("*.safetensors"))
    if not weights:
        raise unfit(f"weights of each network in {folder}", f"no safetensors for {part.name}")
    for file in weights:
        _check_header(file)
    return settings


def read_json(path: Path, folder: Path) -> dict[str, Any]:
    """Settings in a model's folder.

    Raises:
        ModelError: there are none, or no JSON.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise unfit(f"a whole model in {folder}", f"{path.relative_to(folder)}: {error}") from None
    if not isinstance(value, dict):
        raise unfit(f"a whole model in {folder}", f"no settings in {path.relative_to(folder)}")
    return value


def _check_header(path: Path) -> None:
    """Open a safetensors file, which checks its header against its length."""
    try:
        with safe_open(path, framework="np"):
            pass
    except (OSError, SafetensorError) as error:
        raise unfit(f"weights in {path}", f"a file that cannot be used ({error})") from None


def unfit(expected: str, found: str) -> ModelError:
    """The error of a folder that is not whole."""
    remedy = "Install the model again, or give the path of a complete folder in diffusers layout."
    return ModelError(expected=expected, found=found, remedy=remedy)


@dataclass(frozen=True)
class Swaps:
    """Networks in place of a model's own, each a folder in diffusers' layout.

    Attributes:
        base_unet: an SD1.5-compatible UNet in place of the frozen one.
        motion_module: a MotionAdapter, for a model that has none or another.
    """

    base_unet: Path | None = None
    motion_module: Path | None = None


NO_SWAPS = Swaps()

_SAME = (
    "block_out_channels",
    "in_channels",
    "out_channels",
    "cross_attention_dim",
    "layers_per_block",
    "down_block_types",
)
"""Settings in which UNets agree that take each other's place."""

_SAME_OF_MOTION = {"block_out_channels": "block_out_channels", "motion_layers_per_block": "layers_per_block"}
"""Settings of a motion module that are its UNet's, and their names there."""


@dataclass(frozen=True)
class ModelFacts:
    """What a folder says of its model without loading it.

    Attributes:
        sampling: its defaults for sampling.
        size_multiple_px: what width and height must be multiples of.
        motion_frames: most frames that its motion module takes at once, or None without one.
        has_pose: whether it has a pose ControlNet.
        has_condition: whether it stores a prompt's embedding, or has an image encoder that makes one.
    """

    sampling: SamplingBlock
    size_multiple_px: int
    motion_frames: int | None
    has_pose: bool
    has_condition: bool

    @property
    def has_motion(self) -> bool:
        """Whether frames know of each other."""
        return self.motion_frames is not None


def read_facts(folder: Path, swaps: Swaps = NO_SWAPS) -> ModelFacts:
    """Look at a model's folder.

    Raises:
        ModelError: the folder is not whole, or a swap does not fit it.
        RecipeError: its sampling block has a wrong entry.
    """
    index = check_folder(folder)
    vae = _settings(folder / "vae", ("block_out_channels", "in_channels"))
    unet = _settings(folder / "unet", ("block_out_channels",))
    halvings = len(vae["block_out_channels"]) - 1 + len(unet["block_out_channels"]) - 1
    _check_swap(swaps.base_unet, "UNet2DConditionModel", folder / "unet", {key: key for key in _SAME})
    _check_swap(swaps.motion_module, "MotionAdapter", folder / "unet", _SAME_OF_MOTION)
    motion = swaps.motion_module
    if motion is None and has_part(index, "motion_adapter"):
        motion = folder / "motion_adapter"
    length = "motion_max_seq_length"
    return ModelFacts(
        read_block(SamplingBlock, index.get("sampling") or {}, f"{folder.name}/model_index.json"),
        math.isqrt(vae["in_channels"] // 3) * 2**halvings,
        None if motion is None else _settings(motion, (length,))[length],
        has_part(index, "pose_controlnet"),
        (folder / PROMPT_EMBEDS).is_file() or has_part(index, "image_encoder"),
    )


def _settings(part: Path, keys: Iterable[str]) -> dict[str, Any]:
    """A network's settings, with some among them.

    Raises:
        ModelError: one is not there.
    """
    settings = read_json(part / "config.json", part)
    for key in keys:
        if key not in settings:
            raise unfit(f"{key} in {part / 'config.json'}", "none")
    return settings


def check_model(folder: Path, facts: ModelFacts) -> None:
    """See that a model holds all that frames of given poses are made with.

    Raises:
        ModelError: it does not.
    """
    if not facts.has_pose:
        raise ModelError(
            expected=f"a model with a pose ControlNet in {folder}",
            found="one of the paper's first stage, which follows no pose",
            remedy="Convert a checkpoint of the second stage.",
        )
    if not facts.has_condition:
        raise ModelError(
            expected=f"the embedding of the empty prompt in {folder}",
            found="none",
            remedy="Convert the checkpoint again with --prompt-embeds.",
        )


def check_steps(folder: Path, sampling: SamplingBlock, *, are_seen: bool = True) -> None:
    """See that a model's noise schedule can be cut into so many steps; warns where they begin far from noise.

    With ``leading`` spacing timesteps are multiples of a whole number: a bad fit where steps are very few or many.

    Args:
        folder: the model's.
        sampling: with the number of steps.
        are_seen: False where nobody looks at what is made, so that there is nothing to warn of.

    Raises:
        OptionError: it cannot.
    """
    config = read_json(folder / "scheduler" / "scheduler_config.json", folder)
    total, steps = config.get("num_train_timesteps", 1000), sampling.num_inference_steps
    first, apart = total - 1, total // steps
    if config.get("timestep_spacing", "leading") == "leading":
        # as diffusers' DDIM places them, and as its solvers of higher order do
        parts = steps if sampling.solver == "ddim" else steps + 1
        apart = total // parts
        first = (parts - 1) * apart + config.get("steps_offset", 0)
    if not apart or first >= total:
        raise OptionError(
            expected=f"fewer steps of {sampling.solver} than this model's {total} timesteps",
            found=str(steps),
            remedy="Choose fewer with --steps.",
        )
    if are_seen and first < 0.75 * total:
        console.warn(
            f"{steps} steps begin at timestep {first} of this model's {total}, where noise counts as half a picture; "
            "another number (--steps) will look better."
        )
    if are_seen and sampling.solver == "ddim" and config.get("timestep_spacing") == "trailing":
        _warn_of_noise_left(steps, total, config.get("beta_start", 0.0) ** 0.5)


def _warn_of_noise_left(steps: int, total: int, first_noise: float) -> None:
    """Warn where diffusers' DDIM, which goes down by whole numbers of timesteps, ends one before the picture.

    Args:
        steps: of the sampler.
        total: timesteps of the schedule.
        first_noise: deviation of the noise at its first.
    """
    if round(total / steps) == total // steps or first_noise < _SEEN_NOISE:
        return
    near = sorted((n for n in range(1, total + 1) if total % n == 0), key=lambda n: abs(n - steps))[:2]
    console.warn(
        f"{steps} steps of ddim leave noise in this model's frames, since {total} timesteps do not part so; "
        f"{min(near)} and {max(near)} (--steps) do not."
    )


_SEEN_NOISE = 0.1
"""Deviation in latents; that of Stable Diffusion's first timestep is 0.03."""


def has_part(index: dict[str, Any], part: str) -> bool:
    """Whether a model has a part, by its ``model_index.json``."""
    return (index.get(part) or [None])[0] is not None


def _check_swap(swap: Path | None, class_name: str, own: Path, same: dict[str, str]) -> None:
    """See that another network has the class and the settings that the model's own UNet asks for."""
    if swap is None:
        return
    settings = check_network(swap, swap)
    if settings.get("_class_name") != class_name:
        raise ModelError(
            expected=f"a {class_name} in {swap}",
            found=str(settings.get("_class_name")),
            remedy="Convert one with magicpose models convert.",
        )
    unet = _settings(own, same.values())
    levels = len(unet["block_out_channels"])
    for key, of_unet in same.items():
        if _by_level(settings.get(key), levels) != _by_level(unet[of_unet], levels):
            raise ModelError(
                expected=f"a {class_name} with the model's {of_unet} of {unet[of_unet]}",
                found=f"{settings.get(key)} in {swap}",
                remedy="Use networks of one size.",
            )


def _by_level(value: Any, levels: int) -> list[Any]:
    """A setting of each level, which may stand once for all."""
    return value if isinstance(value, list) else [value] * levels
