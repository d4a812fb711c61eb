"""When the headset is before the eyes: put on, taken off, or pushed up on the forehead in mid-clip."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from ..tracking.track import TrackedFace

AHEAD = 2  # frames on either side that are asked too: one alone may be blurred, or a hand passes
COVERED = 0.5  # share of the lids' points under the device from which it is before the eyes

Looked = tuple[np.ndarray, TrackedFace]


def while_worn(followed: Iterable[Looked], ahead: int = AHEAD) -> Iterator[tuple[np.ndarray, TrackedFace, bool]]:
    """Frames with their faces, in order, and whether the headset is before the eyes; `ahead` frames late, which later
    ones are asked too.

    A frame in which that is not known, as no device was looked for, is as those around it.
    """
    frames: deque[tuple[np.ndarray, TrackedFace, float]] = deque()  # AHEAD before, the one that is next, `ahead` after
    due = 0  # of these, the number of the next one
    for frame, face in followed:
        frames.append((frame, face, _share_covered(face)))
        if len(frames) - due > ahead:
            yield _decided(frames, due)
            due = min(due + 1, AHEAD)
            if len(frames) > AHEAD + ahead:
                frames.popleft()
    while due < len(frames):
        yield _decided(frames, due)
        due += 1


def _decided(frames: deque[tuple[np.ndarray, TrackedFace, float]], due: int) -> tuple[np.ndarray, TrackedFace, bool]:
    frame, face, _ = frames[due]
    around = [
        share
        for k, (_, other, share) in enumerate(frames)
        if abs(k - due) <= AHEAD and other.scene == face.scene and not np.isnan(share)
    ]
    return frame, face, not around or bool(np.median(around) > COVERED)


def _share_covered(face: TrackedFace) -> float:
    """Of the lids' points, how many lie under the device that is seen in this very frame; NaN where none was looked
    for."""
    return np.nan if face.device is None else face.device.over_eyes(face.points)
