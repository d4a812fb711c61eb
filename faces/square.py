"""A fixed square around a face that moves: what is left of a clip when all else is cut off."""

from dataclasses import dataclass

import cv2
import numpy as np

from .track import FaceTrack, FrameStatus


@dataclass(frozen=True)
class Square:
    """Frame pixels: the upper left corner and the length of a side."""

    left: float
    top: float
    side: float

    @classmethod
    def around(cls, track: FaceTrack, margin: float) -> "Square":
        """That holds the face in every frame in which it is known. margin: side by size of the face."""
        points = track.points[track.status != FrameStatus.MISSING][..., :2]
        low, high = points.min((0, 1)), points.max((0, 1))
        side = max(margin * np.median(np.ptp(points, axis=1).max(1)), 1.25 * (high - low).max())
        left, top = (low + high) / 2 - side / 2
        return cls(float(left), float(top), float(side))

    def on_pixels(self) -> "Square":
        """About the same one, of whole pixels: what is cut out without another size is not blurred."""
        return Square(float(round(self.left)), float(round(self.top)), float(round(self.side)))

    def cut(self, frame: np.ndarray, size: int) -> np.ndarray:
        """(H, W, 3) to (size, size, 3); beyond the picture its edge repeats."""
        scale = size / self.side
        matrix = np.array([[scale, 0, -self.left * scale], [0, scale, -self.top * scale]])
        return cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def moved(self, points: np.ndarray, size: int) -> np.ndarray:
        """(..., 3) frame pixels to pixels of what `cut` gives; z is scaled alike."""
        scale = size / self.side
        return ((points - np.array([self.left, self.top, 0.0])) * scale).astype(np.float32)
