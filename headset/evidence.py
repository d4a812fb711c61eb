"""What the network has seen of a device over time, in coordinates that move with the head."""

import cv2
import numpy as np

from ..tracking.geometry import pose_angles, pose_scale, transform
from ..tracking.track import USUAL_RATE, DevicePatch
from .models import EYE_LINE, FACE_FRONT

CELLS = 128  # a side of the square lattice, upright and centred on where devices sit
CELL = 0.28  # centimetres
GAIN = 0.15  # weight of a new frame, once the first ones have been averaged
TURN = 8.0  # degrees of yaw and pitch after which the past shows the device from another side
SEARCH = 5  # pairs of cells by which a pose may be off
TRUSTED = 0.3  # centimetres by which the pose is better than what the coarse mask says of the place
DEVICE_MIDDLE = (0.0, EYE_LINE, FACE_FRONT - 2.0)  # face coordinates, centimetres


class DeviceEvidence:
    """The coarse device masks of one clip, averaged on the head's lattice.

    probability: (CELLS, CELLS) float32 in [0, 1]; None before the first mask. fps: frames a second.
    """

    def __init__(self, fps: float = USUAL_RATE) -> None:
        self._keep = (1 - GAIN) ** (USUAL_RATE / fps)
        self.probability: np.ndarray | None = None
        self._angles = np.zeros(2)
        self._count = 0

    def add(self, device: DevicePatch, pose: np.ndarray) -> np.ndarray:
        """Take in the mask of the next frame, where the head has the (4, 4) pose.

        Returns the pose moved to where the device is seen: on a fast head a pose is late or wrong by more than the
        mask, which does not remember.
        """
        new = _on_lattice(device, pose)
        angles = pose_angles(pose)[:2]
        if self.probability is None:
            self.probability = new
        else:
            turned = float(np.linalg.norm(angles - self._angles))
            keep = min(self._keep, self._count / (self._count + 1)) * float(np.exp(-((turned / TURN) ** 2)))
            offset = _offset(new, self.probability)
            if offset.any():
                pose = pose.copy()
                pose[:2, 3] += np.linalg.inv(head_lattice(pose)[:, :2]) @ offset
                new = _on_lattice(device, pose)
            self.probability = keep * self.probability + (1 - keep) * new
        self._angles = angles
        self._count += 1
        return pose


def head_lattice(pose: np.ndarray) -> np.ndarray:
    """(2, 3) similarity from frame pixels to lattice cells: the head's place, size and roll, turning aside."""
    scale, roll = 1 / (CELL * pose_scale(pose)), np.radians(pose_angles(pose)[2])
    turn = scale * np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    middle = transform(pose, np.array(DEVICE_MIDDLE))[:2]
    return np.column_stack([turn, (CELLS - 1) / 2 - turn @ middle])


