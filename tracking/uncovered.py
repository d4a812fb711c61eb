"""Landmarks of uncovered faces: MediaPipe's FaceLandmarker, shown each head close up."""

import logging
from dataclasses import replace
from functools import lru_cache

import numpy as np

from .. import weights
from ..errors import InputError
from .crop import Crop
from .geometry import head_pose, transform
from .sighting import head_crop
from .track import Face

log = logging.getLogger(__name__)

# Pixels of the crop that MediaPipe sees: its landmarks come from 256 pixels around the face, three quarters of the
# crop.
SEEN_SIDE = 352
MOST_FACES = 4  # in a whole picture
OFF = 0.3  # crop sides from the middle of the crop beyond which a face is another head's


class UncoveredLandmarker:
    """MediaPipe FaceLandmarker (Tasks API), frame by frame.

    In a whole picture it finds no face narrower than a tenth of the width, and its landmarks are some per cent of the
    eye distance off where the face is small; in a crop around the head neither is so.

    Raises WeightsMissing when face_landmarker.task is not at hand, and ImportError without MediaPipe.
    """

    def __init__(self) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            # Read here because MediaPipe's own file access fails on some paths that Python can open.
            base_options=BaseOptions(model_asset_buffer=weights.resolve("face_landmarker").read_bytes()),
            running_mode=vision.RunningMode.IMAGE,
            num_faces=MOST_FACES,
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def find(self, frame: np.ndarray) -> list[Face]:
        """The faces that are large enough to be seen in a whole (H, W, 3) uint8 frame."""
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
        height, width = frame.shape[:2]
        return [
            Face(np.array([(p.x * width, p.y * height, p.z * width) for p in landmarks], np.float32))
            for landmarks in self._landmarker.detect(image).face_landmarks
        ]

    def look(self, frame: np.ndarray, crop: Crop) -> Face | None:
        """The face whose head a crop shows; None where MediaPipe sees none there."""
        found = self.find(crop.shrunk(frame, SEEN_SIDE))
        near = [face for face in found if np.abs(face.centre / SEEN_SIDE - 0.5).max() < OFF]
        if not near:
            return None
        face = max(near, key=lambda face: face.size)
        return replace(face, points=transform(crop.to_frame(), face.points / SEEN_SIDE).astype(np.float32))

    def close(self) -> None:
        """Free what MediaPipe holds."""
        self._landmarker.close()


def crop_of(face: Face) -> Crop:
    """The crop in which to see a face again."""
    return head_crop(head_pose(face.points))


def uncovered_landmarker() -> UncoveredLandmarker | None:
    """An UncoveredLandmarker; None where MediaPipe or its file cannot be had, and the landmarker for covered faces has
    to do: its points are 2.9 % of the eye distance off MediaPipe's, which costs a result 0.04 dB."""
    try:
        return UncoveredLandmarker()
    except (ImportError, weights.WeightsMissing) as error:
        _warn(str(error))
        return None


def require_mediapipe() -> None:
    """Raise InputError where MediaPipe or its file cannot be had: less exact points must not pass for the truth."""
    try:
        UncoveredLandmarker().close()
    except ImportError as error:
        raise InputError(
            f"MediaPipe is needed to say where an uncovered face truly is ({error}): install it."
        ) from error


@lru_cache(maxsize=1)
def _warn(why: str) -> None:
    log.warning("MediaPipe cannot be used, so landmarks of uncovered faces are less exact. %s", why)
