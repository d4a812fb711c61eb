"""How far apart two sets of pictures or clips are as sets: the Frechet distance of what a network says of them."""

from __future__ import annotations

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance of two Gaussians with the means and sample covariances of two sets of vectors.

    |mean a - mean b|^2 + tr A + tr B - 2 tr (AB)^1/2 (Dowson and Landau 1982; Heusel et al. 2017). Where A = X'X and
    B = Y'Y, the last trace is the sum of the singular values of XY'. So no root of a matrix is taken, which elsewhere
    goes wrong when there are fewer vectors than dimensions and the covariances are singular.

    a, b: (N, D) and (M, D), two vectors or more. Fewer than D + 1 vectors span only a part of the space: then the
    distance is biased and compares nothing but systems measured on the same clips.
    """
    x, y = (_root_of_covariance(np.asarray(vectors, np.float64)) for vectors in (a, b))
    shift = np.mean(a, 0, np.float64) - np.mean(b, 0, np.float64)
    overlap = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return max(float(shift @ shift + np.square(x).sum() + np.square(y).sum() - 2 * overlap), 0.0)


def _root_of_covariance(vectors: np.ndarray) -> np.ndarray:
    """X, (at most D, D), with X'X the sample covariance of (N, D) vectors."""
    centred = (vectors - vectors.mean(0)) / np.sqrt(len(vectors) - 1)
    return np.linalg.qr(centred, mode="r") if len(vectors) > vectors.shape[1] else centred
