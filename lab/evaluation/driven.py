"""Eyes as a headset with cameras for them could tell them: the modes "driven" and "driven-by-data"."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...driving.eye_tracking import EyeTracking
from ...driving.person import own_range, to_person
from ...driving.readers import read_tracking
from ...driving.timing import at_frames
from ...tracking.geometry import EYES_AND_BROWS
from ..driving.blendshapes import BlendshapeLandmarker
from ..driving.live_link import write_live_link_face

IRISES = tuple(range(468, 478))
BRIDGE = 168  # the point of the nose between the eyes


def driven_points(true: np.ndarray, seen: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The true shape of each eye with its brow where the landmarks put it, and that it is known.

    Such cameras see lids, pupils and brows, but not where on the head they are. true, seen: (T, 478, 2 or 3) pixels, of
    the uncovered face and as the landmarks say; known: (T, 478) bool or float, which of `seen` are in sight. Returns
    new `seen` and `known`.
    """
    seen, known = seen.copy(), known.copy()
    moving = np.array((*EYES_AND_BROWS, *IRISES))
    left = true[:, moving, 0] < true[:, BRIDGE : BRIDGE + 1, 0]
    for eye in (left, ~left):
        for t in range(len(true)):
            own = moving[eye[t]]
            seen[t, own] = true[t, own] + (seen[t, own] - true[t, own]).mean(0)
            known[t, own] = 1
    return seen, known


def tracking_of(frames: np.ndarray, times: np.ndarray) -> EyeTracking:
    """What MediaPipe says of the uncovered eyes in (T, H, W, 3) uint8 frames, written as Live Link Face has it, and
    read, fitted to the person and brought in time like anybody's file. times: (T,) seconds."""
    with closing(BlendshapeLandmarker()) as landmarker:
        shapes = landmarker.of_clip(frames)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "truth.csv"
        write_live_link_face(file, times, shapes)
        tracking = read_tracking(file).tracking
    return at_frames(to_person(tracking, own_range(tracking)), times)
