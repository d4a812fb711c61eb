"""One person's face through a clip: a typed track without holes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import repeat

import numpy as np

from ..errors import InputError
from .detector import DevicePatch, Face, FaceDetector, MediaPipeDetector
from .geometry import POINT_COUNT, certainty, head_pose
from .scene import SceneCuts

MAX_GAP = 40  # frames; a longer absence is no blink of the detector: the person has left or turned away
ON_MISSING = ("interpolate", "hold", "untouched", "error")


class FrameStatus(IntEnum):
    """Where the points of a frame come from."""

    FOUND = 0
    INTERPOLATED = 1  # guessed from neighbouring frames
    MISSING = 2  # nobody knows; the frame is to be left as it is


@dataclass(frozen=True)
class TrackedFace:
    """The tracked face in one frame; fields as in FaceTrack without the leading T."""

    points: np.ndarray
    status: FrameStatus
    visibility: np.ndarray
    pose: np.ndarray
    blendshapes: np.ndarray
    deviation: np.ndarray = field(default_factory=lambda: np.zeros(POINT_COUNT, np.float32))
    device: DevicePatch | None = None

    def covered_by(self, mask: np.ndarray | None) -> "TrackedFace":
        """The same face with every point inside `mask` ((H, W), over 0.5) marked as not visible."""
        if mask is None:
            return self
        visibility = self.visibility * visibility_under(self.points, mask)
        pose = head_pose(self.points, visibility * certainty(self.points, self.deviation))
        return replace(self, visibility=visibility, pose=pose)


@dataclass(frozen=True)
class FaceTrack:
    """One face through a clip of T frames.

    points: (T, 478, 3) float32 pixels (MediaPipe topology, z on the scale of x). status: (T,) uint8 FrameStatus.
    visibility: (T, 478) float32, 1 where the camera sees the point, 0 where something covers it.
    pose: (T, 4, 4) face coordinates in centimetres to pixels (tracking.geometry). blendshapes: (T, 52) in [0, 1], 0
    where the detector does not tell. deviation: (T, 478) float32 pixels, the standard deviation of a point in the
    picture plane, 0 where nothing is known to be uncertain. devices: T patches that show where a headset is, None for a
    frame of which that is not known. size: (height, width) of the frames in pixels.
    """

    points: np.ndarray
    status: np.ndarray
    visibility: np.ndarray
    pose: np.ndarray
    blendshapes: np.ndarray
    deviation: np.ndarray
    devices: tuple[DevicePatch | None, ...]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> TrackedFace:
        return TrackedFace(
            self.points[index],
            FrameStatus(int(self.status[index])),
            self.visibility[index],
            self.pose[index],
            self.blendshapes[index],
            self.deviation[index],
            self.devices[index],
        )

    @classmethod
    def stack(cls, faces: Iterable[TrackedFace], size: tuple[int, int]) -> "FaceTrack":
        faces = list(faces)
        return cls(
            np.stack([f.points for f in faces]).astype(np.float32),
            np.array([f.status for f in faces], np.uint8),
            np.stack([f.visibility for f in faces]).astype(np.float32),
            np.stack([f.pose for f in faces]),
            np.stack([f.blendshapes for f in faces]).astype(np.float32),
            np.stack([f.deviation for f in faces]).astype(np.float32),
            tuple(f.device for f in faces),
            size,
        )

    @classmethod
    def absent(cls, count: int, size: tuple[int, int]) -> "FaceTrack":
        """The track of `count` frames in which nobody is found."""
        return cls.stack([_missing(None)] * count, size)

    def require_clip(self, count: int, size: tuple[int, int]) -> None:
        """Raise InputError unless the track belongs to `count` frames of that size, (height, width)."""
        if (len(self), self.size) != (count, size):
            raise InputError(
                f"The face track belongs to {len(self)} frames of {self.size[1]} x {self.size[0]}, but there are "
                f"{count} of {size[1]} x {size[0]}; connect the track of this very clip."
            )

    def covered_by(self, masks: np.ndarray) -> "FaceTrack":
        """The track with the points inside `masks` ((T, H, W), over 0.5 = covered) marked as not visible."""
        return FaceTrack.stack((self[t].covered_by(masks[t]) for t in range(len(self))), self.size)

    def summary(self) -> str:
        """How many frames were found, interpolated and missing, and which ones, in words."""
        return status_summary(self.status)


def visibility_under(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(N,) float32: 0 for the points, (N, 2 or 3) pixels, that lie where `mask`, (H, W), is over 0.5; else 1."""
    height, width = mask.shape
    x = np.clip(np.round(points[:, 0]).astype(int), 0, width - 1)
    y = np.clip(np.round(points[:, 1]).astype(int), 0, height - 1)
    return (mask[y, x] <= 0.5).astype(np.float32)


