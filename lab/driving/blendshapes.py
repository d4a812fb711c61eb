"""ARKit's face shapes as MediaPipe sees them on an uncovered face."""

from collections.abc import Iterable, Iterator

import numpy as np

from ... import weights
from ...errors import InputError
from ...tracking.geometry import transform
from ...tracking.track import Face
from ...tracking.uncovered import SEEN_SIDE, crop_of

MISSED_FRAMES = 5  # without a face, after which it is searched in the whole picture again


class BlendshapeLandmarker:
    """MediaPipe's FaceLandmarker with its blendshapes, shown the head close up, as UncoveredLandmarker does.

    Raises WeightsMissing without face_landmarker.task.
    """

    def __init__(self) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=weights.resolve("face_landmarker").read_bytes()),
            output_face_blendshapes=True,
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def of_clip(self, frames: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """(T,) weights in [0, 1] by name, of one face in (H, W, 3) uint8 frames; NaN where none is found.

        Raises InputError where none ever is.
        """
        rows = [found[1] if found else {} for found in self.faces_of_clip(frames)]
        if not any(rows):
            raise InputError("No frame shows an uncovered face; expected a clip of one.")
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}

    def faces_of_clip(self, frames: Iterable[np.ndarray]) -> Iterator[tuple[Face, dict[str, float]] | None]:
        """Of each frame the face, in its pixels, with its weights by name; None where none is found."""
        crop, missed = None, 0
        for frame in frames:
            crop = None if missed >= MISSED_FRAMES else crop
            if crop is None:
                found = self._look(frame)
                crop = crop_of(found[0]) if found else None
            found = None if crop is None else self._look(crop.shrunk(frame, SEEN_SIDE))
            missed = 0 if found else missed + 1
            if found:
                face = Face(transform(crop.to_frame(), found[0].points / SEEN_SIDE).astype(np.float32))
                found, crop = (face, found[1]), crop_of(face)
            yield found

    def _look(self, picture: np.ndarray) -> tuple[Face, dict[str, float]] | None:
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        result = self._landmarker.detect(image)
        if not result.face_landmarks:
            return None
        height, width = picture.shape[:2]
        points = np.array([(p.x * width, p.y * height, p.z * width) for p in result.face_landmarks[0]], np.float32)
        return Face(points), {shape.category_name: shape.score for shape in result.face_blendshapes[0]}

    def close(self) -> None:
        """Free what MediaPipe holds."""
        self._landmarker.close()
