"""What the covered-face landmarker sees in a crop around a head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .crop import Crop
from .geometry import pose_scale, transform
from .track import DevicePatch

if TYPE_CHECKING:
    from ..models.covered_landmarks import CoveredLandmarkNet, LandmarkPrediction

BATCH = 32  # crops that the network sees at once


@dataclass(frozen=True)
class Sighting:
    """What the landmarker says of one crop, in frame pixels.

    looked_at: that crop. crop: the ideal one of the same head, upright and centred. presence: in [0, 1], there is a
    head. points, visibility, deviation, device: as in tracking.track.Face. covariance: (478, 2, 2) pixels squared.
    pose: (4, 4), face coordinates to pixels.
    """

    looked_at: Crop
    crop: Crop
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


def head_crop(pose: np.ndarray) -> Crop:
    """The crop for a (4, 4) head pose that the landmarker sees best."""
    from ..models.covered_landmarks import CROP_CENTIMETRES, CROP_CENTRE

    return Crop.around(pose, CROP_CENTIMETRES, CROP_CENTRE)


def look(net: "CoveredLandmarkNet", frame: np.ndarray, crops: Sequence[Crop]) -> list[Sighting]:
    """Run the network on crops of an (H, W, 3) uint8 RGB frame; one Sighting for each, in order."""
    return look_at(net, [(frame, crop) for crop in crops])


def look_at(net: "CoveredLandmarkNet", views: Sequence[tuple[np.ndarray, Crop]]) -> list[Sighting]:
    """`look` at crops of several frames together, which takes half as long for each on a CPU."""
    import torch

    from ..models.covered_landmarks import INPUT_SIDE

    device = next(net.parameters()).device
    sightings: list[Sighting] = []
    for start in range(0, len(views), BATCH):
        some = views[start : start + BATCH]
        pictures = torch.from_numpy(np.stack([crop.shrunk(frame, INPUT_SIDE) for frame, crop in some]))
        with torch.inference_mode():
            seen = net(pictures.to(device).permute(0, 3, 1, 2).float() / 255)
        sightings += _sightings(seen, [crop for _, crop in some])
    return sightings


def _sightings(seen: "LandmarkPrediction", crops: Sequence[Crop]) -> list[Sighting]:
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
                crop=head_crop(pose),
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


def _cell_matrix(crop: Crop, cells: int) -> np.ndarray:
    """(2, 3) from frame pixels to the cells of the mask, each of which covers a square of input pixels."""
    from ..models.covered_landmarks import INPUT_SIDE

    size = INPUT_SIDE / cells
    matrix = crop.matrix(INPUT_SIDE) / size
    matrix[:, 2] -= (size - 1) / 2 / size
    return matrix
