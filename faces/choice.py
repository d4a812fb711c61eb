"""Which of a person's pictures go into the hole: those that fit best around it.

Pictures of one person differ in light, hair, lens and moment by more than a mesh and a match of colours make up for.
How well one fits is seen next to the hole, and is much the same within.
"""

from collections.abc import Callable

import cv2
import numpy as np

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
    evidence of where it belongs, for the next look, see faces.registration.

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
