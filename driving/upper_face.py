"""The upper face: where eyes and brows are in a picture, how far eyes are open and where they look; and how they move a
face, by what a linear face has learnt from filmed people."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..tracking.geometry import canonical_points, head_pose, transform
from ..weights.header import read_weights

# Of both eyes, the wearer's right one first: corners from left to right in an upright picture, lids between them, the
# irises, centre first, and the lower edges of the brows.
CORNERS = ((33, 133), (362, 263))
UPPER_LIDS = ((246, 161, 160, 159, 158, 157, 173), (398, 384, 385, 386, 387, 388, 466))
LOWER_LIDS = ((7, 163, 144, 145, 153, 154, 155), (382, 381, 380, 374, 373, 390, 249))
MIDDLE = slice(2, 5)  # of a lid's points, where lids part most
IRISES = (range(468, 473), range(473, 478))
BROWS = ((46, 53, 52, 65, 55), (285, 295, 282, 283, 276))

EYEBALL = 1.2  # centimetres from the middle of an eyeball to its iris
# Where the iris is from between the eye's corners when an eye looks straight ahead, outwards and down, in centimetres:
# means of 3,282 pictures of 21 filmed people.
AHEAD = (0.07, -0.15)
# Centimetres by which MediaPipe's irises move with a radian of yaw and of pitch: less than irises do, above all up and
# down. By its own weights of looking, 0.6 radians each as in ARKit's.
SEEN = (0.82, 0.65)
CURVE = 4  # numbers of a lid's curve


@dataclass(frozen=True)
class Eye:
    """One eye of a picture. It is measured in its own coordinates: from the middle between its corners to the right
    and down, in widths between the corners, the line through which is level.

    matrix: (2, 3) from the picture's places to them. space: (2, 3), what a centimetre in face coordinates is there.
    upper, lower: (CURVE,) of the lids' curves, see lid. iris: (2,) its centre; radius: its own. brow: (2,), how high
    the brow's lower edge is above the corners, and how it slopes: its place is -brow[0] - brow[1] * x.
    """

    matrix: np.ndarray
    space: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    iris: np.ndarray
    radius: float
    brow: np.ndarray


def lid(curve: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How far down a lid is at x, in an Eye's coordinates; it meets the corners at -1/2 and 1/2."""
    return _lid_basis(x) @ curve


def _lid_basis(x: np.ndarray) -> np.ndarray:
    return (1 - 4 * x**2)[..., None] * x[..., None] ** np.arange(CURVE)


@dataclass(frozen=True)
class EyesInPicture:
    """eyes: the wearer's right one first. openness: (2,) by the person's usual one. gaze: (2,) radians of both
    together, to the wearer's right and down."""

    eyes: tuple[Eye, Eye]
    openness: np.ndarray
    gaze: np.ndarray


def eyes_in(points: np.ndarray, to_places: Sequence[np.ndarray]) -> list[EyesInPicture]:
    """The eyes of one person in N pictures.

    points: (N, 478, 3) pixels. to_places: of each picture, (2, 3) from its pixels to the places that its Eyes are for.
    What is usual is the median. So is level: how high irises are between the lids differs from person to person by as
    much as people look up and down. Both eyes look the same way: where MediaPipe puts a single iris errs by 5 degrees.
    """
    poses = [head_pose(face) for face in points]
    faces = np.stack([transform(np.linalg.inv(m), p.astype(np.float64)) for m, p in zip(poses, points, strict=True)])
    aperture, gaze = apertures(faces), gazes(faces).mean(1)
    openness = aperture / np.median(aperture, axis=0)
    gaze[:, 1] -= np.median(gaze[:, 1])
    found = []
    for i, (matrix, pose) in enumerate(zip(to_places, poses, strict=True)):
        flat = points[i, :, :2] @ matrix[:, :2].T + matrix[:, 2]
        space = matrix[:, :2] @ pose[:2, :3]
        found.append(EyesInPicture((_eye(flat, space, 0), _eye(flat, space, 1)), openness[i], gaze[i]))
    return found


def apertures(face: np.ndarray) -> np.ndarray:
    """(..., 2) lid distances in the middle of each eye by its width. face: (..., 478, 3) in face coordinates, so that
    the head's turn does not count."""
    found = []
    for (left, right), upper, lower in zip(CORNERS, UPPER_LIDS, LOWER_LIDS, strict=True):
        gap = face[..., lower[MIDDLE], 1].mean(-1) - face[..., upper[MIDDLE], 1].mean(-1)
        found.append(gap / np.linalg.norm(face[..., right, :] - face[..., left, :], axis=-1))
    return np.stack(found, -1)


def gazes(face: np.ndarray) -> np.ndarray:
    """(..., 2, 2) radians, to the wearer's right and down, by where MediaPipe puts the irises. face: see apertures."""
    found = []
    for corners, iris, outwards in zip(CORNERS, IRISES, (-1, 1), strict=True):
        off = face[..., list(iris), :2].mean(-2) - face[..., corners, :2].mean(-2)
        found.append((off - (outwards * AHEAD[0], AHEAD[1])) / SEEN * (-1, 1))
    return np.stack(found, -2)


