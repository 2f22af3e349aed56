"""One clip's scene: a person, a dance, a camera, a light and a background, and the frames it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..pose.sequence import FramePose
from . import render
from .backdrop import Backdrop, draw_backdrop, draw_light
from .body import BodyModel
from .dance import Motion, draw_dance
from .keypoints import Skeleton
from .render import Camera, Light, Surface
from .wardrobe import Person, draw_person

FULL_BODY_SHARE = 0.4  # the rest is framed as TikTok dances are, head to hips or thighs


class Rendered(NamedTuple):
    """One frame: uint8 ``(H W 3)``, its exact pose, and where the dancer is, bool ``(H W)``."""

    picture: np.ndarray
    pose: FramePose
    dancer: np.ndarray


@dataclass(frozen=True)
class Scene:
    """All that a clip needs; `draw_scene` makes one."""

    body: BodyModel
    person: Person
    motion: Motion
    camera: Camera
    light: Light
    backdrop: Backdrop
    surface: Surface

    def frames(self, start: int, stop: int) -> Iterator[Rendered]:
        """Render frames start..stop-1, one after the other."""
        body, motion = self.body, self.motion
        posed = body.pose(
            self.person.shape,
            motion.rotations[start:stop],
            {name: curve[start:stop] for name, curve in motion.face.items()},
        )
        skeleton = _skeleton(body)
        feet = [body.bone(name) for name in ("foot.L", "foot.R", "toe1-1.L", "toe1-1.R")]
        for i in range(stop - start):
            root = motion.root_m[start + i]
            bare, joints = posed.vertices[i] + root, posed.joints[i] + root
            normals = render.vertex_normals(bare, body.triangles)
            dressed = bare + normals * self.person.puff_m[:, None]
            normals = render.vertex_normals(dressed, body.triangles)
            background = self.backdrop.shadowed(self.camera, joints[feet])
            picture, depth = render.draw(self.surface, dressed, normals, self.camera, self.light, background)
            turn = posed.turns[i, skeleton.head]
            pose = skeleton.pose(bare, joints, turn, self.camera, depth)
            yield Rendered(picture, pose, render.covered(depth))


def draw_scene(
    rng: np.random.Generator, body: BodyModel, frames: int, fps: Fraction, size_px: int, still: bool = False
) -> Scene:
    """Draw a scene at random.

    Args:
        rng: where all randomness comes from.
        body: the body model.
        frames: how many frames the clip has.
        fps: frames per second.
        size_px: side of the square picture.
        still: stand with hanging arms instead of dancing.
    """
    full_body = bool(rng.random() < FULL_BODY_SHARE)
    person = draw_person(rng, body)
    joints = body.rest_joints(person.shape)
    time_s = np.arange(frames) / float(fps)
    motion = draw_dance(rng, body, joints, time_s, full_body, still)
    camera = _draw_camera(rng, body, joints, motion, full_body, size_px)
    light = draw_light(rng)
    backdrop = draw_backdrop(rng, camera)
    surface = render.visible_surface(
        body.triangles, body.parts, body.canonical, person.look, _skeleton(body).face_lines(body)
    )
    return Scene(body, person, motion, camera, light, backdrop, surface)


@lru_cache(maxsize=2)
def _skeleton(body: BodyModel) -> Skeleton:
    return Skeleton(body)


def _draw_camera(
    rng: np.random.Generator,
    body: BodyModel,
    joints: np.ndarray,
    motion: Motion,
    full_body: bool,
    size_px: int,
) -> Camera:
    """A camera that holds the whole figure, or head to hips or thighs, for the whole clip."""
    root_z = joints[body.bone("root"), 2]
    standing = joints[:, 2] - root_z + motion.root_m[:, 2].mean()
    head, hip, knee = (standing[body.bone(n)] for n in ("head", "upperleg01.L", "lowerleg01.L"))
    crown = head + 0.22
    if full_body:
        top, low = crown + rng.uniform(0.08, 0.45), -rng.uniform(0.03, 0.2)
    else:
        top, low = crown + rng.uniform(0.05, 0.3), hip + rng.uniform(-0.6, 0.15) * (hip - knee)
    away_m = rng.uniform(2.0, 4.0) + (1.0 if full_body else 0.0)
    z_m = (top + low) / 2 + rng.normal(0, 0.05)
    # the frame's edges are where the world's top and bottom project at the dancer's distance
    focal_px = size_px * away_m / (top - low)
    shift = rng.normal(0, 0.05) * (top - low)
    return Camera(float(motion.root_m[:, 0].mean() + shift), -away_m, float(z_m), float(focal_px), size_px)
