"""What a face does at one moment, in a few numbers: how the head is turned and placed, what lips, jaw, cheeks and brows
do by a basis of face shapes, and the eyes. All of it is counted from the face's own neutral look, so that it moves
another picture of the person without changing its proportions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..driving.eye_tracking import EyeTracking
from ..driving.upper_face import LOWER_LIDS, UPPER_LIDS, apertures, gazes, mirrored, shipped
from ..errors import InputError
from ..tracking.geometry import (
    MESH_POINT_COUNT,
    canonical_points,
    certainty,
    fit_similarity,
    pose_scale,
    rigidity,
    transform,
)
from ..tracking.track import FrameStatus, TrackedFace
from ..weights.header import read_weights

FILE = Path(__file__).with_name("face_shapes.safetensors")
LIDS = tuple(point for lids in (*UPPER_LIDS, *LOWER_LIDS) for point in lids)
DEPTH = 0.3  # weight of a point's depth by that of its place: a camera hardly sees it
NOISE = 0.08  # centimetres by which a landmark errs: shapes that explain less than that are not believed
HIDDEN = 0.1  # weight of a point that something covers, by that of one in sight
LEAST_APERTURE = 0.05  # of a neutral eye, by its width: one that is shut says nothing of how far others are open
WIDEST = 1.5  # openness of an eye by the neutral one's, at most


@dataclass(frozen=True)
class Motion:
    """What a face does, counted from its neutral look.

    turn: (3,) rotation vector in radians, in the head's coordinates, which are tracking.geometry's. place: (2,)
    centimetres of the neutral head that it has gone right and down in the picture. growth: natural logarithm of its
    size by the neutral one's. shape: (K,) of FaceShapes, each in centimetres. openness: (2,) of the eyes by the neutral
    ones, the wearer's right one first; gaze: (2,) radians of both eyes to the wearer's right and down.
    """

    turn: np.ndarray
    place: np.ndarray
    growth: float
    shape: np.ndarray
    openness: np.ndarray
    gaze: np.ndarray

    @classmethod
    def none(cls) -> "Motion":
        """The neutral look."""
        shape = np.zeros(len(shipped_shapes()))
        return cls(np.zeros(3), np.zeros(2), 0.0, shape, np.ones(2), np.zeros(2))


@dataclass(frozen=True)
class FaceShapes:
    """What faces do, as a sum of K shapes, most common first. basis: (K, 468, 3), by which points move in face
    coordinates; the point that moves farthest moves 1 centimetre. deviation: (K,) centimetres, how much of each people
    show. What blinks and gaze do to lids is none of it."""

    basis: np.ndarray
    deviation: np.ndarray

    def __len__(self) -> int:
        return len(self.basis)

    def fitted(self, moved: np.ndarray, sure: np.ndarray) -> np.ndarray:
        """(K,) the most likely shape for points that have moved by (468, 3) centimetres, each with a weight in [0, 1]:
        what is not seen is as it mostly is with the rest."""
        weights = _axis_weights(sure).ravel()
        basis = self.basis.reshape(len(self), -1)
        weighted = basis * weights
        normal = weighted @ basis.T + np.diag((NOISE / self.deviation) ** 2)
        return np.linalg.solve(normal, weighted @ moved.ravel())

    def motion(self, shape: np.ndarray) -> np.ndarray:
        """(468, 3) centimetres by which the points move."""
        return np.tensordot(shape, self.basis, 1)


def _axis_weights(sure: np.ndarray) -> np.ndarray:
    return sure[:, None] * (1.0, 1.0, DEPTH**2)


def learnt_shapes(moved: np.ndarray, count: int) -> FaceShapes:
    """The shapes that explain most of (N, 468, 3) centimetres by which points of people's faces have moved, and of the
    same in the mirror: principal components."""
    both = np.concatenate([moved, mirrored(moved)])
    weights = np.sqrt(_axis_weights(_shape_weights())).ravel()
    rows = both.reshape(len(both), -1) * weights
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    order = np.argsort(values)[::-1][:count]
    basis = (vectors[:, order].T / weights).reshape(count, MESH_POINT_COUNT, 3)
    farthest = np.linalg.norm(basis, axis=2).max(1)
    return FaceShapes(basis / farthest[:, None, None], np.sqrt(values[order]) * farthest)


@lru_cache(maxsize=1)
def _shape_weights() -> np.ndarray:
    """(468,) how much each point counts: lips most, whose errors are seen, and lids hardly, which have motions
    of their own."""
    x, y, _ = canonical_points().T
    lips = np.exp(-((x / 3.0) ** 2 + ((y - 4.2) / 2.0) ** 2))
    weights = 1 + 2 * lips
    weights[list(LIDS)] = 0.05
    return weights


@lru_cache(maxsize=1)
def shipped_shapes() -> FaceShapes:
    """Those that come with the pack, made by `hmd-removal lab train face-shapes`."""
    _, tensors = read_weights(FILE, "face shapes")
    return FaceShapes(*(tensors[name].float().numpy().astype(np.float64) for name in ("basis", "deviation")))


def rigid_pose(points: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """(4, 4) head pose, see tracking.geometry.head_pose, that does not go with the jaw. points: (478, 3) pixels; sure:
    (468,) weights."""
    return fit_similarity(canonical_points(), points[:MESH_POINT_COUNT].astype(np.float64), rigidity() * sure)


def sureness(face: TrackedFace) -> np.ndarray:
    """(468,) in (0, 1]: how much each point of a face is to be trusted."""
    seen = np.maximum(face.visibility, HIDDEN) * certainty(face.points, face.deviation)
    return seen[:MESH_POINT_COUNT]


def without_eyes(face: np.ndarray, openness: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """(468, 3) of a face whose eyes are as neutral ones. face: (468, 3) in face coordinates; the others: see Motion."""
    right = shipped().right[:3]  # when the eye shuts, and with its yaw and pitch
    left = mirrored(right) * np.array([1.0, -1.0, 1.0])[:, None, None]
    for parts, eye in ((right, 0), (left, 1)):
        face = face - np.tensordot(np.array([1 - openness[eye], *gaze]), parts, 1)
    return face


@dataclass(frozen=True)
class Neutral:
    """How a driver looks when nothing is expressed. pose: (4, 4) head pose; face: (478, 3) in face coordinates, for
    gaze and lids as well; aperture: (2,) of the eyes; gaze: (2,) radians."""

    pose: np.ndarray
    face: np.ndarray
    aperture: np.ndarray
    gaze: np.ndarray

    @classmethod
    def of(cls, faces: Sequence[TrackedFace]) -> "Neutral":
        """The usual one of these: medians. Raises InputError where none of them was found."""
        found = [face for face in faces if face.status != FrameStatus.MISSING]
        if not found:
            raise InputError("Nobody is seen in the driver's first second, in which the neutral look is measured.")
        poses = [rigid_pose(face.points, sureness(face)) for face in found]
        shapes = np.stack(
            [transform(np.linalg.inv(pose), f.points.astype(np.float64)) for pose, f in zip(poses, found, strict=True)]
        )
        middle = np.median(shapes, axis=0)
        points = np.median(np.stack([face.points for face in found]), axis=0)
        sure = np.median(np.stack([sureness(face) for face in found]), axis=0)
        aperture = np.maximum(np.median(apertures(shapes), axis=0), LEAST_APERTURE)
        gaze = np.median(gazes(shapes).mean(1), axis=0)
        return cls(rigid_pose(points, sure), middle, aperture, gaze)

    def motion(self, face: TrackedFace, eyes: EyeTracking | None = None, row: int = 0) -> Motion:
        """What the face does at a moment. eyes: tracking data, of which `row` counts; None for those that are seen, if
        nothing covers them."""
        sure = sureness(face)
        pose = rigid_pose(face.points, sure)
        shape = transform(np.linalg.inv(pose), face.points.astype(np.float64))
        openness, gaze = self._eyes(shape, face.covered, eyes, row)
        seen = (np.ones(2), np.zeros(2)) if face.covered else (openness, gaze)
        moved = without_eyes(shape[:MESH_POINT_COUNT], *seen) - self.face[:MESH_POINT_COUNT]
        sure = sure * _shape_weights() / _shape_weights().max()
        shapes = shipped_shapes()
        coefficients = shapes.fitted(moved, sure)
        if eyes is not None and face.covered:
            brows = np.nan_to_num(eyes.brows[row]).ravel()
            coefficients = coefficients + shapes.fitted(np.tensordot(brows, shipped().brows, 1), _shape_weights() / 3)
        turn = np.linalg.inv(self.pose[:3, :3]) @ pose[:3, :3]
        growth = np.log(np.cbrt(np.linalg.det(turn)))
        turned, _ = cv2.Rodrigues(turn / np.exp(growth))
        place = (pose[:2, 3] - self.pose[:2, 3]) / pose_scale(self.pose)
        return Motion(turned[:, 0], place, float(growth), coefficients, openness, gaze)

    def _eyes(
        self, shape: np.ndarray, covered: bool, eyes: EyeTracking | None, row: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Openness and gaze, see Motion; neutral where they are not known."""
        if eyes is not None:
            openness = np.where(np.isfinite(eyes.openness[row]), eyes.openness[row], 1.0)
            known = eyes.gaze[row][np.isfinite(eyes.gaze[row]).all(1)]
            gaze = known.mean(0) if len(known) else np.zeros(2)
        elif covered:
            return np.ones(2), np.zeros(2)
        else:
            openness = apertures(shape) / self.aperture
            # A lid that covers the pupil drags the iris's landmarks along.
            gaze = (gazes(shape).mean(0) - self.gaze) * np.clip(2 * openness.min() - 0.5, 0, 1)
        return np.clip(openness, 0, WIDEST), gaze
