"""The tiny model, and the reference implementation's golden numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.diffusion.pipeline import MagicPosePipeline

from ..tiny import make_tiny

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture
def tiny() -> MagicPosePipeline:
    return make_tiny()


@pytest.fixture
def tiny_motion() -> MagicPosePipeline:
    return make_tiny(motion=True)


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, torch.Tensor]]:
    """Inputs and outputs of the reference implementation at reduced width, and its weights."""
    folder = SHARED / "fixtures" / "official-mini"
    if not folder.is_dir():
        pytest.skip("the reference implementation's golden numbers (../shared/fixtures) are not here")
    from safetensors.torch import load_file

    read = {}
    for name in ("inputs", "outputs", "overlap_toy"):
        with np.load(folder / f"{name}.npz") as arrays:
            read[name] = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    read["weights"] = load_file(folder / "official_state_dict.safetensors")
    read["keys"] = json.loads((folder / "state_dict_keys.json").read_text())
    return read
