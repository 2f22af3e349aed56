"""Frames take the reference's details where they agree with it, and stay as they were made elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.diffusion.details import ReferenceDetails
from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.pose.opencv import load_cv2


def textured(side: int = 128, seed: int = 0) -> np.ndarray:
    """Soft shapes under a fine texture of a few grey levels."""
    draw, cv2 = np.random.default_rng(seed), load_cv2()
    shapes = cv2.GaussianBlur(draw.normal(0, 1, (side, side, 3)).astype(np.float32), (0, 0), 8)
    fine = draw.normal(0, 6, (side, side, 3))
    return (128 + 40 * shapes / shapes.std() + fine).round().clip(0, 255).astype(np.uint8)


def blurred(picture: np.ndarray, deviation_px: float = 1.2) -> np.ndarray:
    return load_cv2().GaussianBlur(picture, (0, 0), deviation_px)


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_a_blurred_background_gets_its_own_pixels_back() -> None:
    reference = textured()
    found = ReferenceDetails(reference)(blurred(reference))
    assert found.dtype == np.uint8 and found.shape == reference.shape
    assert error(found, reference) < 0.2 * error(blurred(reference), reference)


def test_what_has_moved_gets_its_details_where_it_is() -> None:
    reference = textured(160)
    moved = np.roll(reference, (5, -7), axis=(0, 1))
    found, made = ReferenceDetails(reference)(blurred(moved)), blurred(moved)
    inside = (slice(16, -16), slice(16, -16))
    assert error(found[inside], moved[inside]) < 0.5 * error(made[inside], moved[inside])


def test_what_differs_is_left() -> None:
    reference = textured()
    made = blurred(reference)
    made[40:80, 40:80] = (250, 10, 10)  # an arm before the wall
    found = ReferenceDetails(reference)(made)
    assert np.array_equal(found[48:72, 48:72], made[48:72, 48:72])
    assert error(found[:, 100:], reference[:, 100:]) < 0.3 * error(made[:, 100:], reference[:, 100:])


def test_nothing_comes_from_beyond_the_pictures_edge() -> None:
    reference, shift = textured(160), 12
    moved = np.concatenate([textured(160, seed=5)[:, :shift], reference[:, :-shift]], axis=1)
    made = blurred(moved)
    found = ReferenceDetails(reference)(made)
    assert error(found[16:-16, : shift - 4], moved[16:-16, : shift - 4]) <= 1.05 * error(
        made[16:-16, : shift - 4], moved[16:-16, : shift - 4]
    )
    assert error(found[16:-16, 20:-16], moved[16:-16, 20:-16]) < 0.5 * error(
        made[16:-16, 20:-16], moved[16:-16, 20:-16]
    )


@given(st.integers(0, 2**32 - 1), st.sampled_from([(8, 8), (12, 64), (32, 32), (40, 24)]))
def test_any_frame_of_any_size_gives_one(seed: int, shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(seed)
    reference, made = draw.integers(0, 256, (2, *shape, 3), np.uint8)
    finish = ReferenceDetails(reference)
    assert finish(made).shape == made.shape
    assert np.array_equal(finish(reference), reference)  # nothing to add


@pytest.mark.parametrize("own", ["made", "reference"])
def test_the_models_way_is_taken_unless_told(tiny: MagicPosePipeline, own: str) -> None:
    def frames(**options: bool) -> np.ndarray:
        draw = np.random.default_rng(0)
        reference, *maps = draw.integers(0, 256, (3, 32, 32, 3), np.uint8)
        return np.stack(list(tiny(reference, np.stack(maps), **options)))

    tiny.sampling = tiny.sampling.model_copy(update={"details": own})
    draw = np.random.default_rng(0)
    finish = ReferenceDetails(draw.integers(0, 256, (3, 32, 32, 3), np.uint8)[0])
    made, detailed = frames(reference_details=False), frames(reference_details=True)
    assert np.array_equal(detailed, np.stack([finish(frame) for frame in made]))
    assert np.array_equal(frames(), detailed if own == "reference" else made)
