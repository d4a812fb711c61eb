"""The reference brought to the frame's head pose and shape: the input of every reference-based filler."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from .choice import SIDE, PictureChoice
from .pose import certainty, fit_similarity, head_pose, pose_angles, transform
from .reference import Reference
from .smoothing import OneEuro
from .topology import MESH_POINT_COUNT, canonical_points
from .warp import extend_points, warp_mesh

RESIDUAL_REACH = 1.5  # centimetres within which a visible point's deviation from the rigid pose is shared
HALF = np.array([0.5, 0.5, 0.0])  # pixel centres lie at half a pixel
COARSE = 1 / 64  # of the side: standard deviation of what divides coarse from fine where pictures are mixed


@lru_cache(maxsize=1)
def nearness() -> np.ndarray:
    """(468, 468) in [0, 1]: how near two points of the canonical face are, a Gaussian of RESIDUAL_REACH."""
    points = canonical_points()
    squared = ((points[:, None] - points[None]) ** 2).sum(2)
    return np.exp(-squared / (2 * RESIDUAL_REACH**2))


@lru_cache(maxsize=1)
def rigidity() -> np.ndarray:
    """(468,) weight of each point in a rigid fit: 1 on bone, little on lips, chin and cheeks, which speech moves."""
    x, y, _ = canonical_points().T
    mouth = np.hypot(x / 3.5, (y - 4.0) / 2.6)
    return np.clip(mouth - 0.6, 0.05, 1.0) * np.where(y > 6.5, 0.2, 1.0)


def complete_points(
    points: np.ndarray, visibility: np.ndarray, model: np.ndarray, deviation: np.ndarray | None = None
) -> np.ndarray:
    """Fill in the points that are out of sight from the person's own mesh, posed by the points in sight.

    points: (478, 3) pixels. visibility: (478,), 0 for hidden points. model: (478, 3) the reference's mesh, in its own
    pixels. deviation: (478,) pixels, how uncertain the points are; None where that is not known.
    The 3-D similarity from model to visible points gives the hidden ones; what the visible points deviate from it is
    carried over the rim and fades inside, so that the two parts meet. Uncertain points count little in either. Hidden
    points with a deviation are a landmarker's guesses, and help to pose the model where little of the face is in sight;
    hidden points without one are not to be trusted at all. Returns (478, 3); visible points are unchanged.
    """
    seen = visibility > 0.5
    if seen.all():
        return points
    mesh_seen = seen[:MESH_POINT_COUNT]
    if mesh_seen.sum() < 6:
        return points
    trusted, sure = seen, np.ones(len(points))
    if deviation is not None:
        trusted, sure = seen | (deviation > 0), certainty(points, deviation)
    weights = (rigidity() * (trusted * sure)[:MESH_POINT_COUNT]).astype(np.float64)
    mesh = points[:MESH_POINT_COUNT].astype(np.float64)
    posed = transform(
        fit_similarity(model[:MESH_POINT_COUNT].astype(np.float64), mesh, weights), model.astype(np.float64)
    )
    sure = (visibility * sure)[:MESH_POINT_COUNT][mesh_seen]
    near = nearness()[:, mesh_seen] * sure
    # Where little is near, the sum is divided by 1 rather than by itself, and so fades with distance.
    share = near / np.maximum(near.sum(1), 1.0)[:, None]
    residual = share @ (mesh - posed[:MESH_POINT_COUNT])[mesh_seen]
    out = points.astype(np.float64).copy()
    out[:MESH_POINT_COUNT][~mesh_seen] = (posed[:MESH_POINT_COUNT] + residual)[~mesh_seen]
    irises = np.arange(MESH_POINT_COUNT, len(points))
    out[irises[~seen[irises]]] = posed[irises[~seen[irises]]]
    return out


def coarsely_mixed(
    picture: np.ndarray, kind: np.ndarray, others: Sequence[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """The picture, (S, S, 3) uint8, with what is coarse in it taken from the mean of several.

    kind: (S, S) uint8, its map of warp_mesh. others: drawn at the same shape as (s, s, 3) uint8, with their maps. What
    is fine stays the picture's own, so nothing is blurred (two bands, as Burt and Adelson 1983 mix pictures).
    """
    side = len(others[0][0])
    own = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    whole = cv2.resize((kind > 0).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) == 1
    shown = np.logical_and.reduce([whole, *(k > 0 for _, k in others)]).astype(np.float32)[..., None]
    away = sum(other - own for other, _ in others) / (1 + len(others)) * shown
    away, counted = (cv2.GaussianBlur(x, (0, 0), COARSE * side) for x in (away, shown))
    away = cv2.resize(away / np.maximum(counted[..., None], 1e-3), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.round(np.clip(picture + away, 0, 255)).astype(np.uint8) * (kind > 0)[..., None]


class ReferenceAligner:
    """Warps one of the person's pictures into the crops of one clip; feed the frames in order.

    Which one: the one that fits best around the hole (faces.choice), with what is coarse from the next best ones as
    well. steady: smooth the hidden points in time (One-Euro), since the fit that they come from shakes with every
    visible point; for points in crops, where the head keeps its place, as it would lag behind a head that moves.
    """

    def __init__(self, reference: Reference, *, steady: bool = False):
        self.reference = reference
        self._extended = [extend_points(p, head_pose(p)) for p in reference.points]
        self._choice = PictureChoice(len(reference))
        self._steady = OneEuro(min_cutoff=0.05, beta=0.02) if steady else None

    def __call__(
        self,
        points: np.ndarray,
        visibility: np.ndarray,
        region: np.ndarray,
        covered: tuple[np.ndarray, np.ndarray],
        deviation: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """points: (478, 3) pixels; visibility: (478,); region: (S, S) bool, the pixels wanted.

        covered: the frame (S, S, 3), uint8 or float32 in [0, 1], and its hole (S, S) uint8, by which to choose.
        deviation: (478,) pixels of the points' picture, as in complete_points. Returns the aligned reference (S, S, 3)
        uint8 and its (S, S) map, as warp_mesh does.
        """
        weights = visibility if deviation is None else visibility * certainty(points, deviation)
        pose = head_pose(points, weights)

        def completed(index: int) -> np.ndarray:
            return complete_points(points, visibility, self.reference.points[index], deviation)

        def draw(index: int, small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            scaled = (completed(index) + HALF) * (SIDE / len(region)) - HALF
            return self._drawn(index, scaled, small)

        shown = [0] if len(self.reference) == 1 else self._choice(*covered, self._away(pose), draw)
        shape = completed(shown[0])
        if self._steady is not None:
            shape = np.where((visibility > 0.5)[:, None], shape, self._steady(shape))
        picture, kind = self._drawn(shown[0], shape, region)
        if len(shown) > 1:
            scaled = (shape + HALF) * (SIDE / len(region)) - HALF
            wanted = cv2.resize(region.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0
            others = [self._drawn(i, scaled, wanted) for i in shown[1:]]
            picture = coarsely_mixed(picture, kind, others)
        return picture, kind

    def _drawn(self, index: int, shape: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        target = extend_points(shape, head_pose(shape))
        return warp_mesh(self.reference.images[index], self._extended[index], target, region)

    def _away(self, pose: np.ndarray) -> np.ndarray:
        """(N,): degrees of yaw and pitch between each picture's head and this one."""
        return np.abs(self.reference.angles[:, :2] - pose_angles(pose)[:2]).sum(1)
