"""Upright square crops around heads, and what the covered-face landmarker sees in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .detector import DevicePatch
from .geometry import pose_angles, pose_scale, transform

if TYPE_CHECKING:
    from ..models.covered_landmarks import CoveredLandmarkNet, LandmarkPrediction

BATCH = 32  # crops that the network sees at once


@dataclass(frozen=True)
class HeadCrop:
    """A square of the picture: its centre (x, y) and side in pixels, turned clockwise by `roll` degrees."""

    x: float
    y: float
    side: float
    roll: float = 0.0

    @classmethod
    def around(cls, pose: np.ndarray) -> "HeadCrop":
        """The upright, centred crop for a (4, 4) head pose: what the landmarker sees best."""
        from ..models.covered_landmarks import CROP_CENTIMETRES, CROP_CENTRE

        x, y, _ = transform(pose, np.array(CROP_CENTRE))
        return cls(float(x), float(y), CROP_CENTIMETRES * pose_scale(pose), float(pose_angles(pose)[2]))

    def matrix(self, pixels: int) -> np.ndarray:
        """(2, 3) from frame pixels to those of the crop resampled to `pixels` x `pixels`."""
        angle, scale = np.radians(self.roll), pixels / self.side
        turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return np.column_stack([turn, pixels / 2 - turn @ (self.x, self.y)])

    def to_frame(self) -> np.ndarray:
        """(4, 4) from crop sides, origin at the upper left corner, to frame pixels; z is scaled alike."""
        angle = np.radians(self.roll)
        matrix = np.diag([self.side, self.side, self.side, 1.0])
        matrix[:2, :2] = self.side * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix[:2, 3] = (self.x, self.y) - matrix[:2, :2] @ (0.5, 0.5)
        return matrix

    def misplaced(self, right: float, down: float, factor: float, roll: float) -> "HeadCrop":
        """This crop shifted by so many of its sides, enlarged by a factor and turned by degrees."""
        return HeadCrop(self.x + right * self.side, self.y + down * self.side, self.side * factor, self.roll + roll)

    def moved(self, by: np.ndarray) -> "HeadCrop":
        """The crop (x, y) pixels away."""
        return replace(self, x=self.x + float(by[0]), y=self.y + float(by[1]))

    def window(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of a frame of `size` (height, width) that the crop touches."""
        turn = np.radians(self.roll)
        reach = self.side * (abs(np.cos(turn)) + abs(np.sin(turn))) / 2 + 2
        rows, columns = (
            slice(int(np.clip(middle - reach, 0, length - 1)), int(np.clip(np.ceil(middle + reach), 1, length)))
            for middle, length in ((self.y, size[0]), (self.x, size[1]))
        )
        return rows, columns

    def overlaps(self, other: "HeadCrop") -> bool:
        """Whether the two cannot be crops of two heads: their middles are within half the larger side (17 cm)."""
        return bool(np.hypot(self.x - other.x, self.y - other.y) < max(self.side, other.side) / 2)


@dataclass(frozen=True)
class Sighting:
    """What the landmarker says of one crop, in frame pixels.

    looked_at: that crop. crop: the ideal one of the same head, upright and centred. presence: in [0, 1], there is a
    head. points, visibility, deviation, device: as in tracking.detector.Face. covariance: (478, 2, 2) pixels squared.
    pose: (4, 4), face coordinates to pixels.
    """

    looked_at: HeadCrop
    crop: HeadCrop
    presence: float
    points: np.ndarray
    visibility: np.ndarray
    deviation: np.ndarray
    covariance: np.ndarray
    pose: np.ndarray
    device: DevicePatch

    @property
    def quality(self) -> float:
        """Presence, halved where the points are uncertain by a centimetre."""
        return self.presence / (1 + float(self.deviation.mean()) / pose_scale(self.pose))

    @property
    def moved(self) -> float:
        """How far the head is from the middle of the crop that was looked at, in its sides."""
        return float(np.hypot(self.crop.x - self.looked_at.x, self.crop.y - self.looked_at.y)) / self.looked_at.side

    @property
    def grown(self) -> float:
        """Side of the ideal crop by that of the crop that was looked at."""
        return self.crop.side / self.looked_at.side


