"""Numbers that other projects' code gave, and the deterministic weights that they were made with."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parents[2].parent / "shared" / "fixtures" / "eval-golden"


@cache
def golden() -> dict[str, Any]:
    if not GOLDEN.is_dir():
        pytest.skip("../shared/fixtures is not beside this checkout")
    return json.loads((GOLDEN / "golden.json").read_text())


@cache
def arrays(name: str = "arrays") -> dict[str, np.ndarray]:
    golden()
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def deterministic(state: Mapping[str, torch.Tensor], gain2: float = 1.0) -> dict[str, torch.Tensor]:
    """Weights for each entry of a network's state, from its name and shape alone (rule in the fixtures' README)."""
    weights = {}
    for name, initial in state.items():
        if not initial.is_floating_point():
            weights[name] = torch.zeros_like(initial)
            continue
        shape, last = tuple(initial.shape), name.rpartition(".")[2]
        g = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
        if last == "running_mean":
            value = 0.1 * g
        elif last == "running_var":
            value = 1 + 0.1 * np.abs(g)
        elif len(shape) >= 2:
            value = g * np.sqrt(gain2 / np.prod(shape[1:]))
        elif last == "weight":
            value = np.full(shape, 0.25) if bool((initial == 0.25).all()) else 1 + 0.1 * g
        else:
            value = 0.1 * g
        weights[name] = torch.from_numpy(np.asarray(value, np.float32))
    return weights


def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to fetch something fails the test."""

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError(f"tried to download: {arguments}")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("socket.create_connection", refuse)
