"""Which of a person's pictures goes into the hole: the one that fits best around it.

Pictures of one person differ in light, hair, lens and moment by more than a mesh and a match of colours make up for.
How well one fits is seen next to the hole, and is much the same within.
"""

from collections.abc import Callable

import cv2
import numpy as np

from .blend import match_colours
from .registration import registered

SIDE = 128  # pixels of the square in which pictures are compared
RING = 18  # of them: how far around the hole
SEAM = 1  # of those next to the hole that are left out: the device's edge is blurred
OUTLIER = 0.12  # difference, on [0, 1], beyond which it does not matter how large it is
FEWEST = 20  # pixels of the ring, on the face or around it, below which those say nothing
NEAR = 12.0  # degrees, more than that of the nearest one, by which a picture's head may be turned otherwise
EVERY = 2  # frames from one look to the next
NEWS = 0.3  # share of a look in what is known of a picture
BETTER = 0.97  # misfit, by that of the present picture, from which another one replaces it: a change is seen
TURNED = 1.0116  # by which a misfit counts more for each degree that a head is turned otherwise, a tenth of a decibel

# Draws picture i at the face's shape in (SIDE, SIDE), within a region (SIDE, SIDE) bool, as warp_mesh does.
Draw = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]


class PictureChoice:
    """The choice for one clip; feed the frames in order. count: of the pictures."""

    def __init__(self, count: int):
        self._misfit = np.full(count, np.nan)
        self._looked = np.zeros(count, int)  # at which frame
        self._frame = 0
        self.current: int | None = None

    def __call__(self, frame: np.ndarray, hole: np.ndarray, away: np.ndarray, draw: Draw) -> int:
        """The picture for the next frame.

        frame: (S, S, 3) uint8, or float32 in [0, 1]; hole: (S, S) uint8; away: (N,) degrees by which the head in each
        picture is turned otherwise. In the first frame all pictures are looked at; later, in every second one, the
        present one and another one in turn.
        """
        self._frame += 1
        near = np.flatnonzero(away <= away.min() + NEAR).tolist()
        if self.current is None:
            looks = range(len(away))
        elif self._frame % EVERY == 0:
            looks = [self.current, min(near, key=lambda i: self._looked[i])]
        else:
            return self.current
        small = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        small /= 255 if frame.dtype == np.uint8 else 1
        covered = cv2.resize(hole.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0
        for i in dict.fromkeys(looks):
            self._note(i, misfit(small, covered.astype(np.uint8), lambda region, i=i: draw(i, region)))
        counted = np.nan_to_num(self._misfit, nan=np.inf) * TURNED**away
        best = min(near, key=lambda i: (counted[i], away[i]))
        if self.current is None or counted[best] < BETTER * counted[self.current]:
            self.current = best
        return self.current

    def _note(self, i: int, found: float) -> None:
        known = self._misfit[i]
        self._misfit[i] = found if np.isnan(known) else known if np.isnan(found) else known + NEWS * (found - known)
        self._looked[i] = self._frame


def misfit(
    frame: np.ndarray, hole: np.ndarray, draw: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> float:
    """How far a picture is from the frame around the hole, with its colours matched and moved to meet it as it will be
    in use: root mean square of the differences on [0, 1], NaN where the picture shows too little there.

    frame: (SIDE, SIDE, 3) float32; hole: (SIDE, SIDE) uint8; draw: see Draw. A difference in colour that is the same
    all over the face, or all over what is around it, does not count.
    """
    near = _grown(hole, RING + SEAM)
    picture, kind = draw(near)
    matched = match_colours(picture.astype(np.float32) / 255, frame, hole, kind)
    moved, _ = registered(frame, matched, hole, kind > 0, None)
    ring = near & ~_grown(hole, SEAM)
    total, counted = 0.0, 0
    for part in (1, 2):
        where = ring & (kind == part)
        if (count := int(where.sum())) < FEWEST:
            continue
        difference = frame[where] - moved[where]
        difference -= np.median(difference, axis=0)
        total += count * float(np.square(np.minimum(np.abs(difference), OUTLIER)).mean())
        counted += count
    return float(np.sqrt(total / counted)) if counted else np.nan


def _grown(hole: np.ndarray, by: int) -> np.ndarray:
    return cv2.dilate(hole, np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0
