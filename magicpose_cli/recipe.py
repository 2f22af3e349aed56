"""Recipes: what the paper or an experiment sets, read from TOML; a typo is an error."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .errors import RecipeError
from .sampling import Positive, SamplingBlock, Strict, read_block
from .weights import assets_dir

PositiveFloat = Annotated[float, Field(gt=0)]


class UNetShape(Strict):
    """Widths of the UNet; the appearance net and the pose ControlNet follow it."""

    block_out_channels: tuple[Positive, ...]
    layers_per_block: Positive = 2
    attention_head_dim: Positive = 32
    """Channels of one attention head."""
    attention: tuple[bool, ...] = ()
    """Whether each level has attention, finest first, and at least one has; empty: all but the coarsest."""
    cross_attention_dim: Positive = 32
    norm_num_groups: Positive = 16
    position_channels: Annotated[int, Field(ge=0, multiple_of=4)] = 0
    """Sine channels beside the latents; SD has none."""
    pose_embedding_channels: tuple[Positive, ...]
    """Widths of the ControlNet's conditioning embedding; one entry more than the VAE's halvings of the size."""
    motion_attention_heads: Positive = 4

    @model_validator(mode="after")
    def _has_attention(self) -> UNetShape:
        if self.attention and len(self.attention) != len(self.block_out_channels):
            raise ValueError("attention says yes or no once for each of block_out_channels")
        if not any(self.attention_by_level()):
            raise ValueError("a UNet without attention cannot read a reference")
        return self

    def attention_by_level(self) -> tuple[bool, ...]:
        """Whether each level has attention, finest first."""
        return self.attention or (True,) * (len(self.block_out_channels) - 1) + (False,)


class VaeShape(Strict):
    """Widths of the VAE; each entry after the first halves the size."""

    fold_px: Positive = 1
    """Squares of so many pixels are folded into channels first; SD's VAE folds none."""
    block_out_channels: tuple[Positive, ...]
    layers_per_block: Positive = 1
    latent_channels: Positive = 4
    norm_num_groups: Positive = 8


class Optimisation(Strict):
    """How one stage is optimised."""

    steps: Positive
    """Optimizer steps."""
    batch_size: Positive
    """References (clips for ``motion`` and ``distill``, pictures for ``vae`` and ``base``) in one optimizer step of all
    processes."""
    accumulate: Positive = 1
    """Forward passes that each process splits its share of a batch into: less memory, the same step."""
    gradient_checkpointing: bool = False
    """Compute hidden states again in the backward pass: less memory, a third more time."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """``muon``: Muon for what is a matrix, AdamW for the rest, at one learning rate."""
    learning_rate: PositiveFloat
    warmup_steps: int = Field(default=0, ge=0)
    schedule: Literal["constant_with_warmup", "cosine", "warmup_stable_decay"] = "constant_with_warmup"
    """``warmup_stable_decay``: one rate, which over the last `decay_share` of the steps, those of the warm-up left out,
    falls to 0 in a line."""
    decay_share: float = Field(default=0.5, gt=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: PositiveFloat = 1.0
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Running average of the trained weights that is saved; 0 saves the weights themselves."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    save_every: Positive = 1000
    """Optimizer steps between checkpoints."""
    keep_every: int = Field(default=0, ge=0)
    """Optimizer steps between models that stay, as ``model-<step>`` beside the last one; 0 keeps the last alone."""
    sample_every: Positive = 1000
    """Optimizer steps between grids of pictures, and values of the held-out loss."""


class VaeStage(Optimisation):
    """Pictures to latents and back: absolute and squared error, edges, and a little KL."""

    crop_px: Positive = 128
    kl_weight: float = Field(default=1e-6, ge=0)
    latent_noise: float = Field(default=0.0, ge=0)
    """Noise on the latents that the decoder gets, by their deviation: it learns to forgive a network's errors."""
    linear_start: bool = False
    """Start fresh weights as a principal component analysis of the clips' pictures."""
    outer_rate: PositiveFloat = 1.0
    """Share of the learning rate for the first convolution and the encoder's and the decoder's last: their inputs are
    many and alike, so that a step of Adam's moves their outputs far."""
    hand_weight: float = Field(default=0.0, ge=0)
    """Added to a pixel's weight at hands and joints."""
    face_weight: float = Field(default=0.0, ge=0)
    """Added to a pixel's weight at the face."""