def status_summary(status: np.ndarray) -> str:
    """One line: counts by status and the frame numbers concerned. status: (T,) FrameStatus values."""
    parts = [f"{int((status == FrameStatus.FOUND).sum())} of {len(status)} frames have a found face"]
    for kind, words in ((FrameStatus.INTERPOLATED, "interpolated"), (FrameStatus.MISSING, "left untouched")):
        frames = np.flatnonzero(status == kind)
        if len(frames):
            parts.append(f"{len(frames)} {words} (frames {_ranges(frames)})")
    return ", ".join(parts) + "."


def _ranges(numbers: np.ndarray, most: int = 8) -> str:
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    words = [f"{r[0]}" if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs[:most]]
    return ", ".join(words) + (f" and {len(runs) - most} more runs" if len(runs) > most else "")


def track_faces(
    pictures: Iterable[tuple[np.ndarray, np.ndarray | None]],
    detector: FaceDetector,
    *,
    face: int = 0,
    on_missing: str = "interpolate",
) -> Iterator[TrackedFace]:
    """Follow one person through a clip, one TrackedFace for every frame, with a delay of at most MAX_GAP frames.

    pictures: (frame, mask) pairs: (H, W, 3) uint8 RGB, and (H, W), over 0.5 where something covers the picture, or
    None. The mask is a hint for the detector; it marks no point as hidden (TrackedFace.covered_by does).
    face: which one where several are in the picture, in the first frame that has any: 0 the largest, 1 the next
    largest and so on; afterwards the nearest to where that person was.
    on_missing: what to do where the face is not found. "interpolate": gaps of up to MAX_GAP frames are bridged
    linearly (held at the clip's ends), longer ones are missing; "hold": the last position stays; "untouched": the
    frame is missing; "error": InputError. Raises InputError when no frame has a face.
    A scene cut ends one clip and starts the next: nothing is carried across, and where nobody is at that person's
    place, the choice is made anew.
    """
    if on_missing not in ON_MISSING:
        raise InputError(
            f"The policy for frames without a face must be one of {', '.join(ON_MISSING)}, not {on_missing!r}."
        )
    cuts = SceneCuts()
    previous: Face | None = None
    pending = 0  # frames since `previous` (or since the start) whose face is not decided yet
    gap_too_long = found_any = False
    count = 0
    for count, (frame, mask) in enumerate(pictures, 1):
        faces = detector.detect(frame, mask)
        if cuts(frame):
            yield from _held(previous, pending)
            found = _choose_after_cut(faces, previous, face)
            previous, pending, gap_too_long = None, 0, False
        else:
            found = _choose(faces, previous, face)
        if found is not None:
            yield from _bridge(previous, found, pending)
            yield _tracked(found, FrameStatus.FOUND)
            previous, pending, gap_too_long, found_any = found, 0, False, True
        elif on_missing == "error":
            raise InputError(
                f"Expected a face in every frame, but frame {count - 1} has none; trim the clip, or choose another "
                "policy for frames without a face."
            )
        elif on_missing == "untouched" or gap_too_long:
            yield _missing(previous)
        elif on_missing == "hold":
            yield from _held(previous, 1)
        else:
            pending += 1
            if pending > MAX_GAP:
                yield from (_missing(previous) for _ in range(pending))
                pending, gap_too_long = 0, True
    if not found_any:
        raise InputError(
            f"No face was found in any of the {count} frames; use footage where the face is at least about 60 pixels "
            "wide, enlarge the picture, or give a box around the head."
        )
    yield from _held(previous, pending)


