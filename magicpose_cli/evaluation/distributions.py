"""How far two sets of features are from each other: the Frechet distance of the Gaussians that fit them.

FID, FID-VID and FVD are this distance over the features of three networks.
"""

from __future__ import annotations

import numpy as np

from ..errors import InputError

SMALLEST_COUNT = 2  # of samples: one has no covariance


def frechet_distance(generated: np.ndarray, truth: np.ndarray) -> float:
    """Frechet distance, 0 and up, lower is better (Heusel et al., 2017, Eq. 6).

        |m1 - m2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2)

    with means m and covariances S over n - 1. With centred features X the last trace is the sum of the
    singular values of X1 X2^T / sqrt((n1 - 1)(n2 - 1)), so no matrix root is taken: exact for fewer
    samples than dimensions as well, where the usual root is noise or fails.

    Args:
        generated, truth: features ``(n d)``, one row a sample; n may differ. Computed in float64.

    Raises:
        InputError: fewer than two samples on a side, or features that are no numbers.
        ValueError: not two matrices of one width.
    """
    if generated.ndim != 2 or truth.ndim != 2 or generated.shape[1] != truth.shape[1]:
        raise ValueError(f"expected features (n d) of one width, got {generated.shape} and {truth.shape}")
    our_mean, our_root = _mean_and_root(generated)
    their_mean, their_root = _mean_and_root(truth)
    cross = np.linalg.svd(our_root @ their_root.T, compute_uv=False).sum()
    between_means = float(np.sum((our_mean - their_mean) ** 2))
    distance = between_means + np.sum(our_root**2) + np.sum(their_root**2) - 2 * cross
    return max(float(distance), 0.0)  # rounding leaves about -1e-14 for equal sets


def _mean_and_root(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean ``(d)``, and a matrix R ``(min(n, d) d)`` with R^T R the covariance."""
    if len(features) < SMALLEST_COUNT:
        raise InputError(
            expected=f"at least {SMALLEST_COUNT} samples on each side, for a Frechet distance",
            found=f"{len(features)}",
            remedy="Compare more frames, or longer videos.",
        )
    if not np.isfinite(features).all():
        raise InputError(
            expected="features that are numbers",
            found="NaN or infinity",
            remedy="Check the weights of the network, and compute in fp32.",
        )
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    # QR keeps X1 X2^T's singular values: they are those of R1 R2^T, which is small for any n
    return mean, np.linalg.qr(values - mean, mode="r") / np.sqrt(len(values) - 1)
