"""Frame against frame: L1, PSNR and SSIM, as published (`*_disco`) and as they should be.

Both frames are uint8 (H W 3), RGB, of one size. The published ones are what the metric file of DisCo
(CVPR 2024), as MagicPose ships it, computes; its numbers can be compared with the papers' tables, and
with nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pose.opencv import load_cv2
from .extra import from_eval_extra

PSNR_OF_EQUAL_FRAMES_DB = 100.0  # DisCo's constant where the error is zero
SMALLEST_SIDE_PX = 11  # the Gaussian window of `ssim`


def l1(generated: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute difference, 0..255, lower is better."""
    return float(np.abs(generated.astype(np.int16) - truth).mean(dtype=np.float64))


def l1_disco(generated: np.ndarray, truth: np.ndarray) -> float:
    """`l1` divided by the number of pixels, as published: so a larger picture has a lower value.

    Multiply a paper's value by its H x W (256 x 256 in DisCo, 512 x 512 in MagicPose) to compare.
    """
    return l1(generated, truth) / (truth.shape[0] * truth.shape[1])


def psnr(generated: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio of the RGB frame in dB, higher is better; 100 for equal frames."""
    difference = generated.astype(np.float64) - truth
    return _decibel(float(np.mean(difference**2)))


def psnr_disco(generated: np.ndarray, truth: np.ndarray) -> float:
    """PSNR as published: differences and their squares wrap at 256, since they were taken in uint8.

    Right where all differences are below 16; beyond that it tends to 28 to 31 dB whatever the frames
    hold (a constant difference of 16 scores 100).
    """
    difference = generated - truth  # wraps: uint8
    return _decibel(float(np.mean(difference * difference, dtype=np.float64)))


def ssim(generated: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity, -1..1, higher is better: RGB, Gaussian window (Wang et al., 2004).

    Raises:
        MissingDependencyError: scikit-image is not installed.
    """
    return float(
        _structural_similarity()(
            generated,
            truth,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
    )


def ssim_disco(generated: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity as published, -1..1: grey, 7x7 uniform window, sample covariance.

    Raises:
        MissingDependencyError: scikit-image is not installed, or OpenCV cannot be loaded.
    """
    cv2 = load_cv2()
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (generated, truth)]
    return float(_structural_similarity()(*grey, data_range=255))


def resized_like(generated: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The generated frame in the size of the true one, as the protocol does it: OpenCV, bilinear, uint8."""
    height_px, width_px = truth.shape[:2]
    if generated.shape[:2] == (height_px, width_px):
        return generated
    cv2 = load_cv2()
    return cv2.resize(generated, (width_px, height_px), interpolation=cv2.INTER_LINEAR)


def check_dependencies() -> None:
    """Raise MissingDependencyError now rather than at the first frame."""
    load_cv2()
    _structural_similarity()


def _structural_similarity() -> Any:
    with from_eval_extra("scikit-image", "SSIM"):
        from skimage.metrics import structural_similarity
    return structural_similarity


def _decibel(mean_squared_error: float) -> float:
    if mean_squared_error == 0:
        return PSNR_OF_EQUAL_FRAMES_DB
    return float(20 * np.log10(255 / np.sqrt(mean_squared_error)))