class NetworkStage(Optimisation):
    """What the stages share that train the network in the VAE's latents."""

    pixel_weights: bool = False
    """A latent channel's error counts as much as the VAE's decoder makes of it in pixels; the paper counts all alike,
    which SD's four channels nearly are."""


class BaseStage(NetworkStage):
    """The UNet on single pictures, with neither reference nor pose: what SD brings and a small model lacks."""


class AppearanceStage(NetworkStage):
    """The appearance net, without a pose (paper 4.2, Eq. 4)."""

    train_unet: bool = False
    """Train the UNet too: for a model that has no SD to start from."""
    targets_per_reference: Positive = 1
    """Frames of the same video that share a reference, its bank and its timestep."""
    drop_conditions: float = Field(default=0.0, ge=0, lt=1)
    """Share of references trained without bank and pose, for guidance; only where the UNet trains."""

    @model_validator(mode="after")
    def _drops_what_trains(self) -> AppearanceStage:
        if self.drop_conditions and not self.train_unet:
            raise ValueError(
                "drop_conditions takes train_unet: without bank and pose nothing else is reached"
            )
        if self.drop_conditions and self.gradient_checkpointing:
            # hidden states would be computed again after the bank of the first part is gone
            raise ValueError(
                "drop_conditions and gradient_checkpointing do not go together; accumulate saves memory"
            )
        return self


class PoseStage(AppearanceStage):
    """Appearance net and pose ControlNet together (paper 4.3, Eq. 5)."""

    controlnet_alone: bool = False
    """Train the ControlNet alone, and show no reference: what the paper's ablation starts from (5.4)."""
    mask_face: float = Field(default=0.0, ge=0, lt=1)
    """Share of references whose targets' pose maps have no face points, as where a detector finds none (paper 5.4)."""
    mask_hand: float = Field(default=0.0, ge=0, lt=1)
    """The same of each hand by itself."""
    hand_weight: float = Field(default=0.0, ge=0)
    """Added to a latent's weight at hands and joints; the paper has none."""
    face_weight: float = Field(default=0.0, ge=0)
    """Added to a latent's weight at the face; the paper has none."""


class MotionStage(NetworkStage):
    """The motion module on clips of consecutive frames (paper appendix C)."""

    frames: Positive = 16


class DistillStage(NetworkStage):
    """A student that samples in few steps without guidance (progressive distillation; not in the paper)."""

    frames: Positive = 4
    """Of a clip, which share a reference and a timestep; consecutive where the model has a motion module."""
    student_steps: Positive = 4
    """Denoising steps that the student will take; they divide the schedule's timesteps."""
    teacher_steps: Positive = 24
    """Steps of DDIM that the teacher takes from noise to picture: as many in each of the student's."""
    guidance_scale: float | None = Field(default=None, ge=0)
    """The teacher's, in each of its steps, which the student learns to do without; None is the recipe's for sampling.
    Of a teacher that is a student itself it is 1."""

    @model_validator(mode="after")
    def _parts_evenly(self) -> DistillStage:
        if self.teacher_steps % self.student_steps:
            raise ValueError("teacher_steps is a multiple of student_steps")
        return self


class Schedule(Strict):
    """The noise schedule (a diffusers DDIMScheduler)."""

    num_train_timesteps: Positive = 1000
    beta_start: PositiveFloat = 0.00085
    beta_end: PositiveFloat = 0.012
    beta_schedule: Literal["scaled_linear", "linear"] = "scaled_linear"
    prediction_type: Literal["epsilon", "v_prediction", "sample"] = "epsilon"
    rescale_betas_zero_snr: bool = False
    timestep_spacing: Literal["leading", "trailing"] = "leading"
    steps_offset: int = 1
    set_alpha_to_one: bool = False
    clip_sample: bool = False

    @model_validator(mode="after")
    def _leaves_numbers(self) -> Schedule:
        """What is left of the picture at the last timestep is a product of many factors: in fp32 it may vanish."""
        last = self.num_train_timesteps - 1
        root = 2 if self.beta_schedule == "scaled_linear" else 1
        first, final = self.beta_start ** (1 / root), self.beta_end ** (1 / root)
        betas = [(first + (final - first) * i / max(last, 1)) ** root for i in range(last + 1)]
        if not all(beta < 1 for beta in betas) or math.prod(1 - beta for beta in betas) < _SMALLEST_FP32:
            raise ValueError("so much noise that no number is left of the picture: lower the betas")
        return self


