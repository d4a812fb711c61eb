"""Piecewise affine warp of a face mesh: every pixel of the target takes the colour of the same skin in the source."""

from functools import lru_cache

import cv2
import numpy as np

from .geometry import FACE_OVAL, MESH_POINT_COUNT, mesh_triangles, transform

RINGS = (1.18, 1.45, 2.2)  # the face oval enlarged by these factors carries hair, ears and temples along


@lru_cache(maxsize=1)
def extended_triangles() -> np.ndarray:
    """(F, 3) triangles of the mesh plus RINGS around it. Ring k's points follow the 468 of the mesh, 36 a ring."""
    count = len(FACE_OVAL)
    inner = np.array(FACE_OVAL)
    parts = [mesh_triangles()]
    for ring in range(len(RINGS)):
        outer = MESH_POINT_COUNT + ring * count + np.arange(count)
        a, b, c, d = inner, np.roll(inner, -1), outer, np.roll(outer, -1)
        parts += [np.stack([a, b, c], 1), np.stack([b, d, c], 1)]
        inner = outer
    return np.concatenate(parts).astype(np.int32)


def extend_points(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Add the rings to a mesh. points: (>=468, 3) pixels, pose: its head pose. Returns (468 + 36 * rings, 3)."""
    mesh = points[:MESH_POINT_COUNT]
    oval = mesh[list(FACE_OVAL)]
    centre = transform(pose, np.array([0.0, 0.0, 0.0]))
    back = pose[:3, 2]  # one centimetre away from the camera; the head curves back behind the oval
    rings = [centre + k * (oval - centre) + (k - 1) * 4.0 * back for k in RINGS]
    return np.concatenate([mesh, *rings])


def warp_mesh(
    image: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    region: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the source's face at the target's shape, inside `region` only.

    image: (H, W, 3) picture of the source. source, target: extended meshes, (M, 3) pixels of image and target.
    region: (S, S) bool, the pixels wanted. Returns the (S, S, 3) picture in the image's type (0 outside), and an
    (S, S) uint8 map: 0 nothing there, 1 ring, 2 face mesh.
    """
    warped = np.zeros((*region.shape, 3), image.dtype)
    kind = np.zeros(region.shape, np.uint8)
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    if not len(rows):
        return warped, kind
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    local = target - (columns[0], rows[0], 0)
    triangles = extended_triangles()
    index = _triangle_map(local, triangles, region[window])
    affine = _affine_maps(local[:, :2], source[:, :2], triangles, np.unique(index[index > 0]) - 1)
    # One more row, all zero, for index 0: pixels without a triangle read the picture's corner and are cleared below.
    a = np.concatenate([np.zeros((1, 6)), affine.reshape(-1, 6)]).astype(np.float32).T
    y, x = np.ogrid[: index.shape[0], : index.shape[1]]
    x, y = x.astype(np.float32), y.astype(np.float32)
    map_x = a[0][index] * x + a[1][index] * y + a[2][index]
    map_y = a[3][index] * x + a[4][index] * y + a[5][index]
    pixels = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    pixels[index == 0] = 0
    warped[window] = pixels
    kind[window] = np.where(index == 0, 0, np.where(index <= len(mesh_triangles()), 2, 1))
    return warped, kind


def _triangle_map(points: np.ndarray, triangles: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(H, W) int32: number of the nearest triangle over each pixel of `region`, from 1; 0 where none lies."""
    corners = points[triangles]
    height, width = region.shape
    index = np.zeros(region.shape, np.int32)
    low, high = corners[:, :, :2].min(1), corners[:, :, :2].max(1)
    near = (high >= -1).all(1) & (low[:, 0] <= width) & (low[:, 1] <= height)
    # A mesh folded over at the far cheek: paint from the back to the front, rings first.
    is_mesh = np.arange(len(triangles)) < len(mesh_triangles())
    order = np.lexsort((-corners[:, :, 2].mean(1), is_mesh))
    fixed = np.round(corners[:, :, :2] * 16).astype(np.int32)
    for i in order[near[order]]:
        cv2.fillConvexPoly(index, fixed[i], int(i) + 1, cv2.LINE_8, 4)
    index[~region] = 0
    return index


def _affine_maps(source: np.ndarray, target: np.ndarray, triangles: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(F, 2, 3) affine maps that take each used triangle of `source` onto that of `target`; others stay zero."""
    maps = np.zeros((len(triangles), 2, 3))
    s, t = source[triangles[used]], target[triangles[used]]
    homogeneous = np.concatenate([s, np.ones((*s.shape[:2], 1))], axis=2)
    flat = np.abs(np.linalg.det(homogeneous)) < 1e-9
    homogeneous[flat] += np.eye(3) * 1e-3  # a triangle seen edge-on: any map will do for its one line of pixels
    maps[used] = np.linalg.solve(homogeneous, t).transpose(0, 2, 1)
    return maps
