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


def triangle_map(target: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(H, W) int32: number of the nearest triangle over each pixel of `region`, from 1; 0 where none lies.

    target: (M, 3) points of an extended mesh in the pixels of the picture that is wanted. region: (H, W) bool.
    """
    index = np.zeros(region.shape, np.int32)
    x, y, width, height = cv2.boundingRect(region.view(np.uint8))
    if not width:
        return index
    window = index[y : y + height, x : x + width]
    corners = target[:, :2][extended_triangles()] - (x, y)
    low, high = corners.min(1), corners.max(1)
    near = (high >= -1).all(1) & (low[:, 0] <= width) & (low[:, 1] <= height)
    order = painting_order(target)
    fixed = np.round(corners * 16).astype(np.int32)
    painted = np.zeros((height, width), np.int32)
    for i in order[near[order]].tolist():
        cv2.fillConvexPoly(painted, fixed[i], i + 1, cv2.LINE_8, 4)
    window[:] = painted * region[y : y + height, x : x + width]
    return index


def painting_order(target: np.ndarray) -> np.ndarray:
    """(F,) numbers of the triangles from the back to the front, rings first: at the far cheek a mesh is folded over."""
    triangles = extended_triangles()
    is_mesh = np.arange(len(triangles)) < len(mesh_triangles())
    return np.lexsort((-target[:, 2][triangles].mean(1), is_mesh))


def places_in(source: np.ndarray, target: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32: where each pixel of the target's picture lies in the source's; 0 where no triangle lies.

    source: (M, 2) places of an extended mesh, in any unit. target, index: see triangle_map.
    """
    # One more row, all zero, for index 0.
    maps = np.concatenate([np.zeros((1, 2, 3)), affine_maps(target[:, :2], source)]).astype(np.float32)
    maps = np.take(maps.reshape(-1, 6), index, axis=0)
    y, x = (axis.astype(np.float32) for axis in np.ogrid[: index.shape[0], : index.shape[1]])
    places = np.empty((*index.shape, 2), np.float32)
    places[..., 0] = maps[..., 0] * x + maps[..., 1] * y + maps[..., 2]
    places[..., 1] = maps[..., 3] * x + maps[..., 4] * y + maps[..., 5]
    return places


def kinds(index: np.ndarray) -> np.ndarray:
    """A triangle_map as uint8: 0 nothing there, 1 ring, 2 face mesh."""
    return ((index > 0).view(np.uint8)) + ((index > 0) & (index <= len(mesh_triangles()))).view(np.uint8)


def warp_mesh(
    image: np.ndarray, source: np.ndarray, target: np.ndarray, region: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the source's face at the target's shape, inside `region` only.

    image: (H, W, 3) picture of the source. source, target: extended meshes, (M, 3) pixels of image and target.
    region: (S, S) bool, the pixels wanted. Returns the (S, S, 3) picture in the image's type (0 outside), and its
    (S, S) `kinds`.
    """
    index = triangle_map(target, region)
    places = places_in(source[:, :2], target, index)
    pixels = cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    pixels[index == 0] = 0
    return pixels, kinds(index)


def affine_maps(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(F, 2, 3) affine maps that take each triangle of `source` onto that of `target`, (M, 2) each; a triangle seen
    edge-on is taken to its first corner."""
    a, *ends = (source[corner] for corner in extended_triangles().T)
    start, *sides = (target[corner] for corner in extended_triangles().T)
    (ux, uy), (vx, vy) = ((end - a).T for end in ends)
    area = ux * vy - uy * vx
    inverse = np.where(np.abs(area) < 1e-9, 0, 1 / np.where(area == 0, 1, area))
    back = inverse[:, None, None] * np.stack([np.stack([vy, -vx], 1), np.stack([-uy, ux], 1)], 1)  # to barycentric
    linear = np.stack([side - start for side in sides], 2) @ back
    return np.concatenate([linear, start[:, :, None] - linear @ a[:, :, None]], 2)
