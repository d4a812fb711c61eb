"""What each place of the frame showed when it was last in sight: behind a head that moves the room stays where it is.

A frame fixed to a tripod shows the same wall all the time; what a headset covers of it now may have been in sight
before, and is known then better than any reference of the face could tell. Where things have moved the memory is wrong,
which shows around the hole, and in how far the face has moved since: whoever uses it has to compare.

Compared can only be what is as old. Next to the hole the frame before would tell nearly everything as it is now, and
nothing of what the hole hid for a hundred frames; so what is near the hole is remembered from before the device came
near.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..tracking.geometry import MESH_POINT_COUNT, rigidity
from ..tracking.reference import Reference
from ..tracking.track import FrameStatus, TrackedFace

AROUND = 0.25  # of the side of a square as large as the hole: what is so near to it is not remembered anew
COARSE = 8  # pixels a cell in which that is measured
FEWEST = 20  # points in sight then and now by which a movement is measured
TIDY = 64  # frames after which the faces are dropped of which nothing is remembered any more

Place = tuple[slice, slice]  # rows and columns of the frame


@dataclass(frozen=True)
class Hidden:
    """What a frame shows near its hole, and so is not to be remembered. place: the part of the frame; near: (h, w) bool
    in it."""

    place: Place
    near: np.ndarray


class FrameMemory:
    """Feed the frames of one scene in order with `push`; `recall` before that tells what earlier frames showed.

    Away from the hole the last frame shows what is remembered, so that only what is near the hole is copied.

    reference: where its first picture has the size of the frames it was probably taken with the same camera, and is
    what is remembered at the start; otherwise nothing is.
    """

    def __init__(self, reference: Reference | None):
        self._start = reference
        self._last: np.ndarray | None = None  # the last frame
        self._look = 0  # its number; 0 for none
        self._hidden: Hidden | None = None  # in it
        self._picture: np.ndarray | None = None  # remembered where that hides anything
        self._when: np.ndarray | None = None  # number of the frame in which it was seen, 0 for never
        self._faces: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # points and which are in sight, by frame

    def recall(self, place: Place, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What was seen last in a part of the frame: (h, w, 3) of the frame's type, and (h, w) int32, in which frame,
        0 for never. frame: (H, W, 3), the present one."""
        self._begin(frame)
        picture = self._last[place].copy()
        when = np.full(picture.shape[:2], self._look, np.int32)
        if self._hidden is not None:
            inner, outer = _overlap(place, self._hidden.place)
            near = self._hidden.near[outer]
            np.copyto(picture[inner], self._picture[place][inner], where=near[..., None])
            np.copyto(when[inner], self._when[place][inner], where=near)
        return picture, when

    def push(self, frame: np.ndarray, mask: np.ndarray, face: TrackedFace) -> None:
        """Remember what a frame shows. frame: (H, W, 3) uint8, or float32 in [0, 1]; mask: (H, W), over 0.5 = hole."""
        self._begin(frame)
        hidden = _hidden_by(mask)
        if hidden is not None:
            seen = self.recall(hidden.place, frame)
            self._picture[hidden.place], self._when[hidden.place] = seen
        self._hidden, self._last = hidden, frame
        self._look += 1
        if face.status != FrameStatus.MISSING:
            self._faces[self._look] = face.points[:MESH_POINT_COUNT, :2], face.visibility[:MESH_POINT_COUNT] > 0.5
        if self._look % TIDY == 0:
            present = {self._look}
            if hidden is not None:
                present |= set(np.unique(self._when[hidden.place]).tolist())
            self._faces = {look: seen for look, seen in self._faces.items() if look in present}

    def moved(self, when: np.ndarray, face: TrackedFace) -> np.ndarray:
        """How far the face has moved since the frames `when`, int32, in pixels; infinite where nobody can tell, and for
        0. The mean of what is in sight of it, and not moved by speech."""
        looks, index = np.unique(when, return_inverse=True)
        return np.array([self._moved(look, face) for look in looks.tolist()], np.float32)[index.reshape(when.shape)]

    def _moved(self, look: int, face: TrackedFace) -> float:
        points, seen = self._faces.get(look, (None, None))
        if points is None:
            return np.inf
        both = seen & (face.visibility[:MESH_POINT_COUNT] > 0.5)
        if both.sum() < FEWEST:
            return np.inf
        steps = np.linalg.norm(face.points[:MESH_POINT_COUNT, :2] - points, axis=1)[both]
        return float(np.average(steps, weights=rigidity()[both]))

    def _begin(self, frame: np.ndarray) -> None:
        if self._last is not None:
            return
        self._picture, self._when = np.zeros_like(frame), np.zeros(frame.shape[:2], np.int32)
        self._last = self._picture
        if self._start is not None and self._start.images[0].shape == frame.shape:
            picture = self._start.images[0]
            self._last = picture if frame.dtype == np.uint8 else picture.astype(frame.dtype) / 255
            self._look = 1
            self._faces[1] = self._start.points[0][:MESH_POINT_COUNT, :2], np.ones(MESH_POINT_COUNT, bool)


def _hidden_by(mask: np.ndarray) -> Hidden | None:
    """None for an empty mask."""
    hole = (mask > 0.5).view(np.uint8)
    x, y, width, height = cv2.boundingRect(hole)
    if not width:
        return None
    reach = max(round(AROUND * np.sqrt(cv2.countNonZero(hole))), 2)
    rows, columns = (
        slice(max(start - reach, 0) // COARSE * COARSE, min(start + length + reach, limit))
        for start, length, limit in ((y, height, mask.shape[0]), (x, width, mask.shape[1]))
    )
    part = hole[rows, columns]
    by = min(COARSE, reach)  # where the hole is small, so are the cells
    size = -(-part.shape[1] // by), -(-part.shape[0] // by)
    padded = cv2.copyMakeBorder(
        part, 0, size[1] * by - part.shape[0], 0, size[0] * by - part.shape[1], cv2.BORDER_CONSTANT, value=0
    )
    cells = cv2.resize(padded * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 0
    around = cv2.dilate(cells.view(np.uint8), np.ones((2 * (reach // by) + 1,) * 2, np.uint8))
    near = cv2.resize(around, None, fx=by, fy=by, interpolation=cv2.INTER_NEAREST) > 0
    return Hidden((rows, columns), near[: part.shape[0], : part.shape[1]])


def _overlap(place: Place, other: Place) -> tuple[Place, Place]:
    """The part that two places share, counted from the first's corner and from the other's."""
    low = [max(a.start, b.start) for a, b in zip(place, other, strict=True)]
    high = [max(min(a.stop, b.stop), start) for a, b, start in zip(place, other, low, strict=True)]
    inner, outer = (
        tuple(slice(start - p.start, stop - p.start) for start, stop, p in zip(low, high, where, strict=True))
        for where in (place, other)
    )
    return inner, outer
