"""Photographs that move: a portrait with the head motion, blinks and speech of somebody who was filmed.

A few people are filmed and many are photographed; a network that fills in faces should have seen many.
"""

from dataclasses import dataclass, replace

import numpy as np

from ...models.covered_landmarks import CROP_CENTRE
from ...tracking.crop import Crop
from ...tracking.geometry import head_pose, pose_angles, transform
from ...tracking.track import Face, FaceTrack, FrameStatus, TrackedFace
from .repose import repose, rotation

CENTIMETRES = 42.0  # of the world in a frame: the engine's crop, and the room that a moving head needs
MOST_YAW, MOST_PITCH = 30.0, 20.0  # degrees by which a portrait is turned; beyond, its skin is stretched too far


@dataclass(frozen=True)
class Motion:
    """How a filmed face moves about its own mean. angles: (T, 3) degrees (yaw, pitch, roll); shape: (T, 478, 3)
    centimetres in face coordinates."""

    angles: np.ndarray
    shape: np.ndarray

    def __len__(self) -> int:
        return len(self.angles)

    def part(self, start: int, stop: int) -> "Motion":
        """Some of its frames."""
        return Motion(self.angles[start:stop], self.shape[start:stop])


def motion_of(track: FaceTrack) -> Motion:
    """The motion of a tracked face; it has to be found in every frame."""
    poses = [head_pose(points) for points in track.points]
    angles = np.stack([pose_angles(pose) for pose in poses])
    shape = np.stack(
        [transform(np.linalg.inv(m), p.astype(np.float64)) for m, p in zip(poses, track.points, strict=True)]
    )
    return Motion(angles - angles.mean(0), shape - shape.mean(0))


def moving_portrait(image: np.ndarray, points: np.ndarray, motion: Motion, side: int) -> tuple[np.ndarray, FaceTrack]:
    """A clip of a photograph, and where its face is. image: (H, W, 3) uint8; points: (478, 3) pixels of its face.

    Returns (T, side, side, 3) uint8 frames around the head, which keeps its place, and the exact track.
    """
    pose = head_pose(points)
    crop = replace(Crop.around(pose, CENTIMETRES, CROP_CENTRE), roll=0.0).matrix(side)
    own = pose_angles(pose)
    frames, faces = [], []
    for angles, shape in zip(motion.angles, motion.shape, strict=True):
        yaw, pitch = np.clip(own[:2] + angles[:2], *(np.array([-1, 1])[:, None] * (MOST_YAW, MOST_PITCH)))
        posed = repose(image, points, rotation(yaw, pitch, own[2] + angles[2]), shape, crop, side)
        frames.append(posed.image)
        faces.append(TrackedFace.of(Face(posed.points), FrameStatus.FOUND))
    return np.stack(frames), FaceTrack.stack(faces, (side, side))
