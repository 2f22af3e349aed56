"""A placement moves pictures, pose maps and points in the same way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.media.pictures import Placement, load_picture, resize_picture

SIZES = st.integers(16, 300)
PLACEMENTS = st.builds(Placement, SIZES, SIZES, SIZES, SIZES, st.sampled_from(["crop", "pad"]))


def ramp(width_px: int, height_px: int) -> np.ndarray:
    """Red tells x, green tells y, as a share of the side."""
    x = (np.arange(width_px) + 0.5) / width_px * 255
    y = (np.arange(height_px) + 0.5) / height_px * 255
    picture = np.zeros((height_px, width_px, 3))
    picture[..., 0], picture[..., 1], picture[..., 2] = x[None, :], y[:, None], 255
    return np.round(picture).astype(np.uint8)


def test_the_reference_crop() -> None:
    placement = Placement.crop(604, 1080, 512, 512)
    assert placement.crop_box() == (0, 238, 604, 842)
    assert placement.maps_point(302, 540) == (256, 256)
    assert Placement.crop(1080, 604, 512, 512).crop_box() == (238, 0, 842, 604)


def test_the_reference_crop_to_the_pixel(shared_media: Path) -> None:
    golden = shared_media.parent / "fixtures" / "eval-golden"
    picture = load_picture(golden / "images" / "crop" / "input_60x108.png")
    expected = np.load(golden / "arrays.npz")["disco_eval_crop_32"]
    assert np.array_equal(Placement.crop(60, 108, 32, 32).apply(picture), expected)


def test_pad_bars_and_their_colour() -> None:
    placement = Placement.pad(100, 50, 64, 64)
    assert placement.inner_box() == (0, 16, 64, 48)
    placed = placement.apply(np.full((50, 100, 3), 200, np.uint8), border=(1, 2, 3))
    assert placed[15, 0].tolist() == placed[48, 63].tolist() == [1, 2, 3]
    assert (placed[16:48] == 200).all()
    assert (placement.unpad(placed) == 200).all()


@given(PLACEMENTS)
def test_boxes_lie_inside_and_in_the_middle(placement: Placement) -> None:
    for box, width_px, height_px in (
        (placement.crop_box(), placement.source_width_px, placement.source_height_px),
        (placement.inner_box(), placement.width_px, placement.height_px),
    ):
        left, top, right, bottom = box
        assert 0 <= left < right <= width_px and 0 <= top < bottom <= height_px
        assert 0 <= (width_px - right) - left <= 1 and 0 <= (height_px - bottom) - top <= 1
        assert (left, right) == (0, width_px) or (top, bottom) == (0, height_px), "no larger box would fit"


@given(PLACEMENTS)
def test_what_is_shown_keeps_its_aspect(placement: Placement) -> None:
    left, top, right, bottom = placement.crop_box()
    to_left, to_top, to_right, to_bottom = placement.inner_box()
    scale_x, scale_y = (to_right - to_left) / (right - left), (to_bottom - to_top) / (bottom - top)
    # each side is rounded to whole pixels in the source and in the result
    slack = 0.5 / min(right - left, bottom - top) + 0.5 / min(to_right - to_left, to_bottom - to_top)
    assert abs(scale_x / scale_y - 1) <= 2.5 * slack


@given(PLACEMENTS)
def test_points_lie_where_the_picture_shows_them(placement: Placement) -> None:
    placed = placement.apply(ramp(placement.source_width_px, placement.source_height_px))
    assert placed.shape == (placement.height_px, placement.width_px, 3)
    left, top, right, bottom = placement.crop_box()
    for share in (0.3, 0.5, 0.7):
        x_px, y_px = left + share * (right - left), top + share * (bottom - top)
        to_x_px, to_y_px = placement.maps_point(x_px, y_px)
        shown = placed[int(to_y_px), int(to_x_px)]
        # half a pixel of the coarser picture, and rounding
        to_left, to_top, to_right, to_bottom = placement.inner_box()
        step_x = max(1, (right - left) / (to_right - to_left)) / placement.source_width_px * 255
        step_y = max(1, (bottom - top) / (to_bottom - to_top)) / placement.source_height_px * 255
        assert abs(shown[0] - x_px / placement.source_width_px * 255) <= step_x + 1
        assert abs(shown[1] - y_px / placement.source_height_px * 255) <= step_y + 1
        assert shown[2] == 255


@given(PLACEMENTS)
def test_unpad_gives_back_what_is_no_bar(placement: Placement) -> None:
    placed = placement.apply(ramp(placement.source_width_px, placement.source_height_px))
    left, top, right, bottom = placement.inner_box()
    unpadded = placement.unpad(placed)
    assert unpadded.shape == (bottom - top, right - left, 3)
    assert (unpadded[..., 2] == 255).all(), "a bar is black"
    assert (placed[..., 2] == 255).sum() == unpadded[..., 2].size


@given(PLACEMENTS, st.floats(1.0, 4.0))
def test_a_map_at_another_resolution_stays_aligned(placement: Placement, scale: float) -> None:
    width_px, height_px = round(placement.source_width_px * scale), round(placement.source_height_px * scale)
    source = placement.apply(ramp(placement.source_width_px, placement.source_height_px))
    larger = placement.apply(ramp(width_px, height_px))
    inner = np.s_[
        placement.height_px // 4 : -placement.height_px // 4,
        placement.width_px // 4 : -placement.width_px // 4,
    ]
    tolerance = 255 / min(placement.source_width_px, placement.source_height_px) + 2
    assert np.abs(source[inner].astype(int) - larger[inner]).max() <= tolerance


def test_another_aspect_is_a_mistake() -> None:
    placement = Placement.crop(1080, 1920, 512, 512)
    for rounded_px in (1073, 1074):  # exact would be 1073.8: a side that was rounded is no mistake
        placement.apply(np.zeros((rounded_px, 604, 3), np.uint8))
    with pytest.raises(ValueError, match="aspect"):
        placement.apply(np.zeros((604, 604, 3), np.uint8))
    with pytest.raises(ValueError, match="expected 512 x 512"):
        placement.unpad(np.zeros((512, 511, 3), np.uint8))
    with pytest.raises(ValueError, match="at least 1 px"):
        dataclasses.replace(placement, width_px=0)


def test_a_strip_stays_a_strip() -> None:
    assert Placement.pad(1000, 3, 64, 64).inner_box() == (0, 31, 64, 32)
    assert Placement.crop(3, 1000, 640, 8).apply(np.zeros((1000, 3, 3), np.uint8)).shape == (8, 640, 3)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    picture = ramp(30, 20)
    assert resize_picture(picture, 30, 20) is picture
    assert np.array_equal(Placement.crop(30, 20, 30, 20).apply(picture), picture)
