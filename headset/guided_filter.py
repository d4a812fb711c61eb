"""Guided filtering: a coarse map takes the edges of the picture that it belongs to (He, Sun and Tang 2010)."""

import cv2
import numpy as np

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # entries of a symmetric 3 x 3 matrix


def guided_coefficients(guide: np.ndarray, source: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """The local linear model that predicts `source` from the colours of `guide`: (H, W, 4) float32, (r, g, b, 1).

    guide: (H, W, 3) float32 in [0, 1]. source: (H, W) float32. radius: half the side of the square window, in pixels.
    epsilon: variance of colour below which a window counts as flat, where `source` is averaged instead.
    The model is smooth, so it may be enlarged and applied to the guide at full size (He and Sun 2015).
    """

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(x, -1, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    # Variances are differences of means; around the middle of the colours float32 has the digits for that.
    centre = guide.mean((0, 1))
    colour = cv2.split(guide - centre)
    colour_mean, source_mean = [mean(c) for c in colour], mean(source)
    variance = [mean(colour[i] * colour[j]) - colour_mean[i] * colour_mean[j] for i, j in _PAIRS]
    for i in (0, 3, 5):
        variance[i] += epsilon
    covariance = [mean(c * source) - m * source_mean for c, m in zip(colour, colour_mean, strict=True)]
    slope = _solve(variance, covariance)
    offset = source_mean - sum(s * (m + c) for s, m, c in zip(slope, colour_mean, centre, strict=True))
    return cv2.merge([mean(x) for x in (*slope, offset)])


def apply_coefficients(coefficients: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """(..., 4) coefficients and (..., 3) colours of the same pixels to the (...) filtered values."""
    return np.einsum("...c,...c->...", coefficients[..., :3], guide) + coefficients[..., 3]


def guided_filter(guide: np.ndarray, source: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """`source` with the edges of `guide`, (H, W) float32; arguments as in guided_coefficients."""
    return apply_coefficients(guided_coefficients(guide, source, radius, epsilon), guide)


def _solve(matrix: list[np.ndarray], vector: list[np.ndarray]) -> list[np.ndarray]:
    """Solve a symmetric 3 x 3 system in every pixel, by cofactors; entries (_PAIRS) and rows are (H, W) each."""
    a, b, c, d, e, f = matrix
    x, y, z = vector
    aa, bb, cc = d * f - e * e, c * e - b * f, b * e - c * d
    dd, ee, ff = a * f - c * c, b * c - a * e, a * d - b * b
    scale = 1 / (a * aa + b * bb + c * cc)
    return [(aa * x + bb * y + cc * z) * scale, (bb * x + dd * y + ee * z) * scale, (cc * x + ee * y + ff * z) * scale]
