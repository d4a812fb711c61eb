"""The reference brought to the frame's head pose and shape: the input of every reference-based filler."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from ..tracking.geometry import (
    MESH_POINT_COUNT,
    canonical_points,
    certainty,
    fit_similarity,
    head_pose,
    pose_angles,
    rigidity,
    transform,
)
from ..tracking.mesh import extend_points, warp_mesh
from ..tracking.reference import Reference
from ..tracking.smoothing import OneEuro
from .blend import match_colours
from .registration import Evidence, registered

SIDE = 128  # pixels of the square in which pictures are compared
RING = 24  # of them: how far around the hole
DETAIL = 3.0  # of them: standard deviation of what is too coarse to count
SEAM = 1  # of those next to the hole that are left out: the device's edge is blurred
OUTLIER = 0.12  # difference, on [0, 1], beyond which it does not matter how large it is
FEWEST = 40  # pixels of the ring below which it says nothing
MIXED, ALIKE = 3, 1.2  # pictures at most of which the coarse part is the mean; misfit of one by that of the first
NEAR = 12.0  # degrees, more than that of the nearest one, by which a picture's head may be turned otherwise
EVERY = 4  # frames from one look to the next
NEWS = 0.3  # share of a look in what is known of a picture
BETTER = 0.93  # misfit, by that of the present picture, from which another one replaces it: a change is seen
TURNED = 1.0116  # by which a misfit counts more for each degree that a head is turned otherwise, a tenth of a decibel

# Draws picture i at the face's shape in (SIDE, SIDE), within a region (SIDE, SIDE) bool, as warp_mesh does.
Draw = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]


class PictureChoice:
    """The choice for one clip; feed the frames in order. count: of the pictures."""

    def __init__(self, count: int):
        self._misfit = np.full(count, np.nan)
        self._looked = np.zeros(count, int)  # at which frame
        self._evidence: list[Evidence | None] = [None] * count  # of where each picture belongs
        self._frame = 0
        self._current: int | None = None

    def __call__(self, frame: np.ndarray, hole: np.ndarray, away: np.ndarray, draw: Draw) -> list[int]:
        """The pictures for the next frame: the one that is shown, then others that fit about as well.

        frame: (S, S, 3) uint8, or float32 in [0, 1]; hole: (S, S) uint8; away: (N,) degrees by which the head in each
        picture is turned otherwise. In the first frame all pictures are looked at; later, in every fourth one, the
        present one and another one in turn.
        """
        self._frame += 1
        near = np.flatnonzero(away <= away.min() + NEAR).tolist()
        looks: list[int] = []
        if self._current is None:
            looks = list(range(len(away)))
        elif self._frame % EVERY == 0:
            looks = [self._current, min(near, key=lambda i: self._looked[i])]
        if looks:
            small = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
            small /= 255 if frame.dtype == np.uint8 else 1
            covered = cv2.resize(hole.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0
            for i in dict.fromkeys(looks):
                found, self._evidence[i] = misfit(
                    small, covered.astype(np.uint8), lambda region, i=i: draw(i, region), self._evidence[i]
                )
                self._note(i, found)
        # Of which nothing is known fits as badly as can be: among such ones the pose decides.
        counted = np.nan_to_num(self._misfit, nan=OUTLIER) * TURNED**away
        order = sorted(near, key=lambda i: (counted[i], away[i]))
        if self._current is None or counted[order[0]] < BETTER * counted[self._current]:
            self._current = order[0]
        known = [i for i in order if i != self._current and not np.isnan(self._misfit[i])]
        return [self._current, *(i for i in known if counted[i] <= ALIKE * counted[self._current])][:MIXED]

    def _note(self, i: int, found: float) -> None:
        known = self._misfit[i]
        self._misfit[i] = found if np.isnan(known) else known if np.isnan(found) else known + NEWS * (found - known)
        self._looked[i] = self._frame


def misfit(
    frame: np.ndarray,
    hole: np.ndarray,
    draw: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    before: Evidence | None = None,
) -> tuple[float, Evidence]:
    """How far a picture is from the frame around the hole, with its colours matched and moved to meet it as it will be
    in use: root mean square of the differences on [0, 1], NaN where the picture shows too little there; and the
    evidence of where it belongs, for the next look, see restore.registration.

    frame: (SIDE, SIDE, 3) float32; hole: (SIDE, SIDE) uint8; draw: see Draw. Coarse differences do not count, and right
    beside the hole, where colours are taken from, fine ones hardly. A blurred picture differs less from anything, but
    would blur the hole: where details are weaker than the frame's, the misfit is multiplied by the root of how much.
    """
    near = _grown(hole, RING + SEAM)
    picture, kind = draw(near)
    matched = match_colours(picture.astype(np.float32) / 255, frame, hole, kind)
    moved, evidence = registered(frame, matched, hole, kind > 0, before)
    ring = near & ~_grown(hole, SEAM) & (kind > 0)
    if ring.sum() < FEWEST:
        return np.nan, evidence
    difference, wanted, shown = (_details(x, ring)[ring] for x in (frame - moved, frame, moved))
    weaker = max(float(wanted.std()) / max(float(shown.std()), 1e-6), 1.0)
    return float(np.sqrt(np.square(np.clip(difference, -OUTLIER, OUTLIER)).mean() * weaker)), evidence


def _details(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The picture less its blurred self, both of what lies in `where` alone."""
    inside = where.astype(np.float32)[..., None]
    blurred, counted = (cv2.GaussianBlur(x, (0, 0), DETAIL) for x in (picture * inside, inside))
    return picture - blurred / np.maximum(counted[..., None], 1e-6)


def _grown(hole: np.ndarray, by: int) -> np.ndarray:
    return cv2.dilate(hole, np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0


RESIDUAL_REACH = 1.5  # centimetres within which a visible point's deviation from the rigid pose is shared
HALF = np.array([0.5, 0.5, 0.0])  # pixel centres lie at half a pixel
COARSE = 1 / 64  # of the side: standard deviation of what divides coarse from fine where pictures are mixed


@lru_cache(maxsize=1)
def nearness() -> np.ndarray:
    """(468, 468) in [0, 1]: how near two points of the canonical face are, a Gaussian of RESIDUAL_REACH."""
    points = canonical_points()
    squared = ((points[:, None] - points[None]) ** 2).sum(2)
    return np.exp(-squared / (2 * RESIDUAL_REACH**2))


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

    Which one: the one that fits best around the hole (restore.align), with what is coarse from the next best ones as
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