_SMALLEST_FP32 = 1.2e-38


class Data(Strict):
    """How videos become clips."""

    fps: PositiveFloat = 8.0
    """Frames a second that are taken out of a video: every fourth of 30, as AnimateDiff was trained."""
    crop: Literal["random", "centre"] = "random"
    """Where pictures taller than the model's height are cut: as the paper says (5.1), or as its code does."""


class Recipe(Strict):
    """Everything that makes a model: its shape, its stages, its sampling defaults."""

    schedule: Schedule = Schedule()
    sampling: SamplingBlock = SamplingBlock()
    data: Data = Data()
    unet: UNetShape | None = None
    """Shape of a model made from nothing; None where every stage starts from a model that is there."""
    vae_shape: VaeShape | None = None
    vae: VaeStage | None = None
    base: BaseStage | None = None
    appearance: AppearanceStage | None = None
    pose: PoseStage | None = None
    motion: MotionStage | None = None
    distill: DistillStage | None = None

    @model_validator(mode="after")
    def _distils_over_its_schedule(self) -> Recipe:
        if self.distill is None:
            return self
        total = self.schedule.num_train_timesteps
        if total % self.distill.student_steps or self.distill.teacher_steps > total:
            raise ValueError(
                f"student_steps of [distill] divides the schedule's {total} timesteps, and teacher_steps is no more"
            )
        if self.schedule.rescale_betas_zero_snr and self.schedule.prediction_type == "epsilon":
            raise ValueError(
                "[distill] takes no prediction of noise where there is nothing but noise (zero SNR)"
            )
        if self.schedule.clip_sample:
            raise ValueError("[distill] takes a schedule without clip_sample")
        return self

    def shapes(self) -> tuple[UNetShape, VaeShape]:
        """The shapes of a model made from nothing.

        Raises:
            RecipeError: the recipe has none: its models start from others.
        """
        if self.unet is None or self.vae_shape is None:
            raise RecipeError(
                expected="a recipe with [unet] and [vae_shape], to make a model from nothing",
                found="none in this one",
                remedy="Give --init: the networks to start from.",
            )
        return self.unet, self.vae_shape

    def stages(self) -> dict[str, Optimisation]:
        """The stages that the recipe has, in the order in which they follow each other."""
        blocks = {name: getattr(self, name) for name in STAGES}
        return {name: block for name, block in blocks.items() if block is not None}


STAGES = ("vae", "base", "appearance", "pose", "motion", "distill")
"""All stages there are, in their order."""


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe from TOML.

    Args:
        path: the file.
        changes: entries that take the place of the file's, as ``pose.steps=5000``.

    Raises:
        RecipeError: not there, not TOML, or with a wrong entry.
    """
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(
            expected=f"a recipe in TOML at {path}", found=str(error), remedy="Give the path of a recipe."
        ) from None
    for change in changes:
        _set(values, change)
    return read_block(Recipe, values, " and --set ".join([str(path), *changes]))


def _set(values: dict[str, Any], change: str) -> None:
    """Put an entry into a recipe's tables: a value of TOML, or a word without its quotes."""
    name, sign, text = change.partition("=")
    *tables, entry = name.strip().split(".")
    if not sign or not tables or not all([*tables, entry]):
        raise RecipeError(
            expected="an entry of a recipe and its value, as --set pose.steps=5000",
            found=repr(change),
            remedy="Correct it.",
        )
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise RecipeError(
                expected=f"a table {table} in the recipe",
                found=f"a value, for --set {change}",
                remedy="Correct it.",
            )
    try:
        values[entry] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[entry] = text.strip()


def find_recipe(recipe: str) -> Path:
    """A recipe's path from its name or path.

    Raises:
        RecipeError: neither is there.
    """
    named = assets_dir() / "recipes" / f"{recipe}.toml"
    path = named if named.is_file() else Path(recipe)
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in named.parent.glob("*.toml")))
        raise RecipeError(
            expected="a recipe's name or file",
            found=f"{recipe!r}",
            remedy=f"Shipped recipes: {names}; or give the path of a TOML file.",
        )
    return path
