"""Landmarks of a face under a known mask, by analysis and synthesis with the person's own reference.

A face landmarker that sees a headset squeezes its mesh into what is left of the face, and moves even the visible nose
and brows. It is not mistaken when it sees a face. So the hole is painted first: with the colour around it when nothing
better is known, then with the reference re-posed to the latest estimate. The landmarks of the completed picture give
the next estimate, which is carried from frame to frame by the motion of the visible skin.
"""

import cv2
import numpy as np

from .align import ReferenceAligner
from .detector import Face, FaceDetector
from .reference import Reference
from .topology import MESH_POINT_COUNT
from .track import visibility_under

HOLE_SIDE = 220  # pixels; frames with a wider hole are shrunk to this, where the face is as large as a landmarker needs
FIRST_ROUNDS = 3  # syntheses in the first frame, where the estimate is rough
FACE_BY_HOLE = (0.7, 0.85, 1.0)  # guesses at the face's width, by the hole's: a wide device, and a band


class ReferenceGuidedDetector:
    """A FaceDetector for covered faces: wraps one for uncovered faces and uses a reference of the person.

    Without a mask, or with an empty one, it is the wrapped detector.
    """

    def __init__(self, detector: FaceDetector, reference: Reference):
        self._detector = detector
        self._reference = reference
        self._aligner = ReferenceAligner(reference)
        self._motion = SkinMotion()
        self._last: Face | None = None  # in the shrunk picture
        self._scale: float | None = None

    def detect(self, frame: np.ndarray, mask: np.ndarray | None = None) -> list[Face]:
        """Faces in an (H, W, 3) uint8 frame; `mask` (H, W), over 0.5 = covered. At most one face when masked."""
        if mask is None or not (mask > 0.5).any():
            self._last = None
            return self._detector.detect(frame)
        hole = (mask > 0.5).astype(np.uint8)
        if self._scale is None:
            self._scale = min(HOLE_SIDE / _long_side(hole)[1], 1.0)
        scale = self._scale
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        hole = cv2.resize(hole, small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0
        if self._last is None:
            self._motion.start(small, hole)
            self._last = self._acquire(small, hole)
        else:
            guess = self._motion.carry(self._last, small, hole)
            self._last = self._refine(small, hole, guess)
        if self._last is None:
            return []
        return [Face((self._last.points / scale).astype(np.float32), self._last.blendshapes)]

    def _acquire(self, frame: np.ndarray, hole: np.ndarray) -> Face | None:
        """Find the face without knowing where it was: of several first guesses the one that proves most consistent."""
        painted = _most_covered(self._detector.detect(frame, hole), hole)
        guesses = [] if painted is None else [painted]
        guesses += [_behind(hole, self._reference.points[0], share) for share in FACE_BY_HOLE]
        best, least = None, np.inf
        for guess in guesses:
            face, change = guess, np.inf
            for _ in range(FIRST_ROUNDS):
                before, face = face, self._refine(frame, hole, face)
                if face is None:
                    break
                change = float(np.linalg.norm((face.points - before.points)[:, :2], axis=1).mean()) / face.size
            if face is not None and change < least:
                best, least = face, change
        return best

    def _refine(self, frame: np.ndarray, hole: np.ndarray, face: Face) -> Face | None:
        """One round: complete the picture by the estimate, and look at it."""
        aligned, kind = self._aligner(face.points, visibility_under(face.points, hole), hole)
        completed = np.where((kind > 0)[..., None], aligned, frame)
        return _most_covered(self._detector.detect(completed), hole)

    def close(self) -> None:
        self._detector.close()


class SkinMotion:
    """Moves a face from one frame to the next by the optical flow of its visible skin (pyramidal Lucas-Kanade)."""

    FEWEST = 10  # tracked points below which the motion is not trusted

    def __init__(self) -> None:
        self._grey: np.ndarray | None = None
        self._hole: np.ndarray | None = None

    def start(self, frame: np.ndarray, hole: np.ndarray) -> None:
        self._grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        self._hole = cv2.dilate(hole.astype(np.uint8), np.ones((9, 9), np.uint8))

    def carry(self, face: Face, frame: np.ndarray, hole: np.ndarray) -> Face:
        """`face` of the frame before, moved by the similarity that most of its visible points follow."""
        before, seen = self._grey, visibility_under(face.points, self._hole) > 0.5
        self.start(frame, hole)
        start = face.points[:MESH_POINT_COUNT][seen[:MESH_POINT_COUNT], :2].astype(np.float32)
        if len(start) < self.FEWEST:
            return face
        end, tracked, _ = cv2.calcOpticalFlowPyrLK(before, self._grey, start, None, winSize=(15, 15), maxLevel=3)
        good = tracked[:, 0] > 0
        if good.sum() < self.FEWEST:
            return face
        motion, _ = cv2.estimateAffinePartial2D(start[good], end[good], ransacReprojThreshold=1.5)
        if motion is None:
            return face
        points = face.points.copy()
        points[:, :2] = points[:, :2] @ motion[:, :2].T + motion[:, 2]
        points[:, 2] *= np.sqrt(abs(np.linalg.det(motion[:, :2])))
        return Face(points.astype(np.float32), face.blendshapes)


def _most_covered(faces: list[Face], hole: np.ndarray) -> Face | None:
    """The face that the hole hides most of, if it hides any."""
    hidden = [float((visibility_under(face.points, hole) == 0).mean()) for face in faces]
    best = int(np.argmax(hidden)) if faces else -1
    return faces[best] if faces and hidden[best] > 0.05 else None


def _long_side(hole: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Centre (x, y), length in pixels and direction in radians, within a quarter turn of level, of the hole's box."""
    ys, xs = np.nonzero(hole)
    centre, (width, height), angle = cv2.minAreaRect(np.column_stack([xs, ys]).astype(np.float32))
    if width < height:
        width, angle = height, angle - 90
    return np.array(centre), max(width, 1.0), np.radians((angle + 90) % 180 - 90)


def _behind(hole: np.ndarray, model: np.ndarray, share: float) -> Face:
    """The person's mesh, (478, 3), set behind the hole: eyes at its middle, `share` of its length wide, as it tilts."""
    centre, length, tilt = _long_side(hole)
    eyes = model[[33, 263], :2].astype(np.float64)
    level = tilt - np.arctan2(*(eyes[1] - eyes[0])[::-1])
    scale = share * length / np.linalg.norm(model[454, :2] - model[234, :2])
    turn = scale * np.array([[np.cos(level), -np.sin(level)], [np.sin(level), np.cos(level)]])
    points = np.column_stack([(model[:, :2] - eyes.mean(0)) @ turn.T + centre, model[:, 2] * scale])
    return Face(points.astype(np.float32), np.zeros(0, np.float32))
