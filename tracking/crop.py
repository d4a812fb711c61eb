"""The square crop around a head, of a size in centimetres, and how it follows the head through a clip."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .geometry import BELOW_HEADSET, canonical_points, certainty, fit_similarity, pose_angles, pose_scale, transform
from .smoothing import OneEuro
from .track import USUAL_RATE, FaceTrack, FrameStatus, TrackedFace

# What is filled in: the face is 15.5 cm wide and 17.7 high, and a device protrudes when the head turns.
FILLED = 30.0  # centimetres, a side
FILLED_CENTRE = (0.0, -1.0, -3.0)  # face coordinates, centimetres
CLIP_MARGIN = 1.25  # side of the square for a whole clip, at least, by the room that the face moves in


@dataclass(frozen=True)
class Crop:
    """A square of the picture: its centre (x, y) and side in pixels, turned clockwise by `roll` degrees."""

    x: float
    y: float
    side: float
    roll: float = 0.0

    @classmethod
    def around(cls, pose: np.ndarray, centimetres: float, centre: tuple[float, float, float]) -> "Crop":
        """The upright crop for a (4, 4) head pose. centimetres: its side; centre: its middle in face coordinates."""
        x, y, _ = transform(pose, np.array(centre))
        return cls(float(x), float(y), centimetres * pose_scale(pose), float(pose_angles(pose)[2]))

    @classmethod
    def of_clip(cls, track: FaceTrack, margin: float) -> "Crop":
        """One that stays where it is, and holds the face in every frame in which it is known. margin: side by size of
        the face."""
        points = track.points[track.status != FrameStatus.MISSING][..., :2]
        low, high = points.min((0, 1)), points.max((0, 1))
        side = float(max(margin * np.median(np.ptp(points, axis=1).max(1)), CLIP_MARGIN * (high - low).max()))
        x, y = (low + high) / 2
        return cls(float(x), float(y), side)

    def scale(self, pixels: int) -> float:
        """Crop pixels by frame pixels, where the crop is resampled to `pixels` x `pixels`."""
        return pixels / self.side

    def matrix(self, pixels: int) -> np.ndarray:
        """(2, 3) from frame pixels to those of the crop resampled to `pixels` x `pixels`."""
        angle, scale = np.radians(self.roll), self.scale(pixels)
        turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return np.column_stack([turn, pixels / 2 - turn @ (self.x, self.y)])

    def to_frame(self) -> np.ndarray:
        """(4, 4) from crop sides, origin at the upper left corner, to frame pixels; z is scaled alike."""
        angle = np.radians(self.roll)
        matrix = np.diag([self.side, self.side, self.side, 1.0])
        matrix[:2, :2] = self.side * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix[:2, 3] = (self.x, self.y) - matrix[:2, :2] @ (0.5, 0.5)
        return matrix

    def take(self, image: np.ndarray, pixels: int, *, nearest: bool = False) -> np.ndarray:
        """Resample (H, W) or (H, W, C) into `pixels` x `pixels`; beyond the picture its edge pixels repeat."""
        flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        return cv2.warpAffine(image, self.matrix(pixels), (pixels,) * 2, flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def shrunk(self, image: np.ndarray, pixels: int) -> np.ndarray:
        """`take`, which averages where a pixel of the crop covers several of the picture."""
        matrix = self.matrix(pixels)
        shrink = int(self.side / pixels)
        if shrink > 1:  # warpAffine takes no averages: whole pixels are averaged first, of the part that is needed
            rows, columns = self.window(image.shape[:2])
            part = image[rows, columns]
            size = (part.shape[1] // shrink, part.shape[0] // shrink)
            if min(size) > 0:
                image = cv2.resize(part[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
                # Where the middle of pixel 0 of the small picture lies in the large one.
                corner = np.array([columns.start, rows.start]) + (shrink - 1) / 2
                matrix = np.column_stack([matrix[:, :2] * shrink, matrix[:, 2] + matrix[:, :2] @ corner])
        return cv2.warpAffine(image, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def to_crop(self, points: np.ndarray, pixels: int) -> np.ndarray:
        """(..., 3) frame pixels to pixels of the crop; z is scaled alike."""
        matrix = self.matrix(pixels)
        out = np.empty(points.shape, np.float64)
        out[..., :2] = points[..., :2] @ matrix[:, :2].T + matrix[:, 2]
        out[..., 2] = points[..., 2] * self.scale(pixels)
        return out

    def window(self, size: tuple[int, int], beyond: float = 0.0) -> tuple[slice, slice]:
        """Rows and columns of a frame of `size` (height, width) that the crop touches, grown by so many of its sides
        all around."""
        turn = np.radians(self.roll)
        reach = self.side * (0.5 + beyond) * (abs(np.cos(turn)) + abs(np.sin(turn))) + 2
        rows, columns = (
            slice(int(np.clip(middle - reach, 0, length - 1)), int(np.clip(np.ceil(middle + reach), 1, length)))
            for middle, length in ((self.y, size[0]), (self.x, size[1]))
        )
        return rows, columns

    def misplaced(self, right: float, down: float, factor: float, roll: float) -> "Crop":
        """This crop shifted by so many of its sides, enlarged by a factor and turned by degrees."""
        return Crop(self.x + right * self.side, self.y + down * self.side, self.side * factor, self.roll + roll)

    def scaled(self, by: float) -> "Crop":
        """The same crop of a picture that is so many times as large, places counted from its corner."""
        return replace(self, x=self.x * by, y=self.y * by, side=self.side * by)

    def moved(self, by: np.ndarray) -> "Crop":
        """The crop (x, y) pixels away."""
        return replace(self, x=self.x + float(by[0]), y=self.y + float(by[1]))

    def on_pixels(self) -> "Crop":
        """About the same upright crop, of whole pixels: what is cut out without another size is not blurred."""
        side = float(round(self.side))
        left, top = (float(round(middle - self.side / 2)) for middle in (self.x, self.y))
        return Crop(left + side / 2, top + side / 2, side)

    def overlaps(self, other: "Crop") -> bool:
        """Whether the two cannot be crops of two heads: their middles are within half the larger side."""
        return bool(np.hypot(self.x - other.x, self.y - other.y) < max(self.side, other.side) / 2)


class CropTrack:
    """The crops of one scene that are filled in: feed the frames' faces in order.

    The similarity comes from the head pose fitted to the points below a headset alone, so that training on
    uncovered faces and use on covered ones see the same crop, and is smoothed by a One-Euro filter (Casiez et al.
    2012): a still head gets a still crop, a fast one is followed without lag. fps: frames a second.
    """

    def __init__(self, fps: float = USUAL_RATE) -> None:
        self._filter = OneEuro(min_cutoff=0.05, beta=2.0, fps=fps)

    def push(self, face: TrackedFace) -> Crop:
        """The crop for the next frame in which the face is not missing."""
        x, y, log_scale, roll = self._filter(self._estimate(face))
        side = float(np.exp(log_scale)) * FILLED
        return Crop(float(x) * side, float(y) * side, side, float(np.degrees(roll)))

    @staticmethod
    def _estimate(face: TrackedFace) -> np.ndarray:
        """Centre in crop sides, log of pixels per centimetre, roll in radians: units in which noise compares."""
        index = np.array(BELOW_HEADSET)
        sure = certainty(face.points, face.deviation)[index]
        weights = face.visibility[index] * sure
        if weights.sum() < 6:  # too little in sight: what is out of sight is better than nothing
            weights = sure
        pose = fit_similarity(canonical_points()[index], face.points[index].astype(np.float64), weights)
        centre = transform(pose, np.array(FILLED_CENTRE))[:2]
        scale = pose_scale(pose)
        return np.array([*(centre / (scale * FILLED)), np.log(scale), np.radians(pose_angles(pose)[2])])
