"""Learning the shapes of telepresence.animate_motion from filmed people: what their points do beside head and eyes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...driving.upper_face import apertures, gazes
from ...files import written_whole
from ...telepresence.animate_motion import FaceShapes, learnt_shapes, rigid_pose, without_eyes
from ...tracking.geometry import MESH_POINT_COUNT, pose_angles, transform
from .linear_face import TURNED, Seen, look


@dataclass(frozen=True)
class Learnt:
    """The shapes, and what they leave of held-out people's movements. whole, rest: centimetres, root mean square over
    points in the picture plane, of the movement and of what the shapes miss."""

    shapes: FaceShapes
    whole: float
    rest: float


def train(data: Path, out: Path, frames: int, count: int) -> Learnt:
    """Learn from the clips of split `train`, write the file, measure on `val`. frames: of each person, about."""
    shapes = learnt_shapes(movements(look(data, "train", frames)), count)
    from safetensors.torch import save_file

    tensors = {name: torch.from_numpy(getattr(shapes, name)).half().contiguous() for name in ("basis", "deviation")}
    with written_whole(out) as unfinished:
        save_file(tensors, unfinished)
    held_out = movements(look(data, "val", frames))
    return Learnt(shapes, _size(held_out), _size(held_out - described(shapes, held_out)))


def described(shapes: FaceShapes, moved: np.ndarray) -> np.ndarray:
    """What the shapes make of (N, 468, 3) movements, every point in sight."""
    sure = np.ones(MESH_POINT_COUNT)
    return np.stack([shapes.motion(shapes.fitted(one, sure)) for one in moved])


def movements(seen: Seen) -> np.ndarray:
    """(N, 468, 3) centimetres in face coordinates by which points are away from where each person usually has them,
    without what blinks and gaze do, in the frames in which the head is not turned too far to be sure of them."""
    sure = np.ones(MESH_POINT_COUNT)
    poses = np.stack([rigid_pose(points, sure) for points in seen.points])
    faces = np.stack(
        [transform(np.linalg.inv(pose), p.astype(np.float64)) for pose, p in zip(poses, seen.points, strict=True)]
    )
    frontal = (np.abs(pose_angles(poses)[:, :2]) < TURNED).all(1)
    found = []
    for name in np.unique(seen.person):
        own = faces[frontal & (seen.person == name)]
        if not len(own):
            continue
        openness = apertures(own) / np.median(apertures(own), axis=0)
        gaze = gazes(own).mean(1)
        gaze = gaze - np.median(gaze, axis=0)
        still = np.stack(
            [without_eyes(face[:MESH_POINT_COUNT], o, g) for face, o, g in zip(own, openness, gaze, strict=True)]
        )
        found.append(still - np.median(still, axis=0))
    return np.concatenate(found)


def _size(moved: np.ndarray) -> float:
    return float(np.sqrt((moved[..., :2] ** 2).sum(2).mean()))
