"""What learning somebody's landmarks brought, as a picture."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..tracking.geometry import EYES_AND_BROWS

SCALE = 3  # of the crops, which are small
TRUE, EVERYBODYS, OWN = (255, 255, 255), (255, 90, 60), (60, 230, 90)  # colours


def landmarks_sheet(crops: np.ndarray, *points: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: frames behind a drawn headset side by side, with eyes and brows as they are in white, as the
    landmarker for everybody places them in red, and as the person's own does in green.

    crops: (N, S, S, 3) uint8. points: three times (N, 478, 2 or 3), in crop sides, in this order.
    """
    side = SCALE * crops.shape[1]
    tiles = []
    for number, crop in enumerate(crops):
        tile = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC)
        for colour, places in zip((TRUE, EVERYBODYS, OWN), points, strict=True):
            _draw(tile, side * places[number], colour)
        tiles.append(tile)
    return np.hstack(tiles)


def _draw(tile: np.ndarray, points: np.ndarray, colour: Sequence[int]) -> None:
    for x, y in points[list(EYES_AND_BROWS), :2]:
        cv2.circle(tile, (round(float(x)), round(float(y))), 2, colour, -1, cv2.LINE_AA)
