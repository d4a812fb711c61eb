"""What is coarse in a person's pictures, as it is on average: a frame's own shadows, gaze and lids are its alone.

Put under another day's light, the average of many frames is nearer to the truth than any one of them; but it is
blurred. So only what is coarse is averaged, and what is fine, which makes a face sharp, stays that of one picture (two
bands, as Burt and Adelson 1983 mix pictures).
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from .pose import head_pose, pose_angles
from .reference import Reference
from .warp import extend_points, warp_mesh

COARSE = 0.05  # of the face: standard deviation of what divides coarse from fine
LIKE_POSE = 10.0  # degrees of yaw or pitch at which a frame still counts for three fifths
OUTLIER = 0.03  # difference, on [0, 1], from which a pixel counts less when light is compared
MESH = 2  # warp_mesh's value for the face


def mean_shading(reference: Reference, frames: Sequence[np.ndarray], points: np.ndarray) -> Reference:
    """The reference with what is coarse in its faces taken from the mean of many frames, in each picture's own light.

    frames: N arrays (H, W, 3) uint8 of the same person; points: (N, 478, 3) pixels. Outside the face nothing changes.
    """
    shapes = [extend_points(p.astype(np.float64), head_pose(p)) for p in points]
    angles = np.stack([pose_angles(head_pose(p)) for p in points])[:, :2]
    images = tuple(
        _shaded(image, own, angle[:2], frames, shapes, angles)
        for image, own, angle in zip(reference.images, reference.points, reference.angles, strict=True)
    )
    return replace(reference, images=images)


def _shaded(
    image: np.ndarray,
    points: np.ndarray,
    angle: np.ndarray,
    frames: Sequence[np.ndarray],
    shapes: Sequence[np.ndarray],
    angles: np.ndarray,
) -> np.ndarray:
    own = extend_points(points.astype(np.float64), head_pose(points))
    everywhere = np.ones(image.shape[:2], bool)
    total, weight, face = np.zeros(image.shape, np.float32), 1e-9, None
    for frame, shape, other in zip(frames, shapes, angles, strict=True):
        warped, kind = warp_mesh(frame, shape, own, everywhere)
        counts = float(np.exp(-0.5 * ((other - angle) ** 2).sum() / LIKE_POSE**2))
        total += counts * warped
        weight += counts
        face = kind == MESH
    picture = image.astype(np.float32) / 255
    mean = _in_light_of(picture, total / (255 * weight), face)
    sigma = COARSE * np.sqrt(face.sum())
    inward = cv2.distanceTransform(face.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    share = np.clip(inward / sigma, 0, 1)[..., None]
    shaded = picture + share * (_coarse(mean, face, sigma) - _coarse(picture, face, sigma))
    return np.round(255 * np.clip(shaded, 0, 1)).astype(np.uint8)


def _in_light_of(picture: np.ndarray, other: np.ndarray, face: np.ndarray) -> np.ndarray:
    """The other (H, W, 3) with contrast and brightness of each colour fitted to the picture's, in the face."""
    lit = np.empty_like(other)
    for colour in range(3):
        x, y = other[face, colour], picture[face, colour]
        weight, line = np.ones_like(x), (1.0, 0.0)
        for _ in range(3):
            line = np.polyfit(x, y, 1, w=weight)
            weight = np.sqrt(np.minimum(OUTLIER / np.maximum(np.abs(np.polyval(line, x) - y), 1e-6), 1))
        lit[..., colour] = np.polyval(line, other[..., colour])
    return lit


def _coarse(picture: np.ndarray, face: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred within the face, of which the surroundings are no part."""
    inside = face.astype(np.float32)[..., None]
    blurred, counted = (cv2.GaussianBlur(x, (0, 0), sigma) for x in (picture * inside, inside))
    return blurred / np.maximum(counted[..., None], 1e-6)
