"""The landmark mode "paper": true landmarks as the paper had them, by another detector than everywhere else.

The reference has the landmarks of the same detector, as its points are to fit those of the frames.
"""

from contextlib import closing

import numpy as np

from ...errors import InputError
from ...tracking.follow import track_clip
from ...tracking.reference import Reference, make_reference
from ...tracking.track import FaceTrack
from .paper_detector import PaperDetector

PAPER = "paper"


def paper_track(frames: np.ndarray) -> FaceTrack:
    """The face in (T, H, W, 3) uint8 frames without headset; one that is found in no frame is missing in all."""
    size = frames.shape[1:3]
    with closing(PaperDetector()) as detector:
        try:
            return track_clip(frames, size, detector=detector)
        except InputError:
            return FaceTrack.absent(len(frames), size)


def paper_reference(reference: Reference) -> Reference:
    """The same pictures with the paper's landmarks, but for those without a face for it. Raises InputError where none
    is left."""
    images, points = [], []
    with closing(PaperDetector()) as detector:
        for image in reference.images:
            detector.restart()
            faces = detector.detect(image)
            if faces:
                images.append(image)
                points.append(max(faces, key=lambda face: face.size).points)
    if not images:
        raise InputError("MTCNN found no face in the reference; use another one, or other landmarks than 'paper'.")
    return make_reference(images, np.stack(points))
