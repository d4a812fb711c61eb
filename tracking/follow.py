"""Whom to follow through a clip, and which detector sees that person best: the one place where that is decided."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice, repeat, tee
from typing import TypeVar

import numpy as np

from ..errors import InputError
from .calibration import PersonalCalibration
from .covered import CoveredFaceDetector, detector_for
from .detector import Face, FaceDetector
from .head_search import Box
from .reference import Reference
from .smoothing import FaceSmoother
from .track import FaceTrack, TrackedFace, check_frame_size, track_faces, visibility_under

Item = TypeVar("Item")

LOOKED_AT = 4  # first frames of a clip by which its detector is chosen
HIDDEN = 0.05  # share of a face's points that a mask hides from which it is that face's


@dataclass(frozen=True)
class Wearer:
    """The person to follow, and how.

    face, on_missing: see tracking.track.track_faces. detector: one of tracking.covered.MODES. box: (x, y, width,
    height) in pixels around that person's head in the first frame, or None.
    """

    face: int = 0
    on_missing: str = "interpolate"
    detector: str = "auto"
    box: Box | None = None


class BehindMask:
    """A FaceDetector that keeps, of several people, the one whose face the mask hides most, if it hides any."""

    def __init__(self, detector: FaceDetector):
        self.detector = detector

    def detect(self, frame: np.ndarray, mask: np.ndarray | None = None) -> list[Face]:
        faces = self.detector.detect(frame, mask)
        if mask is None or not faces:
            return faces
        hidden = [float((visibility_under(face.points, mask) == 0).mean()) for face in faces]
        best = int(np.argmax(hidden))
        return [faces[best]] if hidden[best] > HIDDEN else faces

    def close(self) -> None:
        self.detector.close()


def visible_detector(frames: Sequence[np.ndarray], wearer: Wearer, *, masked: bool = False) -> FaceDetector:
    """The detector for what a camera sees of a face that may be covered; close it after use.

    frames: the clip's first LOOKED_AT, (H, W, 3) uint8. masked: a mask comes with every frame, so that something covers
    the face. Raises InputError for an unknown detector, or one that a box makes no sense with.
    """
    if not masked:
        return detector_for(frames, wearer.detector, box=wearer.box)
    return BehindMask(detector_for((), "covered" if wearer.detector == "auto" else wearer.detector, box=wearer.box))


def follow(
    pictures: Iterable[tuple[np.ndarray, np.ndarray | None]],
    detector: FaceDetector,
    wearer: Wearer,
    *,
    masked: bool = False,
) -> Iterator[TrackedFace]:
    """The wearer through a clip, steady in time: tracking.track.track_faces, then FaceSmoother.

    masked: a mask comes with every frame, and says whom to follow.
    """
    smoother = FaceSmoother()
    face = 0 if masked else wearer.face
    for tracked in track_faces(pictures, detector, face=face, on_missing=wearer.on_missing):
        yield smoother.push(tracked)


def visible_track(
    frames: Iterable[np.ndarray],
    size: tuple[int, int],
    wearer: Wearer,
    *,
    masks: Iterable[np.ndarray] | None = None,
    reference: Reference | None = None,
) -> tuple[FaceTrack, str]:
    """`follow` through a whole clip, with the detector that suits it, which is described in words.

    frames: (H, W, 3) uint8 each; size: (H, W); masks: (H, W) for each frame, over 0.5 = covered; reference: the
    uncovered person, on whom the landmarker for covered faces is calibrated. Raises InputError for frames that are too
    small or show no face, and as visible_detector.
    """
    check_frame_size(size)
    first, frames = first_of(iter(frames))
    masked = masks is not None
    shown, seen = tee(zip(frames, masks if masked else repeat(None), strict=False))
    calibration = None if reference is None else PersonalCalibration(reference)
    with closing(visible_detector(first, wearer, masked=masked)) as detector:
        faces = []
        for (frame, mask), face in zip(shown, follow(seen, detector, wearer, masked=masked), strict=True):
            faces.append(face if calibration is None else calibration.push(frame, face, mask))
        return FaceTrack.stack(faces, size), describe_detector(detector)


def describe_detector(detector: FaceDetector) -> str:
    """What kind of detector it is, in words for a report."""
    if isinstance(detector, BehindMask):
        return describe_detector(detector.detector)
    if isinstance(detector, CoveredFaceDetector):
        return "the landmarker for covered faces"
    return "MediaPipe, for uncovered faces"


def first_of(frames: Iterator[Item]) -> tuple[list[Item], Iterator[Item]]:
    """The first LOOKED_AT items, and all of them from the start."""
    first = list(islice(frames, LOOKED_AT))
    return first, chain(first, frames)


def box_of(text: str) -> Box | None:
    """A box written as "x, y, width, height" in pixels; None for an empty text. Raises InputError for anything else."""
    if not text.strip():
        return None
    try:
        x, y, width, height = box = tuple(float(part) for part in text.split(","))
    except ValueError:
        box = (np.nan,)
    if not np.isfinite(box).all():
        raise InputError(f"Expected a box around the head as x, y, width, height in pixels, got {text!r}.")
    return x, y, width, height
