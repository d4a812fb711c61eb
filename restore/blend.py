"""Matching the filling to the frame: colour and light on the rim of the hole, carried smoothly into it."""

import cv2
import numpy as np

RING = 0.06  # width of the ring that is compared, by crop side
WORKING_SIDE = 192  # pixels
FEWEST = 8  # pixels of the ring below which it says nothing
OUTLIER = 0.12  # colour difference, on [0, 1], beyond which hair or background rather than light is the cause


def match_colours(filling: np.ndarray, frame: np.ndarray, hole: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Shift the filling's colours so that it continues the frame across the rim.

    filling, frame: (S, S, 3) float32 in [0, 1]. hole: (S, S) uint8. kind: (S, S) uint8 of warp_mesh; a ring around the
    hole is compared where it is not 0. The correction is the membrane that spans the ring's differences (pull-push
    interpolation), one for the face mesh and one for what surrounds it: a wall of another colour must not stain the
    skin. On the mesh, differences far from the median, from hair that lies differently, count less the larger they
    are. Around it the second one holds for pixels that look like the ring near them, wall by wall; others, such as
    ears and hair before a wall, get the first. Being smooth, the correction is computed at WORKING_SIDE. Returns
    (S, S, 3) float32, clipped to [0, 1].
    """
    side = hole.shape[0]
    small = (min(side, WORKING_SIDE),) * 2
    solid = (kind > 0) & (hole == 0)
    share = cv2.resize(solid.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    difference = cv2.resize((frame - filling) * solid[..., None], small, interpolation=cv2.INTER_AREA)
    difference /= np.maximum(share, 1e-6)[..., None]
    face = cv2.resize((kind == 2).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    ring = ring_around((cv2.resize(hole.astype(np.float32), small, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8))
    ring &= share > 0.5
    on_face, around = ring * face, ring * (1 - face)
    if on_face.sum() < FEWEST:
        on_face = around
    if around.sum() < FEWEST:
        around = on_face
    if on_face.sum() < FEWEST:
        return filling
    chosen = on_face > 0
    middle = _weighted_median(difference[chosen], on_face[chosen])
    away = np.linalg.norm(difference - middle, axis=2) / OUTLIER
    inner, outer = _pull_push(difference, on_face / (1 + away**4)), _pull_push(difference, around)
    colours = cv2.resize(filling, small, interpolation=cv2.INTER_AREA)
    unlike = ((colours - _pull_push(colours, around)) ** 2).sum(2) / OUTLIER**2
    surround = (1 - cv2.GaussianBlur(face, (0, 0), 0.02 * small[0])) * np.exp(-unlike / 2)
    correction = inner + surround[..., None] * (outer - inner)
    return np.clip(filling + cv2.resize(correction, (side, side), interpolation=cv2.INTER_LINEAR), 0, 1)


def ring_around(hole: np.ndarray) -> np.ndarray:
    """(S, S) bool: the pixels around an (S, S) uint8 hole, a little away from it (its rim carries glare and halo)."""
    side = hole.shape[0]
    width, gap = max(round(RING * side), 3), max(round(0.006 * side), 1)
    return (_dilate(hole, width + gap) > 0) & (_dilate(hole, gap) == 0)


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
