"""One body model and a handful of scenes for all tests of the room: loading anny takes some seconds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("anny", reason="the synth extra is not installed")
pytest.importorskip("numba", reason="the synth extra is not installed")

from magicpose_cli.synth.body import BodyModel, load_body
from magicpose_cli.synth.scene import Scene, draw_scene


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="session")
def scenes(body: BodyModel) -> list[Scene]:
    """Fifteen dancers, two frames each half a second apart, at 384 px."""
    return [draw_scene(np.random.default_rng([77, i]), body, 2, Fraction(2), 384) for i in range(15)]


@pytest.fixture(scope="session")
def renders(scenes: list[Scene]) -> list:
    """Their frames: (scene, picture uint8 (384 384 3), FramePose)."""
    return [(scene, frame.picture, frame.pose) for scene in scenes for frame in scene.frames(0, 2)]