def look(net: "CoveredLandmarkNet", frame: np.ndarray, crops: Sequence[HeadCrop]) -> list[Sighting]:
    """Run the network on crops of an (H, W, 3) uint8 RGB frame; one Sighting for each, in order."""
    import torch

    from ..models.covered_landmarks import INPUT_SIDE

    device = next(net.parameters()).device
    sightings: list[Sighting] = []
    for start in range(0, len(crops), BATCH):
        some = crops[start : start + BATCH]
        pictures = torch.from_numpy(np.stack([resample(frame, crop, INPUT_SIDE) for crop in some]))
        with torch.inference_mode():
            seen = net(pictures.to(device).permute(0, 3, 1, 2).float() / 255)
        sightings += _sightings(seen, some)
    return sightings


def resample(frame: np.ndarray, crop: HeadCrop, pixels: int) -> np.ndarray:
    """The crop of an (H, W, 3) frame as (pixels, pixels, 3); beyond the picture its edge repeats."""
    matrix = crop.matrix(pixels)
    shrink = int(crop.side / pixels)
    if shrink > 1:  # warpAffine takes no averages: whole pixels are averaged first, of the part that is needed
        rows, columns = crop.window(frame.shape[:2])
        part = frame[rows, columns]
        size = (part.shape[1] // shrink, part.shape[0] // shrink)
        if min(size) > 0:
            frame = cv2.resize(part[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
            # Where the middle of pixel 0 of the small picture lies in the large one.
            corner = np.array([columns.start, rows.start]) + (shrink - 1) / 2
            matrix = np.column_stack([matrix[:, :2] * shrink, matrix[:, 2] + matrix[:, :2] @ corner])
    return cv2.warpAffine(frame, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _sightings(seen: "LandmarkPrediction", crops: Sequence[HeadCrop]) -> list[Sighting]:
    from ..models.covered_landmarks import MASK_SIDE

    points, poses = seen.points.cpu().numpy(), seen.pose.cpu().numpy().astype(np.float64)
    presence = seen.present.sigmoid().cpu().numpy()
    masks = seen.mask.sigmoid().cpu().numpy()
    first, across, second = seen.spread.unbind(2)
    zero = first.new_zeros(first.shape)
    factors = np.stack([x.cpu().numpy() for x in (first, zero, across, second)], -1).reshape(*first.shape, 2, 2)
    sightings = []
    for i, crop in enumerate(crops):
        to_frame = crop.to_frame()
        pose = to_frame @ poses[i]
        factor = to_frame[:2, :2].astype(np.float32) @ factors[i]
        covariance = factor @ factor.transpose(0, 2, 1)
        sightings.append(
            Sighting(
                looked_at=crop,
                crop=HeadCrop.around(pose),
                presence=float(presence[i]),
                points=transform(to_frame, points[i]).astype(np.float32),
                visibility=1 - _under(masks[i], points[i]),
                deviation=np.sqrt(np.trace(covariance, axis1=1, axis2=2) / 2),
                covariance=covariance,
                pose=pose,
                device=DevicePatch(masks[i], _cell_matrix(crop, MASK_SIDE)),
            )
        )
    return sightings


def _under(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(478,) how much of the device lies at each of the points, which are in crop sides.

    The map of the device tells uncovered faces from covered ones, which the network's own guess of what is visible,
    made from the whole face, does not do well.
    """
    cells = (points[:, :2] * len(mask) - 0.5).astype(np.float32)
    return cv2.remap(mask, cells[:, :1], cells[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]


def _cell_matrix(crop: HeadCrop, cells: int) -> np.ndarray:
    """(2, 3) from frame pixels to the cells of the mask, each of which covers a square of input pixels."""
    from ..models.covered_landmarks import INPUT_SIDE

    size = INPUT_SIDE / cells
    matrix = crop.matrix(INPUT_SIDE) / size
    matrix[:, 2] -= (size - 1) / 2 / size
    return matrix
