"""What single frames do not show: change over time inside the hole, and the visibility of the hole's edge."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from .image import hole_mean

RING = 2  # pixels to each side of the mask's contour
FLAT = 1e-4  # mean gradient, per pixel, below which the truth has no texture to compare a seam with


def temporal_error(result: Tensor, truth: Tensor, hole: Tensor) -> Tensor:
    """Error of the change from the frame before, in the hole, per frame (T,), in units of the [0, 1] range.

    Mean of |(result_t - result_t-1) - (truth_t - truth_t-1)| over the colour channels and over the pixels
    that lie in the hole at t or at t-1. The union, because flicker where the mask's edge moves is as
    visible as any other. A constant error costs nothing here, a flickering one does. NaN at the first frame
    and where both holes are empty.

    result, truth: (T,H,W,3) in [0, 1]. hole: (T,H,W) bool.
    """
    error = result - truth
    change = (error[1:] - error[:-1]).abs().mean(-1)
    return torch.cat([error.new_full((1,), torch.nan), hole_mean(change, hole[1:] | hole[:-1])])


def mask_ring(hole: np.ndarray, width: int = RING) -> np.ndarray:
    """Band (H,W bool) of the pixels within `width` px, along rows, columns or diagonals, of the contour of
    `hole` (H,W bool), on both its sides. The frame's own border is no contour.
    """
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    hole = hole.astype(np.uint8)
    return cv2.dilate(hole, kernel) != cv2.erode(hole, kernel)


def seam_ratio(result: Tensor, truth: Tensor, hole: Tensor) -> Tensor:
    """How much steeper the result is than the truth along the mask's contour, per frame (T,); 1: no visible
    seam.

    The mean gradient magnitude of the result over the ring of `mask_ring` divided by the truth's over the
    same ring. The gradient is that of `numpy.gradient` (central differences, one-sided at the frame's
    border), its magnitude taken for each colour channel and then averaged. Above 1: an edge shows; below 1:
    the transition is blurred. NaN where the hole has no contour (empty, or the whole frame) and where the
    truth's ring is flat.

    result, truth: (T,H,W,3) CPU frames in [0, 1]. hole: (T,H,W) bool.
    """
    ratios = torch.full((len(result),), torch.nan)
    for t in range(len(result)):
        ring = np.nonzero(mask_ring(hole[t].numpy()))
        if len(ring[0]):
            slope = _mean_gradient(truth[t].numpy(), *ring)
            if slope >= FLAT:
                ratios[t] = _mean_gradient(result[t].numpy(), *ring) / slope
    return ratios


def _mean_gradient(image: np.ndarray, y: np.ndarray, x: np.ndarray) -> float:
    """Mean gradient magnitude of `image` (H,W,3) at the pixels (y, x), and only there: they are few."""
    height, width = image.shape[:2]
    above, below = np.maximum(y - 1, 0), np.minimum(y + 1, height - 1)
    left, right = np.maximum(x - 1, 0), np.minimum(x + 1, width - 1)
    vertical = (image[below, x] - image[above, x]) / (below - above)[:, None]
    horizontal = (image[y, right] - image[y, left]) / (right - left)[:, None]
    return float(np.hypot(vertical, horizontal).mean())
