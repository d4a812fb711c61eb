"""One person's face through a clip: a typed track without holes."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum

import cv2
import numpy as np

from ..errors import InputError
from .geometry import LIDS, POINT_COUNT, certainty, head_pose

USUAL_RATE = 25.0  # frames a second, where that is not known; what is set by the frame was set at this rate


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

    def moved(self, by: np.ndarray) -> "DevicePatch":
        """The same device in another picture of the frame, as a crop of it. by: (2, 3) from the frame's pixels to that
        picture's."""
        back = cv2.invertAffineTransform(np.asarray(by, np.float64))
        return replace(self, matrix=self.matrix @ np.vstack([back, (0, 0, 1)]))

    def hides(self, points: np.ndarray, reach: float = 0.0) -> np.ndarray:
        """(N,) bool: the points, (N, 2 or 3) pixels of the frame, that are likely under the device, or within so many
        pixels of it."""
        cells = int(np.ceil(reach * np.sqrt(abs(np.linalg.det(self.matrix[:, :2])))))
        grown = cv2.dilate(self.probability, np.ones((2 * cells + 1, 2 * cells + 1), np.uint8))
        return visibility_under(points[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2], grown) == 0

    def over_eyes(self, points: np.ndarray) -> float:
        """Share of the lids' points that lie under the device. points: (478, 3) of the face in the frame."""
        return float(self.hides(points[list(LIDS)]).mean())


@dataclass(frozen=True)
class Face:
    """One face in one frame, and what is known of it where something covers it.

    points: (478, 3) float32 pixels, x to the right, y down, z away from the camera on the scale of x.
    visibility: (478,) float32 in [0, 1], the camera sees the point. deviation: (478,) float32 pixels, the standard
    deviation of a point in the picture plane (square root of half the covariance's trace). device: what covers it.
    visibility and deviation are None for a face of which all is in sight. score: in [0, 1], there is a face.
    """

    points: np.ndarray
    visibility: np.ndarray | None = None
    deviation: np.ndarray | None = None
    device: DevicePatch | None = None
    score: float = 1.0

    @property
    def wears_device(self) -> bool:
        """Whether a device is before the eyes."""
        return self.device is not None and self.device.over_eyes(self.points) > 0.5

    @property
    def centre(self) -> np.ndarray:
        return self.points[:, :2].mean(0)

    @property
    def size(self) -> float:
        """Longer side of the face's box, in pixels."""
        return float(np.ptp(self.points[:, :2], axis=0).max())


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
    deviation: np.ndarray = field(default_factory=lambda: np.zeros(POINT_COUNT, np.float32))
    device: DevicePatch | None = None
    scene: int = 0

    @classmethod
    def of(cls, face: Face, status: FrameStatus, scene: int = 0) -> "TrackedFace":
        """A face that was found in this frame, or in others near to it."""
        visibility = np.ones(POINT_COUNT, np.float32) if face.visibility is None else face.visibility
        deviation = np.zeros(POINT_COUNT, np.float32) if face.deviation is None else face.deviation
        pose = head_pose(face.points, visibility * certainty(face.points, deviation))
        device = face.device if status == FrameStatus.FOUND else None  # elsewhere it would be where it was
        return cls(face.points, status, visibility, pose, deviation, device, scene)

    @classmethod
    def missing(cls, last: Face | None = None, scene: int = 0) -> "TrackedFace":
        """A frame without a face still carries finite numbers, so that nothing downstream meets None or NaN."""
        if last is not None:
            return cls.of(last, FrameStatus.MISSING, scene)
        zeros = np.zeros((POINT_COUNT, 3), np.float32)
        return cls(zeros, FrameStatus.MISSING, np.ones(POINT_COUNT, np.float32), np.eye(4), scene=scene)

    @property
    def covered(self) -> bool:
        """Whether the points come from the landmarker for covered faces, which is never quite sure of them."""
        return bool(self.deviation.any())

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
    pose: (T, 4, 4) face coordinates in centimetres to pixels (tracking.geometry). deviation: (T, 478) float32 pixels,
    the standard deviation of a point in the picture plane, 0 where nothing is known to be uncertain. devices: T patches
    that show where a headset is, None for a frame of which that is not known. scene: (T,) int32, rises by 1 at a cut
    and after a long absence, where all that was measured before no longer holds. size: (height, width) of the frames in
    pixels.
    """

    points: np.ndarray
    status: np.ndarray
    visibility: np.ndarray
    pose: np.ndarray
    deviation: np.ndarray
    devices: tuple[DevicePatch | None, ...]
    scene: np.ndarray
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> TrackedFace:
        return TrackedFace(
            self.points[index],
            FrameStatus(int(self.status[index])),
            self.visibility[index],
            self.pose[index],
            self.deviation[index],
            self.devices[index],
            int(self.scene[index]),
        )

    @classmethod
    def stack(cls, faces: Iterable[TrackedFace], size: tuple[int, int]) -> "FaceTrack":
        """The track of the frames' faces, in order."""
        faces = list(faces)
        return cls(
            np.stack([f.points for f in faces]).astype(np.float32),
            np.array([f.status for f in faces], np.uint8),
            np.stack([f.visibility for f in faces]).astype(np.float32),
            np.stack([f.pose for f in faces]),
            np.stack([f.deviation for f in faces]).astype(np.float32),
            tuple(f.device for f in faces),
            np.array([f.scene for f in faces], np.int32),
            size,
        )

    @classmethod
    def absent(cls, count: int, size: tuple[int, int]) -> "FaceTrack":
        """The track of `count` frames in which nobody is found."""
        return cls.stack([TrackedFace.missing()] * count, size)

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


def hidden_share(points: np.ndarray, mask: np.ndarray) -> float:
    """Share of the points that lie under a mask, see visibility_under."""
    return float((visibility_under(points, mask) == 0).mean())


def status_summary(status: np.ndarray) -> str:
    """One line: counts by status and the frame numbers concerned. status: (T,) FrameStatus values."""
    parts = [f"{int((status == FrameStatus.FOUND).sum())} of {len(status)} frames have a found face"]
    for kind, words in ((FrameStatus.INTERPOLATED, "interpolated"), (FrameStatus.MISSING, "left untouched")):
        frames = np.flatnonzero(status == kind)
        if len(frames):
            parts.append(f"{len(frames)} {words} (frames {ranges(frames)})")
    return ", ".join(parts) + "."


def ranges(numbers: np.ndarray, most: int = 8) -> str:
    """Ascending frame numbers in words, the first `most` runs of them."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    words = [f"{r[0]}" if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs[:most]]
    return ", ".join(words) + (f" and {len(runs) - most} more runs" if len(runs) > most else "")
