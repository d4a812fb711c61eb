"""Finding faces and their 478 landmarks in single frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from .. import weights


@dataclass(frozen=True)
class DevicePatch:
    """Where a headset is, roughly, in a square patch of a frame.

    probability: (64, 64) float32 in [0, 1]. matrix: (2, 3) from frame pixels to the patch's.
    """

    probability: np.ndarray
    matrix: np.ndarray

    def mask(self, size: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> np.ndarray:
        """(H, W) bool, likely device, of the part of the frame of `size` (H, W) that starts at `corner` (x, y)."""
        matrix = np.column_stack([self.matrix[:, :2], self.matrix[:, 2] + self.matrix[:, :2] @ corner])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(self.probability, matrix, size[::-1], flags=flags) > 0.5


@dataclass(frozen=True)
class Face:
    """One face in one frame, and what is known of it where something covers it.

    points: (478, 3) float32 pixels, x to the right, y down, z away from the camera on the scale of x.
    blendshapes: (52,) float32 in [0, 1], MediaPipe's order (ARKit names, "_neutral" first); 0 where unknown.
    visibility: (478,) float32 in [0, 1], the camera sees the point. deviation: (478,) float32 pixels, the standard
    deviation of a point in the picture plane (square root of half the covariance's trace). device: what covers it.
    All three are None from a detector that does not tell. score: in [0, 1], there is a face.
    """

    points: np.ndarray
    blendshapes: np.ndarray
    visibility: np.ndarray | None = None
    deviation: np.ndarray | None = None
    device: DevicePatch | None = None
    score: float = 1.0

    @property
    def centre(self) -> np.ndarray:
        return self.points[:, :2].mean(0)

    @property
    def size(self) -> float:
        """Longer side of the face's box, in pixels."""
        return float(np.ptp(self.points[:, :2], axis=0).max())


class FaceDetector(Protocol):
    """A detector is fed the frames of one clip in order and may remember the past."""

    def detect(self, frame: np.ndarray, mask: np.ndarray | None = None) -> list[Face]:
        """Faces in an (H, W, 3) uint8 RGB frame, in no particular order; empty when there is none.

        mask: (H, W), over 0.5 where something covers the picture, where that is known.
        """

    def close(self) -> None:
        """Free what the detector holds; it is not used afterwards."""


def paint_over(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The (H, W, 3) uint8 frame with the masked part in the plain colour of what surrounds it, softly.

    A landmarker takes the edges of whatever covers the face for brows and lids; a blank does less harm.
    """
    hole = (mask > 0.5).astype(np.uint8)
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    if not len(rows):
        return frame
    reach = max((columns[-1] - columns[0]) // 12, 3)
    y0, y1 = max(rows[0] - 2 * reach, 0), rows[-1] + 2 * reach + 1
    x0, x1 = max(columns[0] - 2 * reach, 0), columns[-1] + 2 * reach + 1
    window, inside = frame[y0:y1, x0:x1].copy(), hole[y0:y1, x0:x1] > 0
    rim = (cv2.dilate(hole[y0:y1, x0:x1], np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0) & ~inside
    if not rim.any():
        return frame
    window[inside] = np.median(window[rim], axis=0).astype(np.uint8)
    soft = cv2.GaussianBlur(window, (0, 0), reach)
    out = frame.copy()
    out[y0:y1, x0:x1] = np.where(inside[..., None], soft, window)
    return out


class MediaPipeDetector:
    """MediaPipe FaceLandmarker (Tasks API), for uncovered faces.

    Told what is covered, it paints that over first, which helps with a thin band; see tracking.covered for more.

    still: treat every frame as a photo of its own; otherwise frames are a video, where the landmarks of one frame
    guide the search in the next. Raises WeightsMissing when face_landmarker.task is not at hand.
    """

    BLENDSHAPE_COUNT = 52

    def __init__(self, *, max_faces: int = 4, still: bool = False, model: Path | None = None):
        from mediapipe.tasks.python import BaseOptions, vision

        mode = vision.RunningMode.IMAGE if still else vision.RunningMode.VIDEO
        options = vision.FaceLandmarkerOptions(
            # read here because MediaPipe's own file access fails on some paths that Python can open
            base_options=BaseOptions(model_asset_buffer=(model or weights.resolve("face_landmarker")).read_bytes()),
            running_mode=mode,
            num_faces=max_faces,
            output_face_blendshapes=True,
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)
        self._still = still
        self._time_ms = 0

    def detect(self, frame: np.ndarray, mask: np.ndarray | None = None) -> list[Face]:
        import mediapipe

        if mask is not None:
            frame = paint_over(frame, mask)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
        if self._still:
            result = self._landmarker.detect(image)
        else:
            self._time_ms += 33  # only has to rise: without MediaPipe's smoothing, spacing has no effect
            result = self._landmarker.detect_for_video(image, self._time_ms)
        height, width = frame.shape[:2]
        faces = []
        for landmarks, shapes in zip(result.face_landmarks, result.face_blendshapes, strict=True):
            points = np.array([(p.x * width, p.y * height, p.z * width) for p in landmarks], np.float32)
            faces.append(Face(points, np.array([s.score for s in shapes], np.float32)))
        return faces

    def close(self) -> None:
        self._landmarker.close()

    def __enter__(self) -> "MediaPipeDetector":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
