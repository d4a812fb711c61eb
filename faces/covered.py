"""Landmarks of a face under a known mask, by analysis and synthesis with the person's own reference.

A face landmarker that sees a headset squeezes its mesh into what is left of the face: under a thin band over the eyes
its hole points are off by some 13 % of the eye distance, and even the visible nose and brows by 4 %. It is not
mistaken when it sees a face. So the hole is painted first: with the colour around it when nothing better is known,
then with the reference re-posed to the latest estimate. The landmarks of the completed picture give the next
estimate, which is carried from frame to frame by the motion of the visible skin.
"""

import cv2
import numpy as np

from .align import ReferenceAligner
from .detector import Face, FaceDetector
from .reference import Reference
from .topology import MESH_POINT_COUNT
from .track import visibility_under

FACE_SIDE = 256  # pixels; larger faces are shrunk to this, about what the landmarker looks at
FIRST_ROUNDS = 3  # syntheses in the first frame, where the estimate starts from plain colour


class ReferenceGuidedDetector:
    """A FaceDetector for covered faces: wraps one for uncovered faces and uses a reference of the person.

    Without a mask, or with an empty one, it is the wrapped detector.
    """

    def __init__(self, detector: FaceDetector, reference: Reference):
        self._detector = detector
        self._aligner = ReferenceAligner(reference)
        self._motion = SkinMotion()
        self._last: Face | None = None  # in the shrunk picture
        self._scale: float | None = None

    def detect(self, frame: np.ndarray, mask: np.ndarray | None = None) -> list[Face]:
        """Faces in an (H, W, 3) uint8 frame; `mask` (H, W), over 0.5 = covered. At most one face when masked."""
        if mask is None or not (mask > 0.5).any():
            self._last = None
            return self._detector.detect(frame)
        scale = self._shrink(frame, mask)
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        hole = cv2.resize((mask > 0.5).astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0
        face = self._find(small, hole)
        return [] if face is None else [Face((face.points / scale).astype(np.float32), face.blendshapes)]

    def _find(self, frame: np.ndarray, hole: np.ndarray) -> Face | None:
        if self._last is None:
            self._motion.start(frame, hole)
            face, rounds = _most_covered(self._detector.detect(frame, hole), hole), FIRST_ROUNDS
        else:
            face, rounds = self._motion.carry(self._last, frame, hole), 1
        for _ in range(rounds):
            if face is not None:
                face = _most_covered(self._detector.detect(self._complete(frame, hole, face.points)), hole)
        self._last = face
        return face

    def _shrink(self, frame: np.ndarray, mask: np.ndarray) -> float:
        """Scale, at most 1, at which this clip is looked at; settled by its first face, found on the painted frame."""
        if self._scale is None:
            face = _most_covered(self._detector.detect(frame, mask), mask > 0.5)
            if face is None:
                return 1.0
            self._scale = min(FACE_SIDE / face.size, 1.0)
        return self._scale

    def _complete(self, frame: np.ndarray, hole: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The frame with the re-posed reference in its hole."""
        aligned, kind = self._aligner(points, visibility_under(points, hole), hole)
        return np.where((kind > 0)[..., None], aligned, frame)

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
