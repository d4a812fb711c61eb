"""The square crop that follows the head: one smoothed similarity per frame, from points a headset leaves in sight."""

from dataclasses import dataclass

import cv2
import numpy as np

from .geometry import BELOW_HEADSET, canonical_points, certainty, fit_similarity, pose_angles, pose_scale, transform
from .smoothing import OneEuro
from .track import FaceTrack, FrameStatus, TrackedFace

CROP_SIDE = 30.0  # centimetres: the face is 15.5 wide and 17.7 high, and a device protrudes when the head turns
CROP_CENTRE = (0.0, -1.0, -3.0)  # face coordinates, centimetres


@dataclass(frozen=True)
class Crop:
    """Where a frame's square crop lies. matrix: (2, 3) from frame pixels to crop pixels; side: its size S."""

    matrix: np.ndarray
    side: int

    @property
    def scale(self) -> float:
        """Crop pixels by frame pixels."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def take(self, image: np.ndarray, *, nearest: bool = False) -> np.ndarray:
        """Resample (H, W) or (H, W, C) into (S, S) or (S, S, C); beyond the picture its edge pixels repeat."""
        flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        return cv2.warpAffine(image, self.matrix, (self.side, self.side), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) frame pixels to crop pixels; z is scaled alike."""
        out = np.empty(points.shape, np.float64)
        out[:, :2] = points[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2]
        out[:, 2] = points[:, 2] * self.scale
        return out


class CropTrack:
    """Causal crops of one clip: feed the frames' faces in order.

    The similarity comes from the head pose fitted to the points below a headset alone, so that training on
    uncovered faces and use on covered ones see the same crop, and is smoothed by a One-Euro filter (Casiez et al.
    2012) in units of frames: a still head gets a still crop, a fast one is followed without lag.
    """

    def __init__(self, side: int):
        self.side = side
        self._filter = OneEuro(min_cutoff=0.05, beta=2.0)

    def push(self, face: TrackedFace) -> Crop | None:
        """The crop for the next frame; None where the face is missing."""
        if face.status == FrameStatus.MISSING:
            return None
        x, y, log_scale, roll = self._filter(self._estimate(face))
        scale = np.exp(log_scale) * CROP_SIDE / self.side  # frame pixels per crop pixel
        turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]) / scale
        unit = np.exp(log_scale) * CROP_SIDE
        offset = np.array([self.side / 2, self.side / 2]) - turn @ (np.array([x, y]) * unit)
        return Crop(np.column_stack([turn, offset]), self.side)

    @staticmethod
    def _estimate(face: TrackedFace) -> np.ndarray:
        """Centre in crop sides, log of pixels per centimetre, roll in radians: units in which noise compares."""
        index = np.array(BELOW_HEADSET)
        sure = certainty(face.points, face.deviation)[index]
        weights = face.visibility[index] * sure
        if weights.sum() < 6:  # too little in sight: what is out of sight is better than nothing
            weights = sure
        pose = fit_similarity(canonical_points()[index], face.points[index].astype(np.float64), weights)
        centre = transform(pose, np.array(CROP_CENTRE))[:2]
        scale = pose_scale(pose)
        return np.array([*(centre / (scale * CROP_SIDE)), np.log(scale), np.radians(pose_angles(pose)[2])])


def crop_side_for(face: TrackedFace, *, smallest: int = 128, largest: int = 768) -> int:
    """Crop size S at which a crop pixel is about a frame pixel, a multiple of 32 within the given limits."""
    side = CROP_SIDE * pose_scale(face.pose)
    return int(np.clip(np.ceil(side / 32) * 32, smallest, largest))


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
