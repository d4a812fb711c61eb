"""Pictures that carry their own coordinates, and a landmarker that reads them: where a crop was cut is known from it.

It stands in for the trained network, of which it has the interface and the tolerance, but no mistakes of its own: what
is off in a test is off in the cropping, searching and following.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from faces_of import turned
from torch import nn

from hmd_removal.models.covered_landmarks import ANCHORS, CROP_CENTIMETRES, CROP_CENTRE, MASK_SIDE, LandmarkPrediction
from hmd_removal.tracking.crop import Crop
from hmd_removal.tracking.geometry import head_pose
from hmd_removal.tracking.sighting import head_crop

HEIGHT, WIDTH = 300, 400
DEVIATION = 0.01  # crop sides
_UNCOVERED = np.full((MASK_SIDE, MASK_SIDE), -9.0)


@dataclass(frozen=True)
class Head:
    """A head in a picture: centre in pixels, pixels a centimetre, roll in degrees; covered: nothing above y is seen."""

    x: float
    y: float
    scale: float = 4.0
    roll: float = 0.0
    covered: bool = True

    @property
    def points(self) -> np.ndarray:
        """(478, 3) pixels."""
        shift = (self.x, self.y, 0) - self.scale * np.array(CROP_CENTRE)
        return (turned(roll=self.roll) - (200, 150, 0)) * self.scale / 10 + shift


def picture(number: int = 0) -> np.ndarray:
    """(300, 400, 3) uint8: red is x, green is y, and blue the number of the frame, from 0 to 255."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x / WIDTH * 255, y / HEIGHT * 255, np.full(x.shape, number)], axis=2).round().astype(np.uint8)


def places(frame: np.ndarray) -> list[Crop]:
    """Everywhere, in place of the head finder: crops of three sizes that no head of the scenes falls between."""
    return [
        Crop(x, y, side)
        for side in (48.0, 96.0, 190.0)
        for y in np.arange(0.2 * side, HEIGHT, 0.4 * side)
        for x in np.arange(0.2 * side, WIDTH, 0.4 * side)
    ]


class CodedNet(nn.Module):
    """The landmarker of a scene. scene: the heads in each frame, by its number."""

    def __init__(self, scene: dict[int, Sequence[Head]]):
        super().__init__()
        self._device_holder = nn.Parameter(torch.zeros(1))
        self._scene = scene
        self.crops = 0  # looked at so far

    def forward(self, crops: torch.Tensor) -> LandmarkPrediction:
        self.crops += len(crops)
        few = crops[:, :, ::8, ::8].permute(0, 2, 3, 1).numpy().reshape(len(crops), -1, 3)
        numbers = (few[:, :, 2].mean(1) * 255).round().astype(int)
        parts = [self._see(int(n), frame_of) for n, frame_of in zip(numbers, _affine(few), strict=True)]
        points, spread, pose, present, mask = (
            torch.from_numpy(np.stack(part)).float() for part in zip(*parts, strict=True)
        )
        heat, anchors = torch.zeros(len(crops), len(ANCHORS), 4, 4), torch.zeros(len(crops), len(ANCHORS), 2)
        return LandmarkPrediction(points, spread, pose, torch.zeros(len(crops), 478), present, mask, heat, anchors)

    def _see(self, number: int, frame_of: np.ndarray) -> tuple[np.ndarray, ...]:
        """What there is in one crop. frame_of: (3, 2), (u, v, 1) in crop sides to the frame's pixels."""
        centre, side = np.array([0.5, 0.5, 1]) @ frame_of, np.sqrt(abs(np.linalg.det(frame_of[:2])))
        heads = self._scene.get(number, ())  # a picture that was changed is of no scene
        spread = np.zeros((478, 3))
        spread[:, [0, 2]] = DEVIATION
        if not heads:
            return np.zeros((478, 3)), spread, np.eye(4) / CROP_CENTIMETRES, -5.0, _UNCOVERED
        head = min(heads, key=lambda h: np.hypot(*(centre - (h.x, h.y))))
        off, ratio = np.hypot(*(centre - (head.x, head.y))) / side, CROP_CENTIMETRES * head.scale / side
        points = np.empty((478, 3))
        points[:, :2] = (head.points[:, :2] - frame_of[2]) @ np.linalg.inv(frame_of[:2])
        points[:, 2] = head.points[:, 2] / side
        points[:, 0] += 0.2 * off**2  # from afar it sees less well
        present = 5.0 if off < 0.36 and 0.6 < ratio < 1.6 else -5.0
        return points, spread, head_pose(points), present, _mask(frame_of, head.y) if head.covered else _UNCOVERED


def _mask(frame_of: np.ndarray, below: float) -> np.ndarray:
    """(64, 64) logits of a device that covers everything above y = `below` in the frame."""
    v, u = (np.mgrid[0:MASK_SIDE, 0:MASK_SIDE] + 0.25) / MASK_SIDE  # a cell's middle is between two pixels
    return np.where(np.stack([u, v, np.ones_like(u)], axis=2) @ frame_of[:, 1] < below, 9.0, -9.0)


def _affine(colours: np.ndarray) -> np.ndarray:
    """(B, 3, 2) from (u, v, 1), crop sides, to the frame's pixels, by least squares over the (B, 256, 3) colours."""
    v, u = (np.mgrid[0:16, 0:16] / 16).reshape(2, -1)
    design = np.column_stack([u, v, np.ones_like(u)])
    inside = ((colours[..., :2] > 0.02) & (colours[..., :2] < 0.98)).all(2)  # beyond the picture its edge repeats
    normal = np.einsum("bn,ni,nj->bij", inside, design, design, optimize=True)
    return np.linalg.pinv(normal) @ np.einsum("bn,ni,bnj->bij", inside, design, colours[..., :2] * (WIDTH, HEIGHT))


def crop_of(head: Head) -> Crop:
    """The ideal crop of a head."""
    return replace(head_crop(head_pose(head.points)), roll=head.roll)