def with_lids(points: np.ndarray, openness: np.ndarray, upper_share: float) -> np.ndarray:
    """A face's points whose lids are as open as is said, by what they are in it. points: (478, 2 or 3); openness: (2,),
    NaN for an eye that stays; upper_share: see LinearFace."""
    moved = points.copy()
    for share, upper, lower in zip(1 - openness, UPPER_LIDS, LOWER_LIDS, strict=True):
        if np.isfinite(share):
            upper, lower = list(upper), list(lower)
            down = share * (points[lower] - points[upper])
            moved[upper] += upper_share * down
            moved[lower] -= (1 - upper_share) * down
    return moved


def gaze_step(wanted: np.ndarray, now: np.ndarray) -> np.ndarray:
    """(..., 3) centimetres in face coordinates from where an iris is to where it is wanted. Both (..., 2) radians."""
    return EYEBALL * (_direction(wanted) - _direction(now))


def _direction(gaze: np.ndarray) -> np.ndarray:
    yaw, pitch = gaze[..., 0], gaze[..., 1]
    return np.stack([-np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)], -1)


def _eye(points: np.ndarray, space: np.ndarray, side: int) -> Eye:
    """points: (478, 2) places."""
    left, right = points[list(CORNERS[side])]
    across = right - left
    turn = np.stack([across, (-across[1], across[0])]) / (across @ across)
    own = (points - (left + right) / 2) @ turn.T
    upper, lower = (_fitted(own[list(lids[side])]) for lids in (UPPER_LIDS, LOWER_LIDS))
    iris = own[list(IRISES[side])]
    x, y = own[list(BROWS[side])].T
    slope, height = np.polyfit(x, -y, 1)
    return Eye(
        np.column_stack([turn, -turn @ (left + right) / 2]),
        turn @ space,
        upper,
        lower,
        iris[0],
        float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean()),
        np.array([height, slope]),
    )


def _fitted(points: np.ndarray) -> np.ndarray:
    """The curve of a lid through (N, 2) points."""
    return np.linalg.lstsq(_lid_basis(points[:, 0]), points[:, 1], rcond=None)[0]


FILE = Path(__file__).with_name("linear_face.safetensors")
KIND = "a linear face"
CLOSING, YAW, PITCH, INNER, OUTER, DOWN = range(6)  # what one eye and its brow do
PARTS = 6


@dataclass(frozen=True)
class LinearFace:
    """right: (PARTS, 468, 3) centimetres in face coordinates, by which the face moves with the wearer's right eye and
    brow: when the eye shuts, by radian that it looks to the wearer's right and down, and with each of the brow's three
    values. What the left ones do is that in the mirror. The irises are none of these points: see gazes."""

    right: np.ndarray

    @cached_property
    def brows(self) -> np.ndarray:
        """(6, 468, 3) centimetres: with each value of the right brow, then of the left one, see EyeTracking."""
        right = self.right[[INNER, OUTER, DOWN]]
        return np.concatenate([right, mirrored(right)])

    @cached_property
    def upper_share(self) -> float:
        """What the upper lid does of all that the two lids move when the eye shuts, in [0, 1]."""
        upper, lower = (self._lid(CLOSING, lid) for lid in (UPPER_LIDS, LOWER_LIDS))
        return upper / (upper - lower)

    @cached_property
    def lids_follow(self) -> float:
        """Centimetres by which both lids move down by radian that the eye looks down, were it opened as before."""
        upper, lower = (self._lid(PITCH, lid) for lid in (UPPER_LIDS, LOWER_LIDS))
        return (upper + lower) / 2

    def _lid(self, part: int, lid: tuple[tuple[int, ...], ...]) -> float:
        """How far the middle of a lid moves down between the eye's corners."""
        down = (self.right + mirrored(self.right))[part, :, 1]  # both eyes do it
        return float(down[list(lid[0][MIDDLE])].mean() - down[list(CORNERS[0])].mean())


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


FIELD = 64  # cells a side of what is smooth in a picture of a head, 0.7 cm each
REACH = 0.6  # centimetres: standard deviation of the means over points that make it smooth
FEW = 0.1  # weight of points near a place that counts as much as that nothing moves there


def brow_motions(face: LinearFace, places: np.ndarray, space: np.ndarray) -> np.ndarray:
    """(6, 2, FIELD, FIELD): by how much a picture of the face moves right and down with each value of the brows.

    places: (468, 2) of the mesh, in sides of the picture; space: (2, 3), what a centimetre in face coordinates is
    there.
    """
    along = np.arange(FIELD) / FIELD
    x, y = (along[:, None] - places[:, axis] for axis in (0, 1))
    reach = REACH * np.linalg.norm(space, axis=1).max()
    near = (np.exp(-(away**2) / (2 * reach**2)) for away in (y, x))
    weights = np.einsum("ip,jp->ijp", *near).reshape(-1, len(places))
    shares = weights / (weights.sum(1, keepdims=True) + FEW)
    motion = np.einsum("cp,kpd,xd->kxc", shares, face.brows, space, optimize=True)
    return motion.reshape(-1, 2, FIELD, FIELD)
