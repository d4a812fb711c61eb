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

from ..tracking.crop import Crop
from ..tracking.geometry import MESH_POINT_COUNT, rigidity
from ..tracking.reference import Reference
from ..tracking.track import FrameStatus, TrackedFace

AROUND = 0.25  # of the side of a square as large as the hole: what is so near to it is not remembered anew
FEWEST = 20  # points in sight then and now by which a movement is measured
SOFT = 1 / 64  # crop sides: of the edge of the face
FARTHEST = 1.0  # crop sides: what is said to have moved where that cannot be measured
TIDY = 64  # frames after which the faces are dropped of which nothing is remembered any more


@dataclass(frozen=True)
class Memory:
    """What is remembered in one frame's crop of S x S pixels. picture: (S, S, 3) of the frame's type; known: (S, S)
    uint8, 1 where anything is; moved: (S, S) float32, how far the face has moved since, in crop sides, where the face
    is, and 0 beside it."""

    picture: np.ndarray
    known: np.ndarray
    moved: np.ndarray


class FrameMemory:
    """Feed the frames of one clip in order with `push`; `take` before that tells what earlier frames showed.

    reference: where its first picture has the size of the frames it was probably taken with the same camera, and is
    what is remembered at the start; otherwise nothing is.
    """

    def __init__(self, reference: Reference | None):
        self._start = reference
        self._picture: np.ndarray | None = None
        self._when: np.ndarray | None = None  # number of the look by which a place is known, 0 for never
        self._looks = 1
        self._faces: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # points and which are in sight, by look

    def take(self, crop: Crop, pixels: int, frame: np.ndarray, face: TrackedFace) -> Memory:
        """For the crop of a frame, of `pixels` a side, and the face in it."""
        self._begin(frame)
        when = crop.take(self._when, pixels, nearest=True).astype(np.int64)
        moved = np.zeros(when.shape, np.float32)
        for look in np.unique(when[when > 0]):
            moved[when == look] = self._moved(look, face) / crop.side
        moved = np.minimum(moved, FARTHEST) * _face_area(crop, pixels, face)
        return Memory(crop.take(self._picture, pixels), (when > 0).astype(np.uint8), moved)

    def push(self, frame: np.ndarray, mask: np.ndarray, face: TrackedFace) -> None:
        """Remember what a frame shows. frame: (H, W, 3) uint8, or float32 in [0, 1]; mask: (H, W), over 0.5 = hole."""
        self._begin(frame)
        hole = (mask > 0.5).astype(np.uint8)
        reach = max(round(AROUND * np.sqrt(hole.sum())), 2)
        shown = cv2.dilate(hole, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) == 0
        np.copyto(self._picture, frame, where=shown[..., None])
        self._looks += 1
        self._when[shown] = self._looks
        if face.status != FrameStatus.MISSING:
            self._faces[self._looks] = face.points[:MESH_POINT_COUNT, :2], face.visibility[:MESH_POINT_COUNT] > 0.5
        if self._looks % TIDY == 0:
            present = set(np.unique(self._when).astype(int).tolist())
            self._faces = {look: seen for look, seen in self._faces.items() if look in present}

    def _moved(self, look: int, face: TrackedFace) -> float:
        """How far what is in sight of the face, and not moved by speech, has moved since, in pixels of the frame."""
        points, seen = self._faces.get(look, (None, None))
        if points is None:
            return np.inf
        both = seen & (face.visibility[:MESH_POINT_COUNT] > 0.5)
        if both.sum() < FEWEST:
            return np.inf
        steps = np.linalg.norm(face.points[:MESH_POINT_COUNT, :2] - points, axis=1)[both]
        return float(np.average(steps, weights=rigidity()[both]))

    def _begin(self, frame: np.ndarray) -> None:
        if self._picture is not None:
            return
        self._picture, self._when = np.zeros_like(frame), np.zeros(frame.shape[:2], np.float32)
        if self._start is not None and self._start.images[0].shape == frame.shape:
            scale = 1 if frame.dtype == np.uint8 else 1 / 255
            self._picture[:] = self._start.images[0] * scale if scale != 1 else self._start.images[0]
            self._when[:] = self._looks
            points = self._start.points[0][:MESH_POINT_COUNT, :2]
            self._faces[self._looks] = points, np.ones(len(points), bool)


def _face_area(crop: Crop, pixels: int, face: TrackedFace) -> np.ndarray:
    """(S, S) float32: 1 on the face, 0 beside it, with a soft edge."""
    points = crop.to_crop(face.points[:MESH_POINT_COUNT], pixels)[:, :2]
    area = np.zeros((pixels, pixels), np.float32)
    cv2.fillConvexPoly(area, cv2.convexHull(np.round(points).astype(np.int32)), 1.0)
    return cv2.GaussianBlur(area, (0, 0), SOFT * pixels)
