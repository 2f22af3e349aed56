"""What a folder says of its model, and what is said where it says too little."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import MotionAdapter

from magicpose_cli.diffusion.facts import Swaps, read_facts
from magicpose_cli.diffusion.folder import load_model
from magicpose_cli.errors import ModelError

from ..tiny import make_tiny

SHAPE = {"motion_num_attention_heads": 2, "motion_norm_num_groups": 4, "use_motion_mid_block": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tiny(motion=True).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def _change(part: Path, **changes: object) -> None:
    """Set what a network's settings say; None takes it away."""
    settings = json.loads((part / "config.json").read_text()) | changes
    settings = {key: value for key, value in settings.items() if value is not None}
    (part / "config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("vae", "in_channels"),
        ("vae", "block_out_channels"),
        ("unet", "block_out_channels"),
        ("unet", "layers_per_block"),
        ("motion_adapter", "motion_max_seq_length"),
    ],
)
def test_a_setting_that_is_missing_is_named_with_its_file(folder, part, key):
    motion = folder / "motion_adapter" if part == "unet" else None
    _change(folder / part, **{key: None})
    with pytest.raises(ModelError, match=f"Expected {key} in .*{part}/config.json, found none"):
        read_facts(folder, Swaps(motion_module=motion))


def test_a_motion_module_of_other_layers_is_refused_before_anything_loads(folder, tmp_path):
    layers = {"block_out_channels": (16, 32), "motion_layers_per_block": 2}
    MotionAdapter(**SHAPE, **layers).save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match=r"layers_per_block of 1, found 2 in .*other"):
        read_facts(folder, Swaps(motion_module=tmp_path / "other"))
    one = folder / "motion_adapter"
    _change(one, motion_layers_per_block=[1, 1])
    assert read_facts(folder, Swaps(motion_module=one)).has_motion


def test_weights_that_do_not_fit_are_the_swaps_fault_and_not_the_models(folder, tmp_path):
    layers = {"block_out_channels": (32, 64), "motion_layers_per_block": 1}
    MotionAdapter(**SHAPE, **layers).save_pretrained(tmp_path / "other")
    _change(tmp_path / "other", block_out_channels=[16, 32])
    swaps = Swaps(motion_module=tmp_path / "other")
    assert read_facts(folder, swaps).has_motion
    with pytest.raises(ModelError, match=r"fit their settings in .*other, .* Convert it again"):
        load_model(folder, torch.device("cpu"), torch.float32, swaps)
