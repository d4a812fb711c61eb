"""The 478-point MediaPipe face: its canonical shape in centimetres, its triangles, and named groups of points.

Face coordinates used throughout: x to the image's right, y down, z away from the camera, in centimetres,
origin in the middle of the head, that is, the axes of an upright frontal face in an image.
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
