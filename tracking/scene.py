"""Scene cuts: where one frame has nothing to do with the one before it."""

import cv2
import numpy as np

THUMBNAIL = (16, 9)  # pixels, width and height: movement of a person or of the camera changes little in it
CUT = 28.0  # mean difference of two thumbnails, of 255, from which there is a cut


class SceneCuts:
    """Tells for each frame of a clip, fed in order, whether it starts a new scene. The first frame does not."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def __call__(self, frame: np.ndarray) -> bool:
        """frame: (H, W, 3) uint8."""
        step = max(min(frame.shape[:2]) // 72, 1)  # every pixel of a large frame would be more than the eye needs
        thumbnail = cv2.resize(frame[::step, ::step], THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._before = self._before, thumbnail
        return before is not None and float(np.abs(thumbnail - before).mean()) > CUT