def check_frame_size(size: tuple[int, int]) -> None:
    """Raise InputError for frames of `size` (height, width) too small to find a face in."""
    if min(size) < 64:
        raise InputError(
            f"Expected frames of at least 64 x 64 pixels, got {size[1]} x {size[0]}; "
            "enlarge them before detecting faces."
        )


def detect_track(
    frames: Iterable[np.ndarray],
    size: tuple[int, int],
    masks: Iterable[np.ndarray | None] = repeat(None),
    *,
    face: int = 0,
    on_missing: str = "interpolate",
    detector: FaceDetector | None = None,
) -> FaceTrack:
    """The whole track of a clip at once; see track_faces. size: (height, width) of the frames."""
    check_frame_size(size)
    own = detector is None
    detector = detector or MediaPipeDetector()
    try:
        return FaceTrack.stack(
            track_faces(zip(frames, masks, strict=False), detector, face=face, on_missing=on_missing), size
        )
    finally:
        if own:
            detector.close()


def _choose(faces: list[Face], previous: Face | None, index: int) -> Face | None:
    if not faces:
        return None
    if previous is None:
        if index >= len(faces):
            raise InputError(
                f"Face {index} was asked for, counted from 0, but the first frame with a face shows {len(faces)}; "
                "choose a lower number."
            )
        return sorted(faces, key=lambda f: -f.size)[index]
    nearest = min(faces, key=lambda f: float(np.linalg.norm(f.centre - previous.centre)))
    moved = float(np.linalg.norm(nearest.centre - previous.centre))
    # Another person elsewhere in the picture must not take over while ours is out of sight.
    return nearest if moved < max(previous.size, nearest.size) else None


def _choose_after_cut(faces: list[Face], previous: Face | None, index: int) -> Face | None:
    near = _choose(faces, previous, index) if previous is not None else None
    return near if near is not None or not faces else _choose(faces, None, min(index, len(faces) - 1))


def _bridge(before: Face | None, after: Face, count: int) -> Iterator[TrackedFace]:
    for i in range(1, count + 1):
        between = after if before is None else _mix(before, after, i / (count + 1))
        yield _tracked(between, FrameStatus.INTERPOLATED)


def _mix(before: Face, after: Face, a: float) -> Face:
    def mixed(x: np.ndarray | None, y: np.ndarray | None) -> np.ndarray | None:
        return None if x is None or y is None else (1 - a) * x + a * y

    return Face(
        (1 - a) * before.points + a * after.points,
        (1 - a) * before.blendshapes + a * after.blendshapes,
        mixed(before.visibility, after.visibility),
        mixed(before.deviation, after.deviation),
    )


def _held(last: Face | None, count: int) -> Iterator[TrackedFace]:
    for _ in range(count):
        yield _missing(None) if last is None else _tracked(last, FrameStatus.INTERPOLATED)


def _tracked(face: Face, status: FrameStatus) -> TrackedFace:
    visibility = np.ones(POINT_COUNT, np.float32) if face.visibility is None else face.visibility
    deviation = np.zeros(POINT_COUNT, np.float32) if face.deviation is None else face.deviation
    pose = head_pose(face.points, visibility * certainty(face.points, deviation))
    device = face.device if status == FrameStatus.FOUND else None  # elsewhere it would be where it was
    return TrackedFace(face.points, status, visibility, pose, face.blendshapes, deviation, device)


def _missing(last: Face | None) -> TrackedFace:
    """A frame without a face still carries finite numbers, so that nothing downstream meets None or NaN."""
    if last is None:
        zeros = np.zeros((POINT_COUNT, 3), np.float32)
        shapes = np.zeros(MediaPipeDetector.BLENDSHAPE_COUNT, np.float32)
        return TrackedFace(zeros, FrameStatus.MISSING, np.ones(POINT_COUNT, np.float32), np.eye(4), shapes)
    return _tracked(last, FrameStatus.MISSING)
