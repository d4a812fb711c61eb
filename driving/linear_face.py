"""How the upper face moves with eyes and brows: a linear face, learnt from filmed people."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..tracking.geometry import canonical_points
from ..weights.header import read_weights

FILE = Path(__file__).with_name("linear_face.safetensors")
KIND = "a linear face"
CLOSING, YAW, PITCH, INNER, OUTER, DOWN = range(6)  # what one eye and its brow do
PARTS = 6
UPPER_MIDDLE, LOWER_MIDDLE = (160, 159, 158), (144, 145, 153)  # lids of the wearer's right eye, where they part most
CORNERS = (33, 133)


@dataclass(frozen=True)
class LinearFace:
    """right: (PARTS, 468, 3) centimetres in face coordinates, by which the face moves with the wearer's right eye and
    brow: when the eye shuts, by radian that it looks to the wearer's right and down, and with each of the brow's three
    values. What the left ones do is that in the mirror. The irises are none of these points: see driving.eyes."""

    right: np.ndarray

    @property
    def brows(self) -> np.ndarray:
        """(6, 468, 3) centimetres: with each value of the right brow, then of the left one, see EyeTracking."""
        right = self.right[[INNER, OUTER, DOWN]]
        return np.concatenate([right, mirrored(right)])

    @property
    def upper_share(self) -> float:
        """What the upper lid does of all that the two lids move when the eye shuts, in [0, 1]."""
        upper, lower = (self._lid(CLOSING, lid) for lid in (UPPER_MIDDLE, LOWER_MIDDLE))
        return upper / (upper - lower)

    @property
    def lids_follow(self) -> float:
        """Centimetres by which both lids move down by radian that the eye looks down, were it opened as before."""
        upper, lower = (self._lid(PITCH, lid) for lid in (UPPER_MIDDLE, LOWER_MIDDLE))
        return (upper + lower) / 2

    def _lid(self, part: int, lid: tuple[int, ...]) -> float:
        """How far the middle of a lid moves down between the eye's corners."""
        down = (self.right + mirrored(self.right))[part, :, 1]  # both eyes do it
        return float(down[list(lid)].mean() - down[list(CORNERS)].mean())


@lru_cache(maxsize=1)
def mirror() -> np.ndarray:
    """(468,) the number of each point's twin on the other side of the face."""
    points = canonical_points()
    apart = ((points[:, None] - points[None] * (-1, 1, 1)) ** 2).sum(2)
    return apart.argmin(1)


def mirrored(motion: np.ndarray) -> np.ndarray:
    """A (..., 468, 3) motion of the face in the mirror."""
    return motion[..., mirror(), :] * (-1, 1, 1)


@lru_cache(maxsize=1)
def shipped() -> LinearFace:
    """The one that comes with the pack, made by `hmd-removal lab train linear-face`."""
    _, tensors = read_weights(FILE, KIND)
    return LinearFace(tensors["right"].float().numpy().astype(np.float64))


FIELD = 48  # cells a side of what is smooth in a picture of a head
REACH = 1.0  # centimetres: standard deviation of the means over points that make it smooth
FEW = 0.3  # weight of points near a place that counts as much as that nothing moves there


def brow_motions(face: LinearFace, places: np.ndarray, space: np.ndarray) -> np.ndarray:
    """(6, 2, FIELD, FIELD): by how much a picture of the face moves right and down with each value of the brows.

    places: (468, 2) of the mesh, in sides of the picture; space: (2, 3), what a centimetre in face coordinates is
    there.
    """
    along = np.arange(FIELD) / FIELD
    cells = np.stack(np.meshgrid(along, along, indexing="xy"), -1).reshape(-1, 1, 2)
    reach = REACH * np.linalg.norm(space, axis=1).max()
    weights = np.exp(-((cells - places) ** 2).sum(2) / (2 * reach**2))
    shares = weights / (weights.sum(1, keepdims=True) + FEW)
    motion = np.einsum("cp,kpd,xd->kxc", shares, face.brows, space, optimize=True)
    return motion.reshape(-1, 2, FIELD, FIELD)
