"""Sizes, and what a crop cuts."""

from __future__ import annotations

import numpy as np
import pytest

from magicpose_cli.errors import OptionError
from magicpose_cli.jobs.fit import (
    choose_size,
    edge_colour,
    joints_cut,
    place,
    read_size,
    say_what_is_missing,
    say_what_leaves,
)
from magicpose_cli.pose.sequence import FramePose
from magicpose_cli.sampling import SamplingBlock

SQUARE = SamplingBlock(width_px=256, height_px=256, aspect="square")
FREE = SamplingBlock()


def test_auto_is_the_models_square_or_its_area_in_the_references_aspect():
    assert choose_size("auto", (604, 1080), SQUARE, 64) == (256, 256)
    width_px, height_px = choose_size("auto", (604, 1080), FREE, 64)
    assert (width_px, height_px) == (384, 704)
    assert width_px * height_px == pytest.approx(512 * 512, rel=0.1)
    assert choose_size("auto", (4000, 100), FREE, 64)[1] >= 64


def test_a_size_is_taken_as_given_or_refused_with_the_nearest():
    assert choose_size("512x768", (1, 1), FREE, 64) == (512, 768)
    with pytest.raises(OptionError, match="--size 512x768"):
        choose_size("500x770", (1, 1), FREE, 64)
    for wrong in ("512", "axb", "0x64", "64000x64", "-64x64"):
        with pytest.raises(OptionError):
            choose_size(wrong, (1, 1), FREE, 64)
    with pytest.raises(OptionError, match="512x768, or auto, found '512'"):
        choose_size("512", (1, 1), FREE, 64)
    with pytest.raises(OptionError, match="like 512x768, found 'auto'"):
        read_size("auto")


def test_a_crop_that_cuts_a_joint_is_seen_and_a_pad_cuts_none():
    pose = FramePose.empty()
    pose.body[0] = 50, 5, 1  # a nose near the top of a tall picture
    pose.body[1] = 50, 100, 1
    assert joints_cut(pose, place((100, 200), (64, 64), "crop")) == 1
    assert joints_cut(pose, place((100, 200), (64, 64), "pad")) == 0
    with pytest.raises(OptionError, match="crop or pad"):
        place((1, 1), (1, 1), "stretch")


def test_pad_bars_take_the_edges_colour():
    picture = np.full((20, 10, 3), (10, 200, 30), np.uint8)
    picture[5:15, 3:7] = 255
    assert edge_colour(picture) == (10, 200, 30)


def test_who_leaves_the_references_shape_is_counted(capsys):
    reference, driving = place((360, 640), (256, 256), "pad"), place((1280, 720), (256, 256), "pad")
    poses = []
    for x in (640, 900, 1100):
        poses.append(FramePose.empty())
        poses[-1].body[0] = x, 360, 1
    assert (
        say_what_leaves(poses, driving, reference) == 1
    )  # 1100 of 1280 is 220 of 256; the reference ends at 200
    assert "in 1 of 3 frames" in " ".join(capsys.readouterr().err.split())
    assert say_what_leaves(poses[:2], driving, reference) == 0
    assert not capsys.readouterr().err


def test_legs_that_only_the_reference_shows_are_said(capsys):
    reference, without, with_legs = FramePose.empty(), FramePose.empty(), FramePose.empty()
    reference.body[9] = with_legs.body[12] = 50, 190, 1
    without.body[1] = 50, 50, 1
    whole = place((100, 200), (64, 64), "pad")
    say_what_is_missing([without, without], reference, whole)
    assert "never shows the legs" in " ".join(capsys.readouterr().err.split())
    cropped = place((100, 200), (64, 64), "crop")  # cuts the reference's leg away, too
    for poses, shown, how in (
        ([without, with_legs], reference, whole),
        ([without], without, whole),
        ([without], reference, cropped),
    ):
        say_what_is_missing(poses, shown, how)
        assert not capsys.readouterr().err
