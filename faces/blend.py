"""Matching the filling to the frame: colour and light on the rim of the hole, carried smoothly into it."""

import cv2
import numpy as np

RING = 0.06  # width of the ring that is compared, by crop side
OUTLIER = 0.12  # colour difference, on [0, 1], beyond which hair or background rather than light is the cause


def ring_around(mask: np.ndarray, side_share: float = RING) -> np.ndarray:
    """(S, S) bool: the pixels around an (S, S) uint8 hole, a little away from it (its rim carries glare and halo)."""
    side = mask.shape[0]
    width = max(round(side_share * side), 3)
    gap = max(round(0.006 * side), 1)
    return (_dilate(mask, width + gap) > 0) & (_dilate(mask, gap) == 0)


def match_colours(filling: np.ndarray, frame: np.ndarray, ring: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Shift the filling's colours so that it continues the frame across the rim.

    filling, frame: (S, S, 3) float32 in [0, 1]. ring: (S, S) bool, where both are valid and are compared. kind:
    (S, S) uint8 of warp_mesh. Skin decides: differences on the ring outside the face mesh count little, and large
    ones, from hair or background, count less the larger they are. The correction is the membrane that spans the
    ring's differences (pull-push interpolation). Returns (S, S, 3) float32, clipped to [0, 1].
    """
    weight = np.where(kind == 2, 1.0, 0.1).astype(np.float32) * ring
    if weight.sum() < 8:
        return filling
    difference = frame - filling
    middle = _weighted_median(difference[ring], weight[ring])
    away = np.linalg.norm(difference - middle, axis=2) / OUTLIER
    weight = weight / (1 + away**4)
    return np.clip(filling + _pull_push(difference, weight), 0, 1)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    out = np.empty(values.shape[1], np.float32)
    for channel in range(values.shape[1]):
        order = np.argsort(values[:, channel])
        total = np.cumsum(weights[order])
        out[channel] = values[order[np.searchsorted(total, total[-1] / 2)], channel]
    return out


def _pull_push(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Spread weighted samples over the whole square, smoothly: (S, S, 3), (S, S) -> (S, S, 3)."""
    layers = [np.concatenate([values * weight[..., None], weight[..., None]], axis=2)]
    while min(layers[-1].shape[:2]) > 2:
        layers.append(cv2.pyrDown(layers[-1]))
    # The coarsest level is one robust mean, which also keeps empty regions from dividing by nothing.
    total = layers[-1].sum((0, 1))
    spread = np.full((*layers[-1].shape[:2], 3), total[:3] / max(total[3], 1e-6), np.float32)
    for layer in reversed(layers):
        if spread.shape[:2] != layer.shape[:2]:
            spread = cv2.resize(spread, layer.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        share = layer[..., 3:] / (layer[..., 3:] + 0.05)
        spread = share * layer[..., :3] / np.maximum(layer[..., 3:], 1e-6) + (1 - share) * spread
    return spread


def _dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask, kernel)
