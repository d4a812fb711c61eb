"""What each place of the frame showed when it was last in sight: behind a head that moves the room stays where it is.

A frame fixed to a tripod shows the same wall all the time; what a headset covers of it now may have been in sight
before, and is known then better than any reference of the face could tell. Where things have moved the memory is wrong,
which shows around the hole: whoever uses it has to compare.

Compared can only be what is as old. Next to the hole the frame before would tell nearly everything as it is now, and
nothing of what the hole hid for a hundred frames; so what is near the hole is remembered from before the device came
near.
"""

import cv2
import numpy as np

from ..faces.crop import Crop
from ..faces.reference import Reference

AROUND = 0.25  # of the side of a square as large as the hole: what is so near to it is not remembered anew


class FrameMemory:
    """Feed the frames of one clip in order with `push`; `take` before that tells what earlier frames showed.

    reference: where its first picture has the size of the frames it was probably taken with the same camera, and is
    what is remembered at the start; otherwise nothing is.
    """

    def __init__(self, reference: Reference | None):
        self._start = None if reference is None else reference.images[0]
        self._picture: np.ndarray | None = None
        self._known: np.ndarray | None = None

    def take(self, crop: Crop, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(S, S, 3) of the frame's type and (S, S) uint8, 1 where anything is remembered; for the crop of a frame."""
        self._begin(frame)
        return crop.take(self._picture), crop.take(self._known, nearest=True)

    def push(self, frame: np.ndarray, mask: np.ndarray) -> None:
        """Remember what a frame shows. frame: (H, W, 3) uint8, or float32 in [0, 1]; mask: (H, W), over 0.5 = hole."""
        self._begin(frame)
        hole = (mask > 0.5).astype(np.uint8)
        reach = max(round(AROUND * np.sqrt(hole.sum())), 2)
        shown = cv2.dilate(hole, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) == 0
        np.copyto(self._picture, frame, where=shown[..., None])
        self._known[shown] = 1

    def _begin(self, frame: np.ndarray) -> None:
        if self._picture is not None:
            return
        self._picture, self._known = np.zeros_like(frame), np.zeros(frame.shape[:2], np.uint8)
        if self._start is not None and self._start.shape == frame.shape:
            scale = 1 if frame.dtype == np.uint8 else 1 / 255
            self._picture[:] = self._start * scale if scale != 1 else self._start
            self._known[:] = 1
