"""The facets of a headset: shell, facial interface and straps as quads in face coordinates, centimetres."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from .models import EYE_LINE, FACE_FRONT, Headset

# The head with its hair as an ellipsoid: straps lie on it, and those on its far side are out of sight.
HEAD_MIDDLE = np.array((0.0, -4.0, 4.0))
HEAD_RADII = np.array((8.2, 10.8, 10.8))


class Part(IntEnum):
    """What a facet belongs to."""

    FRONT = 0
    BODY = 1
    INTERFACE = 2
    STRAP = 3


@dataclass(frozen=True)
class Mesh:
    """corners: (F, 4, 3) centimetres, clockwise when seen from outside. part: (F,) Part values."""

    corners: np.ndarray
    part: np.ndarray


def headset_mesh(headset: Headset) -> Mesh:
    """All facets of a straight device; `seat` brings it to where it sits."""
    patches = [*_shell(headset)]
    if headset.side_strap:
        patches += [(_side_strap(headset, side), Part.STRAP) for side in (-1, 1)]
    if headset.top_strap:
        patches.append((_top_strap(headset), Part.STRAP))
    if headset.halo:
        patches.append((_halo(headset), Part.STRAP))
    corners = np.concatenate([quads for quads, _ in patches])
    part = np.concatenate([np.full(len(quads), part) for quads, part in patches])
    return Mesh(corners, part)


def seat(headset: Headset) -> np.ndarray:
    """(4, 4) movement of a straight device to where its shift and tilt bring it, in face coordinates."""
    a, b = np.radians(headset.tilt)
    down = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    roll = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    pivot = np.array((0, EYE_LINE, FACE_FRONT))
    matrix = np.eye(4)
    matrix[:3, :3] = roll @ down
    matrix[:3, 3] = pivot - matrix[:3, :3] @ pivot + (*headset.shift, 0.0)
    return matrix


def front_point(headset: Headset, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(..., 3) points on the front of a straight device; x, y from -1 to 1 across and down its flat part."""
    shrink = (1 - headset.taper) * (1 - 2 * headset.bevel / headset.height)
    x, y = x * shrink * headset.width / 2, y * shrink * headset.height / 2 + headset.middle
    return np.stack([x, y, headset.front(x, y)], axis=-1)


def _shell(headset: Headset) -> list[tuple[np.ndarray, Part]]:
    outline, middle = headset.outline(), np.array((0, headset.middle))
    cushion = min(1.4, headset.depth / 3)
    edge = 1 - headset.taper

    def ring(scale: float, z: np.ndarray | None = None, back: float = 0.0) -> np.ndarray:
        xy = middle + (outline - middle) * scale
        z = headset.front(*xy.T) + back if z is None else z
        return np.column_stack([xy, z])

    half = headset.height / 2
    rear = headset.rear(outline[:, 0])
    inset = 0.95 if headset.depth > 1 else 1.0  # the cushion is smaller than the shell; a bar has none
    interface = [ring(inset, rear), ring(inset, rear - cushion)]
    bevel = [  # a quarter circle in three steps
        ring(edge * (1 - headset.bevel / half * (1 - np.cos(a))), back=headset.bevel * (1 - np.sin(a)))
        for a in np.radians((0, 30, 60, 90))
    ]
    body = [ring(1.0, rear - cushion), *bevel]
    flat = edge * (1 - headset.bevel / half)
    face = [ring(flat * share) for share in (1.0, 0.55, 0.0)]
    if not headset.bevel:
        body = body[:2]
    return [
        (_loft(np.stack(interface)), Part.INTERFACE),
        (_loft(np.stack([interface[-1], body[0]])), Part.INTERFACE),
        (_loft(np.stack(body)), Part.BODY),
        (_loft(np.stack(face)), Part.FRONT),
    ]


def _loft(rings: np.ndarray) -> np.ndarray:
    """(K, N, 3) rings from the rear to the front to (F, 4, 3) quads."""
    following = np.roll(rings, -1, axis=1)
    quads = np.stack([rings[:-1], rings[1:], following[1:], following[:-1]], axis=2)
    return quads.reshape(-1, 4, 3)


def _strip(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(K, 3) both edges of a strap to (K - 1, 4, 3) quads that face away from the head."""
    quads = np.stack([one[:-1], one[1:], other[1:], other[:-1]], axis=1)
    inwards = ((quads.mean(1) - HEAD_MIDDLE) * facet_normals(quads)).sum(1) < 0
    quads[inwards] = quads[inwards, ::-1]
    return quads


def facet_normals(corners: np.ndarray) -> np.ndarray:
    """(F, 4, 3) quads to (F, 3) unit normals out of the device."""
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)


def _around(angle: np.ndarray, y: np.ndarray, thickness: float = 0.0) -> np.ndarray:
    """(K, 3) points on the head at height y; angle in radians from the middle of the face to the image's right."""
    girth = np.sqrt(np.clip(1 - ((y - HEAD_MIDDLE[1]) / HEAD_RADII[1]) ** 2, 0.05, 1))
    across, along = (HEAD_RADII[0] * girth + thickness), (HEAD_RADII[2] * girth + thickness)
    return np.stack([across * np.sin(angle), y, HEAD_MIDDLE[2] - along * np.cos(angle)], axis=1)


def _side_strap(headset: Headset, side: int) -> np.ndarray:
    start = headset.rear(np.array(headset.width / 2)) - 0.8
    first = np.arccos(np.clip((HEAD_MIDDLE[2] - start - 2.5) / HEAD_RADII[2], -1, 1))
    angle = np.linspace(first, np.pi, 9)
    height = np.full(9, headset.middle - 0.5)
    edges = []
    for sign in (-1, 1):
        path = _around(side * angle, height + sign * headset.side_strap / 2, 0.3)
        anchor = (side * (headset.width / 2 - 0.2), height[0] + sign * headset.side_strap / 2, start)
        edges.append(np.concatenate([[anchor], path]))
    return _strip(*edges)


def _top_strap(headset: Headset) -> np.ndarray:
    top = EYE_LINE + headset.top
    first = np.arcsin(np.clip((HEAD_MIDDLE[1] - top + 1.5) / HEAD_RADII[1], -1, 1))
    angle = np.linspace(first, np.pi, 10)
    middle, radii = HEAD_MIDDLE, HEAD_RADII + 0.3
    path = np.stack([0 * angle, middle[1] - radii[1] * np.sin(angle), middle[2] - radii[2] * np.cos(angle)], axis=1)
    path = np.concatenate([[(0, top + 0.3, FACE_FRONT - 1.5)], path])
    half = np.array((headset.top_strap / 2, 0, 0))
    return _strip(path - half, path + half)


def _halo(headset: Headset) -> np.ndarray:
    angle = np.linspace(-np.pi, np.pi, 29)
    sinking = (1 - np.cos(angle)) / 2  # the band lies lower at the back of the head
    height = EYE_LINE + headset.top - headset.halo / 2 + 0.8 + 6.0 * sinking
    slack = headset.halo / 2 * (1 - 0.3 * sinking)
    return _strip(_around(angle, height - slack, 0.9), _around(angle, height + slack, 1.3))
