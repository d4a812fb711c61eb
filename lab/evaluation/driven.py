"""Eyes as a headset with cameras for them could tell them: the modes "driven" and "driven-by-data"."""

from contextlib import closing

import numpy as np

from ...driving.eye_tracking import EyeTracking
from ...driving.person import own_range, to_person
from ...driving.seen_face import FaceWatch, aligned, is_mirrored
from ...driving.timing import at_frames
from ...errors import InputError
from ...tracking.geometry import EYES_AND_BROWS
from ...tracking.track import FaceTrack
from ..driving.blendshapes import BlendshapeLandmarker
from ..driving.live_link import DISTURBANCES, NOON, recorded

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


class RecordedEyes:
    """What MediaPipe says of the uncovered eyes of a clip, as recordings of Live Link Face.

    frames: (T, H, W, 3) uint8; times: (T,) seconds.
    """

    def __init__(self, frames: np.ndarray, times: np.ndarray) -> None:
        self._times = times
        with closing(BlendshapeLandmarker()) as landmarker:
            self._shapes = landmarker.of_clip(frames)

    def tracking(self, disturbance: str, covered: np.ndarray, track: FaceTrack) -> tuple[EyeTracking, str]:
        """A row for each frame by a recording that is spoilt, and what was found, in sentences.

        It is handled as by somebody who has nothing but the covered clip: it begins where the mouth says, if that is
        sure, else where it truly does, and is mirrored back if that is noticed. disturbance: out of DISTURBANCES.
        covered: (T, H, W, 3) uint8; track: the face in them.
        """
        watch = FaceWatch()
        for t, (time, frame) in enumerate(zip(self._times, covered, strict=True)):
            watch.look(time, frame, track[t])
        seen, recording = watch.seen(), recorded(self._times, self._shapes, DISTURBANCES[disturbance])
        try:
            offset, said = aligned(seen, recording.tracking).offset, "In time by the mouth"
        except InputError:
            offset, said = recording.timecode - NOON, "In time by the truth"
        mirrored = is_mirrored(seen, recording.tracking, offset)
        recording = recording.mirrored() if mirrored else recording
        said += {True: ", mirrored back.", False: ", not mirrored.", None: ", not known whether mirrored."}[mirrored]
        own = to_person(recording.tracking, own_range(recording.tracking))
        return at_frames(own, self._times, offset), said
