"""Similarity transforms between point sets, and the head pose they give."""

import numpy as np

from .topology import MESH_POINT_COUNT, canonical_points

SURE = 0.3  # centimetres: a point that is uncertain by this much counts half


def fit_similarity(source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Rotation, uniform scale and shift that bring `source` closest to `target` in weighted least squares.

    source, target: (N, D) with D = 2 or 3; weights: (N,) non-negative. Returns a (D+1, D+1) homogeneous matrix.
    Source: Umeyama 1991.
    """
    dim = source.shape[1]
    w = np.ones(len(source)) if weights is None else np.asarray(weights, np.float64)
    w = w / w.sum()
    mean_s, mean_t = w @ source, w @ target
    s, t = source - mean_s, target - mean_t
    u, d, vt = np.linalg.svd((t * w[:, None]).T @ s)
    sign = np.ones(dim)
    sign[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * sign) @ vt
    scale = (d * sign).sum() / (w @ (s * s).sum(1))
    matrix = np.eye(dim + 1)
    matrix[:dim, :dim] = scale * rotation
    matrix[:dim, dim] = mean_t - scale * rotation @ mean_s
    return matrix


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply a (D+1, D+1) homogeneous matrix to (..., D) points."""
    dim = points.shape[-1]
    return points @ matrix[:dim, :dim].T + matrix[:dim, dim]


def head_pose(points: np.ndarray, visibility: np.ndarray | None = None) -> np.ndarray:
    """Head pose: the (4, 4) similarity from face coordinates (centimetres) to pixels, weak perspective.

    points: (478, 3) pixels, z on the scale of x; visibility: (478,) in [0, 1], points out of sight do not count.
    MediaPipe's own matrix assumes a camera that nobody measured; this one maps straight to the picture, can be
    fitted to the visible points alone, and interpolates with them.
    """
    weights = None if visibility is None else visibility[:MESH_POINT_COUNT]
    if weights is not None and weights.sum() < 6:
        weights = None
    return fit_similarity(canonical_points(), points[:MESH_POINT_COUNT].astype(np.float64), weights)


def certainty(points: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(478,) in (0, 1]: how much each point of a face is to be trusted, s^2 / (s^2 + deviation^2), s being SURE.

    points: (478, 3) pixels; deviation: (478,) pixels. 1 where the deviation is 0.
    """
    mesh, canonical = points[:MESH_POINT_COUNT].astype(np.float64), canonical_points()
    pixels = np.sqrt(((mesh - mesh.mean(0)) ** 2).sum() / ((canonical - canonical.mean(0)) ** 2).sum())
    sure = max(SURE * pixels, 1e-6) ** 2
    return sure / (sure + deviation.astype(np.float64) ** 2)


def pose_scale(pose: np.ndarray) -> float:
    """Pixels per centimetre of a head pose."""
    return float(np.cbrt(np.linalg.det(pose[:3, :3])))


def pose_angles(pose: np.ndarray) -> np.ndarray:
    """(yaw, pitch, roll) in degrees of one (4, 4) pose or a stack of them, as (..., 3).

    Zero is a frontal upright face; positive yaw turns the nose to the image's right, positive pitch looks down,
    positive roll tilts the head clockwise in the image.
    """
    matrix = pose[..., :3, :3]
    forward = -matrix[..., :, 2]  # out of the face, towards the camera when frontal
    right = matrix[..., :, 0]
    yaw = np.arctan2(forward[..., 0], -forward[..., 2])
    pitch = np.arctan2(forward[..., 1], np.hypot(forward[..., 0], forward[..., 2]))
    roll = np.arctan2(right[..., 1], right[..., 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1))
