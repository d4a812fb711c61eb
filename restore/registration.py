"""The re-posed reference, moved to where the visible rim of the hole says that it belongs.

Landmarks of a covered face leave what is hidden some hundredths of the eye distance off, and by about as much in every
frame. Around the hole frame and reference show the same skin, nose and hair; how the reference has to be moved to meet
the frame there is measured by least squares (Lucas and Kanade 1981), for all frames so far together.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 128  # pixels of the square that is looked at
SEAM = 1  # of those around the hole that are left out: the device's edge is blurred
GAIN = 2.5  # error inside the hole by what is seen of it at the rim, where the mesh holds on to visible points
KEPT = 0.85  # share of what earlier frames said that the next frame keeps
FIRST_ROUNDS = 4  # linearisations in a clip's first frame
OUTLIER = 0.03  # difference, on [0, 1], from which a pixel counts less
DOUBT = 1e4  # weight of the guess that nothing is to be moved
FARTHEST = 0.02  # of the side: how far the rim is moved at most
FEWEST = 100  # pixels from which a rim says anything


@dataclass(frozen=True)
class Evidence:
    """What the frames of a clip so far say of the displacement: information (6, 6) and vector (6,) of the normal
    equations for (2, 3) displacements x and y in crop sides, each constant, by column and by row from the hole's middle
    in quarters of a side."""

    information: np.ndarray
    vector: np.ndarray

    @property
    def displacement(self) -> np.ndarray:
        """(2, 3), of the rim."""
        found = np.linalg.solve(self.information + DOUBT * np.eye(6), self.vector)
        return np.clip(found, -FARTHEST, FARTHEST).reshape(2, 3)


NO_EVIDENCE = Evidence(np.zeros((6, 6)), np.zeros(6))


def registered(
    frame: np.ndarray, reference: np.ndarray, hole: np.ndarray, shown: np.ndarray, before: Evidence | None
) -> tuple[np.ndarray, Evidence]:
    """Move the reference in one frame's crop.

    frame, reference: (S, S, 3) float32 in [0, 1]; hole: (S, S) uint8; shown: (S, S) bool, where the reference shows
    anything, which has to reach beyond the hole. before: what this returned for the frame before, None at a clip's
    start. Returns the moved reference and the evidence for the next frame.
    """
    side = len(frame)
    middle = _middle(hole)
    small = _small(frame), _small(reference)
    rim = _rim(hole, shown)
    known = before or NO_EVIDENCE
    evidence = Evidence(KEPT * known.information, KEPT * known.vector)
    if rim.sum() >= FEWEST:
        kept = evidence
        for _ in range(1 if before is not None else FIRST_ROUNDS):
            start = evidence.displacement if before is None else known.displacement
            information, vector = _normal_equations(*small, rim, _basis(SIDE, middle), start)
            evidence = Evidence(kept.information + information, kept.vector + vector)
    steps = GAIN * side * np.tensordot(evidence.displacement, _basis(side, middle), 1)
    return _moved(reference, steps), evidence


def _normal_equations(
    frame: np.ndarray, reference: np.ndarray, rim: np.ndarray, basis: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For displacements in sides, linearised at `start`; a difference in colour over the whole rim is taken out."""
    steps = SIDE * np.tensordot(start, basis, 1)
    moved = _moved(reference, steps)
    across, down = (_moved(cv2.Sobel(reference, cv2.CV_32F, *d, scale=1 / 8), steps)[rim] for d in ((1, 0), (0, 1)))
    error = (frame - moved)[rim]  # (N, 3)
    weight = OUTLIER / np.maximum(np.abs(error - np.median(error, 0)), OUTLIER)
    along = SIDE * basis[:, rim].T  # (N, 3 parameters)
    slopes = np.concatenate([across[:, None] * along[..., None], down[:, None] * along[..., None]], 1)  # (N, 6, 3)
    total = weight.sum(0)
    slopes = slopes - (weight[:, None] * slopes).sum(0) / total
    error = error - (weight * error).sum(0) / total
    weighted = (weight[:, None] * slopes).transpose(1, 0, 2).reshape(6, -1)
    flat = slopes.transpose(1, 0, 2).reshape(6, -1)
    information = weighted @ flat.T
    return information, weighted @ error.ravel() + information @ start.ravel()


def _rim(hole: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) bool: where frame and reference are compared."""
    covered = cv2.dilate(_small(hole.astype(np.float32)), np.ones((2 * SEAM + 1, 2 * SEAM + 1), np.uint8)) > 0
    return (_small(shown.astype(np.float32)) == 1) & ~covered


def _middle(hole: np.ndarray) -> tuple[float, float]:
    """Column and row of the hole's middle, in sides."""
    rows, columns = np.nonzero(hole)
    return (columns.mean() + 0.5) / hole.shape[1], (rows.mean() + 0.5) / hole.shape[0]


def _basis(side: int, middle: tuple[float, float]) -> np.ndarray:
    """(3, side, side) float32: one, and how far right of and below the middle, in quarters of a side."""
    places = (np.arange(side, dtype=np.float32) + 0.5) / side
    across, down = np.meshgrid(4 * (places - middle[0]), 4 * (places - middle[1]))
    return np.stack([np.ones_like(across), across, down])


def _small(picture: np.ndarray) -> np.ndarray:
    how = cv2.INTER_AREA if len(picture) > SIDE else cv2.INTER_LINEAR
    return picture if len(picture) == SIDE else cv2.resize(picture, (SIDE, SIDE), interpolation=how)


def _moved(picture: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The picture that shows at each pixel what lies `steps`, (2, S, S) pixels right and down, away."""
    rows, columns = np.indices(picture.shape[:2], np.float32)
    x, y = (columns + steps[0]).astype(np.float32), (rows + steps[1]).astype(np.float32)
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
