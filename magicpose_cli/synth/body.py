"""The body: anny's mesh and skeleton, shaped, posed and given a face.

anny (Apache-2.0, with MakeHuman's CC0 data) is asked for topology `anny-full`, the whole MakeHuman base mesh
with its helper geometry, which becomes clothes, skirt, hair, eyes and teeth. World axes are in metres: x to
the figure's left, y away from a camera in front of it, z up; the face looks toward -y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .. import console
from ..errors import MissingDependencyError

FACIAL_ACTIONS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawOpen", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthPucker",
    "mouthSmileLeft", "mouthSmileRight", "mouthUpperUpLeft", "mouthUpperUpRight",
)  # fmt: skip
"""The facial actions in use; anny's cache and the cost of a frame grow with each."""

SKIN, CLOTH, SKIRT, HAIR, EYE, TEETH, TONGUE = range(7)
"""What a triangle is a part of."""

_PART_OF_GROUP = {
    "body": SKIN,
    "helper-tights": CLOTH,
    "helper-skirt": SKIRT,
    "helper-hair": HAIR,
    "helper-l-eye": EYE,
    "helper-r-eye": EYE,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
}


@dataclass(frozen=True)
class PosedBody:
    """A body in f frames.

    Attributes:
        vertices: float32 (f vertices 3), metres.
        joints: float32 (f bones 3), where each bone begins.
        turns: float32 (f bones 3 3), each bone's rotation away from rest, in world axes.
    """

    vertices: np.ndarray
    joints: np.ndarray
    turns: np.ndarray


class BodyModel:
    """anny's mesh, its triangles by part and its bones by name; use `load_body`.

    Attributes:
        bones: names of the bones; index in this tuple = index in `PosedBody.joints`.
        canonical: float32 (vertices 3): the average adult at rest. Clothes and make-up are painted by
            this position, so one drawing fits every build and moves with the body.
        triangles: int32 (triangles 3), vertex indices.
        parts: uint8 (triangles,), SKIN, CLOTH, ...
    """

    def __init__(self) -> None:
        check_extra()
        import anny
        from anny.paths import get_anny_cache_path

        if not any(get_anny_cache_path().rglob("*.safetensors")):
            console.say(f"Preparing the body model once: a minute, and 1 GB in {get_anny_cache_path()}.")
        # torch's skinning is as fast here as the default, which would compile kernels and print to stdout
        self._anny = anny.Anny(
            topology="anny-full",
            facial_actions=list(FACIAL_ACTIONS),
            phenotypes="all",
            skinning_method="lbs",
        )
        self.bones: tuple[str, ...] = tuple(self._anny.bone_labels)
        self.triangles, self.parts = _read_triangles(Path(anny.__file__).parent)
        rest = np.tile(np.eye(3), (1, len(self.bones), 1, 1))
        average = self.pose({}, rest, {})
        self.canonical = average.vertices[0]
        self.canonical_joints = average.joints[0]

    def bone(self, name: str) -> int:
        """Index of a bone by its name."""
        return self.bones.index(name)

    def rest_joints(self, shape: Mapping[str, float]) -> np.ndarray:
        """Where the bones of a build begin at rest: float32 (bones 3), metres."""
        return self.pose(shape, np.tile(np.eye(3), (1, len(self.bones), 1, 1)), {}).joints[0]

    def pose(
        self, shape: Mapping[str, float], rotations: np.ndarray, face: Mapping[str, np.ndarray]
    ) -> PosedBody:
        """Pose a build in f frames.

        Args:
            shape: anny's phenotypes (gender, age, muscle, ...), each 0..1; absent ones are average.
            rotations: (f bones 3 3), each bone's turn relative to its parent, in axes that are aligned with
                the world at rest.
            face: facial actions by name, each (f,) in 0..1.

        Returns:
            The body, its root joint at the origin.
        """
        import torch

        f = len(rotations)
        parameters = np.tile(np.eye(4), (f, len(self.bones), 1, 1))
        parameters[:, :, :3, :3] = rotations
        with torch.no_grad():
            out = self._anny(
                pose_parameters=torch.from_numpy(parameters),
                phenotype_kwargs={
                    k: torch.full((f,), float(v), dtype=torch.float64) for k, v in shape.items()
                },
                facial_actions={k: torch.from_numpy(np.asarray(v, np.float64)) for k, v in face.items()},
            )
        poses, rest = out["bone_poses"].numpy(), out["rest_bone_poses"].numpy()
        turns = poses[:, :, :3, :3] @ rest[:, :, :3, :3].swapaxes(-1, -2)
        return PosedBody(
            out["vertices"].numpy().astype(np.float32),
            poses[:, :, :3, 3].astype(np.float32),
            turns.astype(np.float32),
        )


@lru_cache(maxsize=1)
def load_body() -> BodyModel:
    """The body model, loaded once a process (some seconds; the first time ever it fills anny's cache).

    Raises:
        MissingDependencyError: the `synth` extra is not installed.
    """
    return BodyModel()


def check_extra() -> None:
    """Raise a MissingDependencyError if the packages of the `synth` extra are not there."""
    missing = [name for name in ("anny", "numba") if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            expected="the packages of the synth extra",
            found=f"no {' and no '.join(missing)}",
            remedy="Install the synth extra: pip install -e '.[synth]' in magicpose's folder.",
        )


def _read_triangles(package: Path) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (t 3) int32 of the parts that are drawn and what each is a part of, (t,) uint8."""
    triangles: list[tuple[int, int, int]] = []
    parts: list[int] = []
    group = ""
    with (package / "data/mpfb2/3dobjs/base.obj").open() as file:
        for line in file:
            words = line.split()
            if words[:1] == ["g"]:
                group = words[1]
            elif words[:1] == ["f"] and group in _PART_OF_GROUP:
                corners = [int(word.split("/")[0]) - 1 for word in words[1:]]
                for i in range(1, len(corners) - 1):
                    triangles.append((corners[0], corners[i], corners[i + 1]))
                    parts.append(_PART_OF_GROUP[group])
    return np.array(triangles, np.int32), np.array(parts, np.uint8)
