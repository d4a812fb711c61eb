"""A contact sheet of covered faces and what was found in them."""

import cv2
import numpy as np

from .landmarks import Truth

COLUMNS = 8
SIDE = 192  # pixels a picture
EACH = 29  # of so many pictures one is shown
SEEN, HIDDEN, LABEL = (0, 220, 0), (255, 150, 0), (255, 255, 255)


class LandmarkSheet:
    """Collects every EACH-th picture; green points are in sight, orange ones hidden, white the truth of the hidden."""

    def __init__(self) -> None:
        self._count = 0
        self._tiles: list[np.ndarray] = []

    def add(self, preset: str, truth: Truth, points: np.ndarray | None) -> None:
        self._count += 1
        if self._count % EACH != 1:
            return
        scale = SIDE / len(truth.picture)
        tile = cv2.resize(truth.picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for x, y in truth.points[truth.hidden][::5, :2] * scale:
            cv2.circle(tile, (round(x), round(y)), 1, LABEL, -1)
        if points is not None:
            for (x, y), hidden in zip(points[::5, :2] * scale, truth.hidden[::5], strict=True):
                cv2.circle(tile, (round(float(x)), round(float(y))), 1, HIDDEN if hidden else SEEN, -1)
        words = preset if points is not None else f"{preset}: not found"
        cv2.putText(tile, words, (4, SIDE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, LABEL, 1, cv2.LINE_AA)
        self._tiles.append(tile)

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        blank = np.zeros((SIDE, SIDE, 3), np.uint8)
        tiles = self._tiles + [blank] * (-len(self._tiles) % COLUMNS)
        rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
        return np.vstack(rows)
