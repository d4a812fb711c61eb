"""What colours a device has, and what colours surround it."""

import cv2
import numpy as np

BITS = 4  # of each channel: 16 x 16 x 16 bins
MEMORY = 0.9  # weight of the past in the histograms
FEWEST = 50  # pixels below which a frame teaches nothing
CHANCE = 2e-4  # share of a bin that says nothing
MOST = 2.5  # log-odds; a colour alone is never surer than this


class ColourModel:
    """Colour histograms of device and surroundings, learnt from the frames of one clip."""

    def __init__(self) -> None:
        self._device: np.ndarray | None = None
        self._around: np.ndarray | None = None

    def learn(self, bins: np.ndarray, device: np.ndarray, around: np.ndarray) -> None:
        """Count the colours of a frame. bins: (H, W) of colour_bins; device, around: (H, W) bool, what is certain."""
        self._device = _learnt(self._device, bins[device])
        self._around = _learnt(self._around, bins[around])

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


def _learnt(before: np.ndarray | None, bins: np.ndarray) -> np.ndarray | None:
    """A histogram, shares that add up to 1, after some more pixels, given by their bins."""
    if len(bins) < FEWEST:
        return before
    cube = (np.bincount(bins, minlength=1 << 3 * BITS) / len(bins)).reshape((1 << BITS,) * 3)
    # Noise and shading move a colour over the edge of its bin: neighbours get a part. Three turns of the axes are one.
    for _ in range(3):
        wide = np.pad(cube, ((1, 1), (0, 0), (0, 0)), mode="edge")
        cube = np.moveaxis(0.25 * wide[:-2] + 0.5 * wide[1:-1] + 0.25 * wide[2:], 0, 2)
    return cube.ravel() if before is None else MEMORY * before + (1 - MEMORY) * cube.ravel()
