"""How a model samples unless told otherwise: the block in its ``model_index.json``, and its presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import OptionError, RecipeError

Positive = Annotated[int, Field(gt=0)]


class Strict(BaseModel):
    """Fields that are set once, and no others: a typo is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Solver = Literal["ddim", "dpm++", "unipc"]
"""diffusers' DDIM (the paper's), DPM-Solver++ of second order, or UniPC; each over the model's own noise schedule."""


class Preset(Strict):
    """A named way of sampling: what it does otherwise than the model's defaults."""

    num_inference_steps: Positive
    guidance_scale: float = Field(ge=0)
    solver: Solver = "ddim"
    guided: tuple[float, float] = (0.0, 1.0)
    """Part of the steps with guidance; in the others the conditional branch is alone, at half the cost."""


class SamplingBlock(Strict):
    """A model's own defaults for sampling, kept in its ``model_index.json``."""

    num_inference_steps: Positive = 50
    """Denoising steps."""
    guidance_scale: float = Field(default=7.0, ge=0)
    """Image-CFG (paper 5.2): 1 is the conditional branch alone."""
    solver: Solver = "ddim"
    """Takes the steps; the noise schedule is in the model's ``scheduler`` folder."""
    guided: tuple[float, float] = (0.0, 1.0)
    """As in `Preset`."""
    noise: Literal["shared", "independent"] = "shared"
    """Whether all frames start from one noise (the reference implementation) or each from its own."""
    reference: Literal["clean", "noised"] = "clean"
    """Whether the appearance net reads the reference as it is (the released model), or noised as the frames are."""
    details: Literal["made", "reference"] = "made"
    """Whether frames stay as the model made them, or take the reference's details where that agrees with them."""
    width_px: Positive = 512
    """Size the model was trained at."""
    height_px: Positive = 512
    """Size the model was trained at."""
    aspect: Literal["square", "reference"] = "reference"
    """What ``--size auto`` keeps: the trained square, or its area in the reference's aspect."""
    knows: str | None = None
    """What the model is limited to, for messages; None for any person."""
    presets: dict[str, Preset] = {}
    """Other ways of sampling by name."""

    def takes_details(self, asked: bool | None = None) -> bool:
        """Whether frames take the reference's details: as it is asked for, or as the model does."""
        return self.details == "reference" if asked is None else asked

    def guidance_at(self, step: int) -> float:
        """Strength of guidance in one step (0 first): 1, the conditional branch alone, outside of `guided`."""
        start, end = self.guided
        return self.guidance_scale if start <= step / self.num_inference_steps < end else 1.0

    def chosen(
        self,
        preset: str | None,
        steps: int | None,
        guidance: float | None,
        solver: Solver | None,
        guided: tuple[float, float] | None = None,
    ) -> SamplingBlock:
        """The block with a preset's values in place of its own, and those that are named in place of either.

        Raises:
            OptionError: the model has no such preset.
        """
        if preset is not None and preset not in self.presets:
            raise OptionError(
                expected=f"a preset of this model ({', '.join(self.presets) or 'it has none'})",
                found=f"--preset {preset}",
                remedy="Leave it out, or choose --steps, --guidance and --solver.",
            )
        named = {
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "solver": solver,
            "guided": guided,
        }
        given = {name: value for name, value in named.items() if value is not None}
        return self.model_copy(update={**(dict(self.presets[preset]) if preset else {}), **given})


Block = TypeVar("Block", bound=BaseModel)


def read_block(kind: type[Block], values: dict[str, Any], source: str) -> Block:
    """Check a dictionary against a block's fields.

    Raises:
        RecipeError: a misspelt, missing or impossible entry; names it and what was expected.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecipeError(
            expected=f"entries of a {kind.__name__} in {source}",
            found=f"{entry}: {first['msg']}",
            remedy="Correct that entry.",
        ) from None