def chain(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The (2, 3) affine map that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def _on_lattice(device: DevicePatch, pose: np.ndarray) -> np.ndarray:
    matrix = chain(head_lattice(pose), cv2.invertAffineTransform(device.matrix))
    return cv2.warpAffine(device.probability, matrix, (CELLS, CELLS), flags=cv2.INTER_LINEAR)


def _offset(new: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(2,) cells, x and y, by which the new map lies from the one before, less what is TRUSTED."""
    new, before = (cv2.resize(x, (CELLS // 2, CELLS // 2), interpolation=cv2.INTER_AREA) for x in (new, before))
    differences = cv2.matchTemplate(new, before[SEARCH:-SEARCH, SEARCH:-SEARCH], cv2.TM_SQDIFF)
    y, x = np.unravel_index(differences.argmin(), differences.shape)
    offset = 2.0 * np.array([x + _vertex(differences[y], x), y + _vertex(differences[:, x], y)]) - 2 * SEARCH
    length = float(np.linalg.norm(offset)) * CELL
    return offset * max(1 - TRUSTED / length, 0.0) if length else offset


def _vertex(values: np.ndarray, i: int) -> float:
    """Where the parabola through the least value and its neighbours has its vertex, from -0.5 to 0.5."""
    if not 0 < i < len(values) - 1:
        return 0.0
    before, least, after = (float(v) for v in values[i - 1 : i + 2])
    curvature = before - 2 * least + after
    return 0.5 * (before - after) / curvature if curvature > 0 else 0.0


AVERAGED = 1.0  # seconds over which a device's look is averaged
KNOWN = 0.15  # weight, of at most 1, from which the look of a cell is known


class Appearance:
    """What the device looks like, averaged on the head's lattice: what looks otherwise for a while passes before it.

    fps: frames a second.
    """

    def __init__(self, fps: float = USUAL_RATE) -> None:
        self._news = 1 - float(np.exp(-1 / (fps * AVERAGED)))
        self._colours = np.zeros((CELLS, CELLS, 3), np.float32)
        self._weight = np.zeros((CELLS, CELLS), np.float32)

    def expected(self, to_lattice: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Its colours in a picture of `size` (H, W), (H, W, 3) float32 in [0, 1]; where they are known, (H, W) bool.

        to_lattice: (2, 3) from the picture's pixels to the lattice's cells.
        """
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        colours, weight = (
            cv2.warpAffine(x, to_lattice, size[::-1], flags=flags) for x in (self._colours, self._weight)
        )
        return colours, weight > KNOWN

    def learn(self, picture: np.ndarray, device: np.ndarray, to_lattice: np.ndarray) -> None:
        """Take in the next frame. picture: (H, W, 3) float32 in [0, 1]; device: (H, W) bool, where it shows."""
        picture, share = (cv2.warpAffine(x, to_lattice, (CELLS, CELLS)) for x in (picture, device.astype(np.float32)))
        seen = share > 0.9
        self._weight[seen] += self._news * (1 - self._weight[seen])
        self._colours[seen] += (self._news / self._weight[seen])[:, None] * (picture - self._colours)[seen]


BITS = 4  # of each channel: 16 x 16 x 16 bins
MEMORY = 0.9  # weight of the past in the histograms, of one frame of USUAL_RATE
FEWEST = 50  # pixels below which a frame teaches nothing
CHANCE = 2e-4  # share of a bin that says nothing
MOST = 2.5  # log-odds; a colour alone is never surer than this


class ColourModel:
    """Colour histograms of device and surroundings, learnt from the frames of one clip. fps: frames a second."""

    def __init__(self, fps: float = USUAL_RATE) -> None:
        self._keep = MEMORY ** (USUAL_RATE / fps)
        self._device: np.ndarray | None = None
        self._around: np.ndarray | None = None

    def learn(self, bins: np.ndarray, device: np.ndarray, around: np.ndarray) -> None:
        """Count the colours of a frame. bins: (H, W) of colour_bins; device, around: (H, W) bool, what is certain."""
        self._device = _learnt(self._device, bins[device], self._keep)
        self._around = _learnt(self._around, bins[around], self._keep)

    def log_odds(self, bins: np.ndarray) -> np.ndarray:
        """(H, W) float32: how much likelier a colour is on the device than around it, 0 before both were seen."""
        if self._device is None or self._around is None:
            return np.zeros(bins.shape, np.float32)
        odds = np.log((self._device + CHANCE) / (self._around + CHANCE))
        return np.clip(odds, -MOST, MOST).astype(np.float32)[bins]


def colour_bins(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 to (H, W) int32 numbers of histogram bins."""
    red, green, blue = (channel.astype(np.int32) >> (8 - BITS) for channel in cv2.split(picture))
    return (red << 2 * BITS) | (green << BITS) | blue


def _learnt(before: np.ndarray | None, bins: np.ndarray, keep: float) -> np.ndarray | None:
    """A histogram, shares that add up to 1, after some more pixels, given by their bins. keep: weight of the past."""
    if len(bins) < FEWEST:
        return before
    cube = (np.bincount(bins, minlength=1 << 3 * BITS) / len(bins)).reshape((1 << BITS,) * 3)
    # Noise and shading move a colour over the edge of its bin: neighbours get a part. Three turns of the axes are one.
    for _ in range(3):
        wide = np.pad(cube, ((1, 1), (0, 0), (0, 0)), mode="edge")
        cube = np.moveaxis(0.25 * wide[:-2] + 0.5 * wide[1:-1] + 0.25 * wide[2:], 0, 2)
    return cube.ravel() if before is None else keep * before + (1 - keep) * cube.ravel()
