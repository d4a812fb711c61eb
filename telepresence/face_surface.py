"""The face as one closed surface: its triangles, where they lie in a texture, and its shape in space in metres.

In space x is to the image's right, y up, and z out of the face, as glTF has it: a face that looks ahead looks along +z.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..driving.upper_face import CORNERS, IRISES, LOWER_LIDS, UPPER_LIDS
from ..tracking.geometry import (
    FACE_OVAL,
    MESH_POINT_COUNT,
    canonical_points,
    head_pose,
    mesh_triangles,
    pose_scale,
    rigidity,
    transform,
)
from .animate_picture import LIP_LINES

# Around the openings, from the corner at the image's left over the upper edge to the right and back: the wearer's right
# eye, the left one, and between the lips. The mesh closes each by a surface of its own, which shows the eye, or teeth.
OPENINGS = (
    *(
        (left, *upper, right, *reversed(lower))
        for (left, right), upper, lower in zip(CORNERS, UPPER_LIDS, LOWER_LIDS, strict=True)
    ),
    (*LIP_LINES[0], *LIP_LINES[1, -2:0:-1]),
)

# Of the texture, a square of side 1: the skin fills a disc, the openings lie in three of the corners that it leaves.
DISC = 0.49
ISLAND, ISLAND_CENTRES = 0.075, ((0.085, 0.085), (0.915, 0.085), (0.085, 0.915))

PUPILS_APART = 0.063  # metres, of people on average: a picture alone does not tell how large a head is
AXES = (1, -1, -1)  # from face coordinates to those of space
PIXEL, MILLIMETRE = 1.0, 0.001  # how near to its place a landmark has to come, in both
MOST_TARGETS = 64  # from which more make the file larger than it makes the face better


@dataclass(frozen=True)
class Surface:
    """V vertices and F triangles. points: (V,) the landmark that each vertex is at; those on the edge of an opening
    have two, as skin and opening lie apart in the texture. triangles: (F, 3) vertices, counterclockwise as seen from
    outside. places: (V, 2) in [0, 1], to the right and down in the texture."""

    points: np.ndarray
    triangles: np.ndarray
    places: np.ndarray


@lru_cache(maxsize=1)
def face_surface() -> Surface:
    """The mesh of the tracked face, its openings closed."""
    points = np.concatenate([np.arange(MESH_POINT_COUNT), *OPENINGS])
    triangles, places, vertex = mesh_triangles().copy(), [_skin_places()], MESH_POINT_COUNT
    for ring, centre in zip(OPENINGS, ISLAND_CENTRES, strict=True):
        inside = np.isin(triangles, ring).all(1)
        of_point = np.zeros(MESH_POINT_COUNT, np.int32)
        of_point[list(ring)] = vertex + np.arange(len(ring))
        triangles[inside] = of_point[triangles[inside]]
        angle = np.pi + 2 * np.pi * np.arange(len(ring)) / len(ring)
        places.append(centre + ISLAND * np.stack([np.cos(angle), np.sin(angle)], 1))
        vertex += len(ring)
    return Surface(points, triangles, np.concatenate(places))


def _skin_places() -> np.ndarray:
    """(468, 2): the mesh flattened into a disc without folds (mean value coordinates, Floater 2003)."""
    points, count = canonical_points(), MESH_POINT_COUNT
    weights = np.zeros((count, count))
    for turn in range(3):
        i, j, k = np.roll(mesh_triangles(), turn, axis=1).T
        a, b = points[j] - points[i], points[k] - points[i]
        to_a, to_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
        cosine = np.clip((a * b).sum(1) / (to_a * to_b), -0.99, 0.99)  # slivers between closed lips count as any other
        half = np.sqrt((1 - cosine) / (1 + cosine))  # the tangent of half the angle
        np.add.at(weights, (i, j), half / to_a)
        np.add.at(weights, (i, k), half / to_b)
    oval = list(FACE_OVAL)
    steps = np.linalg.norm(np.roll(points[oval], -1, axis=0) - points[oval], axis=1)
    angle = 2 * np.pi * np.concatenate([[0], np.cumsum(steps)[:-1]]) / steps.sum()
    equations = np.diag(weights.sum(1)) - weights
    equations[oval] = np.eye(count)[oval]
    known = np.zeros((count, 2))
    known[oval] = 0.5 + DISC * np.stack([np.sin(angle), -np.cos(angle)], 1)
    return np.linalg.solve(equations, known)


@dataclass(frozen=True)
class Shapes:
    """One person's face in T frames, in space, the head held still, and how the head moves.

    points: (T, 468, 3) metres. unit: metres a centimetre of face coordinates. rotation: (T, 4) quaternions x, y, z, w;
    translation: (T, 3) metres; to where the head was as the camera saw it, about its mean place. pixels: (T,) pixels a
    metre, in the frame.
    """

    points: np.ndarray
    unit: float
    rotation: np.ndarray
    translation: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray) -> "Shapes":
        """points: (T, 478, 3) pixels, of an uncovered face. The head's pose is that of its bones: a jaw that drops is
        no nod."""
        poses = np.stack([head_pose(face, rigidity()) for face in points])
        scales = np.array([pose_scale(pose) for pose in poses])
        in_head = np.stack(
            [transform(np.linalg.inv(m), p.astype(np.float64)) for m, p in zip(poses, points, strict=True)]
        )
        right, left = (in_head[:, iris[0]] for iris in IRISES)
        unit = PUPILS_APART / float(np.median(np.linalg.norm(left - right, axis=1)))
        turns = poses[:, :3, :3] / scales[:, None, None] * np.outer(AXES, AXES)
        places = poses[:, :3, 3] / scales[:, None] * AXES
        places[:, 2] = 0  # weak perspective: how far away a head is remains unknown
        return cls(
            in_head[:, :MESH_POINT_COUNT] * AXES * unit,
            unit,
            _quaternions(turns),
            (places - places.mean(0)) * unit,
            scales / unit,
        )


def _quaternions(matrices: np.ndarray) -> np.ndarray:
    """(T, 4) x, y, z, w of (T, 3, 3) rotations. Each has the sign that is nearer to the one before, or a head would
    turn the long way between two frames."""
    found = []
    for m in matrices:
        # The eigenvector of the largest eigenvalue (Bar-Itzhack 2000), which no angle makes uncertain.
        k = np.array(
            [
                [m[0, 0] - m[1, 1] - m[2, 2], m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] - m[1, 2]],
                [m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
                [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
                [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m[0, 0] + m[1, 1] + m[2, 2]],
            ]
        )
        q = np.linalg.eigh(k)[1][:, -1]
        before = found[-1] if found else np.array([0, 0, 0, 1])
        found.append(q if q @ before >= 0 else -q)
    return np.stack(found)


@dataclass(frozen=True)
class Morphs:
    """T shapes as one and what is added to it: shape t is base + sum of weights[t, k] * targets[k]. base: (468, 3)
    metres; targets: (K, 468, 3); weights: (T, K)."""

    base: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def morphs(shapes: Shapes) -> Morphs:
    """The fewest principal components of the shapes, at most MOST_TARGETS, that bring every landmark of every frame to
    within a pixel and a millimetre of its place. A target is as large as its usual deviation."""
    count = len(shapes.points)
    base = shapes.points.mean(0)
    rest = (shapes.points - base).reshape(count, -1)
    values, vectors = np.linalg.eigh(rest.T @ rest / count)
    targets, weights = [], []
    while len(targets) < min(MOST_TARGETS, count - 1):
        far = np.linalg.norm(rest.reshape(count, -1, 3), axis=2).max(1)
        if far.max() <= MILLIMETRE and (far * shapes.pixels).max() <= PIXEL:
            break
        number = -1 - len(targets)
        size = np.sqrt(values[number])
        weight = rest @ vectors[:, number]
        rest = rest - np.outer(weight, vectors[:, number])
        targets.append((vectors[:, number] * size).reshape(-1, 3))
        weights.append(weight / size)
    return Morphs(base, np.array(targets).reshape(-1, *base.shape), np.array(weights).reshape(-1, count).T)
