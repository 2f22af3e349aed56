"""The metrics that need a network: those whose weights are at hand, and why the others are not computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingDependencyError
from ..media.files import sha256_of
from .clips import Numbered
from .faces import FaceNetwork
from .metric_weights import find_weights, weights_of
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    import torch

OF_FRAMES_ALONE = ("fid", "fid_clean", "fid_effnet_lite0")
"""Distances of frames, whatever video they belong to; the others are of clips."""

SMALLEST_SAMPLE = 2  # frames or clips on each side: one has no covariance
OfFrames = Callable[[np.ndarray, np.ndarray], float]
OfVideos = Callable[[Iterable[Numbered]], np.ndarray]


@dataclass
class Networks:
    """What `load_networks` found.

    Attributes:
        of_frames: by key, computes a pair of frames, uint8 ``(H W 3)``; LPIPS's two keys come together.
        of_videos: by key, features ``(n d)`` of a side's videos; the metric is the Frechet distance of two sides'.
            FID's two keys come together.
        of_faces: tell faces apart, for `face_cos` and dlib's two keys.
        missing: why a metric is not computed, by key.
        weights: path and sha256 of each file that was read, by its name.
    """

    of_frames: dict[str, OfFrames] = field(default_factory=dict)
    of_videos: dict[str, OfVideos] = field(default_factory=dict)
    of_faces: list[FaceNetwork] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    weights: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def face_keys(self) -> list[str]:
        """The metrics of `of_faces`."""
        return [key for network in self.of_faces for key in network.compare]

    def sha256_of(self, key: str) -> str:
        """Of the weights that a metric's network was loaded from."""
        return self.weights[weights_of(key).name]["sha256"]


def load_networks(
    keys: Iterable[str],
    weights_dir: Path | None = None,
    watch: Stopwatch | None = None,
    device: torch.device | str = "cpu",
) -> Networks:
    """Load the networks of some metrics.

    Args:
        keys: of those metrics that `metrics.METRICS` says need weights.
        weights_dir: where their weights are looked for, before torch's own place.
        watch: runs whenever one of them does.
        device: where to compute; dlib's network stays on the CPU.

    Raises:
        ModelError: a file that is not what its name says.
    """
    found, watch = Networks(), watch or Stopwatch()
    for key in keys:
        path, reason = find_weights(key, weights_dir)
        if path is None:
            found.missing[key] = reason
            continue
        try:
            _load(key, path, found, watch, device)
        except MissingDependencyError as error:
            found.missing[key] = str(error)
            continue
        if path.name not in found.weights:
            digest = weights_of(key).sha256 or sha256_of(path)
            found.weights[path.name] = {"path": str(path), "sha256": digest}
    return found


def too_few(samples: tuple[int, int], key: str) -> str:
    """Why there is no distance of so many samples on each side; empty where there is one."""
    if min(samples) >= SMALLEST_SAMPLE:
        return ""
    what = "frames" if key in OF_FRAMES_ALONE else "clips of 16 consecutive frames"
    return f"it needs {SMALLEST_SAMPLE} {what} on each side, there are {samples[0]} and {samples[1]}."


def _load(key: str, path: Path, found: Networks, watch: Stopwatch, device: torch.device | str) -> None:
    from . import inception, perceptual, video_features

    if key in ("lpips", "lpips_disco"):
        if not found.of_frames:  # both have one network
            network = perceptual.load_lpips(path, device)
            watch.attach(network)
            found.of_frames["lpips_disco"] = partial(perceptual.lpips_disco, network)
            found.of_frames["lpips"] = partial(perceptual.lpips, network)
    elif key in ("face_cos", "face_cos_all"):
        from .adaface import face_network, load_adaface

        if key not in found.face_keys:  # both have one network
            adaface = load_adaface(path, device=device)
            watch.attach(adaface)
            found.of_faces.append(face_network(adaface))
    elif key in ("face_dist_dlib", "face_match_dlib"):
        from .dlib_faces import load_dlib

        if key not in found.face_keys:  # both have one network
            found.of_faces.append(load_dlib(path, watch))
    elif key == "fid_effnet_lite0":
        from .effnet import effnet_features, load_effnet

        effnet = load_effnet(path, device)
        watch.attach(effnet)
        found.of_videos[key] = lambda videos: effnet_features(effnet, _frames(videos))
    elif key in ("fid", "fid_clean"):
        if key not in found.of_videos:  # both have one network
            network = inception.load_inception(path, device)
            watch.attach(network)
            clean = inception.clean_inception(network)
            found.of_videos["fid"] = lambda videos: inception.inception_features(network, _frames(videos))
            found.of_videos["fid_clean"] = lambda videos: inception.clean_inception_features(
                clean, _frames(videos)
            )
    else:
        load = {"fid_vid": video_features.load_resnet, "fvd": video_features.load_i3d}[key]
        video_network = load(path, device)
        watch.attach(video_network.network)
        found.of_videos[key] = partial(video_features.video_features, video_network)


def _frames(videos: Iterable[Numbered]) -> Iterator[np.ndarray]:
    return (frame for video in videos for _, frame in video)
