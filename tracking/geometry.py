"""The face in space: the 478-point MediaPipe topology and its canonical shape, similarities, and the head pose.

Face coordinates used throughout: x to the image's right, y down, z away from the camera, in centimetres, origin in the
middle of the head, that is, the axes of an upright frontal face in an image.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

POINT_COUNT = 478
MESH_POINT_COUNT = 468  # the last ten points are the irises, which belong to no triangle

# Outline of the face, clockwise from the middle of the forehead.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

# What stays in sight below a headset and moves little with speech: mouth corners, nose base, jaw, chin.
BELOW_HEADSET = (
    61, 291, 2, 97, 326, 98, 327, 129, 358, 164, 152, 148, 377, 176, 400, 150, 379, 172, 397, 58, 288, 132, 361,
)  # fmt: skip

# Lids and brows: what every headset hides.
EYES_AND_BROWS = (
    33, 133, 159, 145, 158, 153, 160, 144, 70, 63, 105, 66, 107, 55, 65, 52,
    263, 362, 386, 374, 385, 380, 387, 373, 300, 293, 334, 296, 336, 285, 295, 282,
)  # fmt: skip

# (upper lid, lower lid) pairs and (outer corner, inner corner) of each eye, for the eye aspect ratio.
EYE_LIDS = {
    "right": (((159, 145), (158, 153), (160, 144)), (33, 133)),
    "left": (((386, 374), (385, 380), (387, 373)), (263, 362)),
}
LIDS = tuple(point for lids, corners in EYE_LIDS.values() for pair in (*lids, corners) for point in pair)


@lru_cache(maxsize=1)
def _canonical() -> tuple[np.ndarray, np.ndarray]:
    with np.load(Path(__file__).with_name("canonical_face.npz")) as data:
        points = data["points"].astype(np.float64) * (1.0, -1.0, -1.0)  # the file has y up and z to the camera
        return points, data["triangles"].astype(np.int32)


def canonical_points() -> np.ndarray:
    """(468, 3) mean face in centimetres, face coordinates (MediaPipe's canonical face model)."""
    return _canonical()[0]


def mesh_triangles() -> np.ndarray:
    """(898, 3) point indices; together they cover the face without holes (eyes and mouth are closed)."""
    return _canonical()[1]


@lru_cache(maxsize=1)
def mirrored_points() -> np.ndarray:
    """(478,) which point of the mesh is where point i is in a mirror."""
    points = canonical_points()
    distance = np.linalg.norm(points[:, None] * (-1, 1, 1) - points[None], axis=2)
    # The irises run: centre, right, top, left, bottom, for one eye and then the other.
    return np.concatenate([distance.argmin(1), [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]])


@lru_cache(maxsize=1)
def rigidity() -> np.ndarray:
    """(468,) weight of each point in a rigid fit: 1 on bone, little on lips, chin and cheeks, which speech moves."""
    x, y, _ = canonical_points().T
    mouth = np.hypot(x / 3.5, (y - 4.0) / 2.6)
    return np.clip(mouth - 0.6, 0.05, 1.0) * np.where(y > 6.5, 0.2, 1.0)


def eye_openness(points: np.ndarray) -> np.ndarray:
    """Eye aspect ratio, the mean of both eyes: lid distance by eye width, about 0.3 open and under 0.15 shut.

    points: (..., 478, 2 or 3) in pixels. Returns (...). Source: Soukupova and Cech 2016, equation 1.
    """
    xy = points[..., :2]
    ratios = []
    for lids, (outer, inner) in EYE_LIDS.values():
        width = np.linalg.norm(xy[..., outer, :] - xy[..., inner, :], axis=-1)
        height = np.mean([np.linalg.norm(xy[..., a, :] - xy[..., b, :], axis=-1) for a, b in lids], axis=0)
        ratios.append(height / np.maximum(width, 1e-6))
    return np.mean(ratios, axis=0)


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Distance of the outer eye corners in the picture plane, in pixels. points: (..., 478, 2 or 3)."""
    return np.linalg.norm(points[..., 33, :2] - points[..., 263, :2], axis=-1)


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
