"""The tiny model, and the reference implementation's golden numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from magicpose_cli.cli import app
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
def converted(golden, tmp_path_factory) -> Path:
    """The reference's checkpoint, converted by the command."""
    folder = tmp_path_factory.mktemp("converted") / "model"
    done = CliRunner().invoke(app, ["models", "convert", str(golden["path"]), "-o", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def reference_model(converted) -> MagicPosePipeline:
    """What a user gets of it."""
    return MagicPosePipeline.from_pretrained(converted)


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Inputs and outputs of the reference implementation at reduced width, its weights and their file."""
    folder = SHARED / "fixtures" / "official-mini"
    if not folder.is_dir():
        pytest.skip("the reference implementation's golden numbers (../shared/fixtures) are not here")
    from safetensors.torch import load_file

    read = {"path": folder / "official_state_dict.safetensors"}
    for name in ("inputs", "outputs", "outputs_groups16", "overlap_toy"):
        with np.load(folder / f"{name}.npz") as arrays:
            read[name] = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    read["weights"] = load_file(folder / "official_state_dict.safetensors")
    read["keys"] = json.loads((folder / "state_dict_keys.json").read_text())
    silent = json.loads((folder / "appearance_params_without_gradient.json").read_text())
    read["without_gradient"] = silent["appearance_params_without_gradient"]
    return read
