"""The landmarker's error with one person under one device, measured on that person's reference and taken off.

A network that has never seen somebody places their hidden features where most people have them. What it does so it
does in every frame of about the same pose; a head that is tilted back it gets wrong in another way. A reference of the
uncovered person shows how much: set behind the device as it sits in a frame, in the pose of that frame, it makes a
picture of which the true points are known.
"""

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .geometry import MESH_POINT_COUNT, fit_similarity, head_pose, pose_angles, rigidity, transform
from .mesh import extend_points, warp_mesh
from .reference import Reference
from .sighting import head_crop, look
from .track import USUAL_RATE, FrameStatus, TrackedFace

if TYPE_CHECKING:
    from ..models.covered_landmarks import CoveredLandmarkNet

EVERY = 0.24  # seconds between two measurements later
SETTLED = 0.96  # the same once KEPT are at hand
NEW_POSE = 10.0  # degrees of yaw and pitch from all that were measured, from which a pose is measured at once
LIKE_POSE = 12.0  # degrees: a measurement in another pose counts less, by a Gaussian of that width
DRAWN = 192  # pixels a side, at least, of a crop that is drawn smaller than it is
HALF = np.array([0.5, 0.5, 0.0])  # the middle of pixel 0
KEPT = 10  # measurements that are averaged


class PersonalCalibration:
    """Corrects the covered face of one person; feed the frames of a clip in order. Looks at no later frame.

    reference: the person without the device. net: what the face was found with; None for the manifest's. fps: frames a
    second.
    """

    def __init__(self, reference: Reference, net: "CoveredLandmarkNet | None" = None, fps: float = USUAL_RATE):
        self._net, self._fps = net, fps
        self._reference = reference
        self._extended = [extend_points(p.astype(np.float64), head_pose(p)) for p in reference.points]
        self._measured: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=KEPT)  # the pose's angles, and what is off
        self._due = 0

    def push(self, frame: np.ndarray, face: TrackedFace, mask: np.ndarray | None = None) -> TrackedFace:
        """The face with its points where they are for this person; an uncovered one as it is.

        frame: (H, W, 3) uint8. mask: (H, W), over 0.5 = covered; None to go by the network's own map of the device.
        """
        if face.status == FrameStatus.MISSING or not face.covered:
            return face
        if face.device is None:  # interpolated: nothing to measure
            return self._corrected(face)
        self._due -= 1
        is_new = bool(self._away(face).min(initial=np.inf) > NEW_POSE)
        if self._due < 0 or is_new:
            self._measured.append((_angles(face), self._measure(frame, self._corrected(face), face, mask)))
            if is_new:  # a draft: with its better pose it is measured again
                found = self._measure(frame, self._corrected(face), face, mask)
                self._measured[-1] = (_angles(face), found)
            self._due = round((EVERY if len(self._measured) < KEPT else SETTLED) * self._fps)
        return self._corrected(face)

    def _away(self, face: TrackedFace) -> np.ndarray:
        """(N,) degrees by which the face is turned otherwise than each that was measured."""
        now = _angles(face)
        return np.array([np.linalg.norm(now - angles) for angles, _ in self._measured])

    def _corrected(self, face: TrackedFace) -> TrackedFace:
        if not self._measured:
            return face
        away = self._away(face)
        weights = np.exp(-((away**2 - away.min() ** 2) / LIKE_POSE**2))
        moved = np.average([found for _, found in self._measured], 0, weights) @ head_pose(face.points)[:3, :3].T
        points = (face.points + moved).astype(np.float32)
        return replace(face, points=points, pose=head_pose(points, face.visibility))

    def _measure(self, frame: np.ndarray, best: TrackedFace, face: TrackedFace, mask: np.ndarray | None) -> np.ndarray:
        """(478, 3) centimetres in face coordinates from where the network puts the reference's points to the truth.

        The picture is drawn about at the frame's own resolution: drawn as small as the network's input it is sharper
        than footage, and the error is another one.
        """
        crop = head_crop(head_pose(face.points))
        rows, columns = crop.window(frame.shape[:2])
        corner = np.array([columns.start, rows.start, 0])
        frame = frame[rows, columns]
        device = mask[rows, columns] > 0.5 if mask is not None else face.device.mask(frame.shape[:2], corner[:2])
        by = max(int(crop.side / DRAWN), 1)
        frame = cv2.resize(frame, None, fx=1 / by, fy=1 / by, interpolation=cv2.INTER_AREA)
        device = cv2.resize(device.view(np.uint8), frame.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        index = self._nearest(best.pose)
        model = self._reference.points[index].astype(np.float64)
        bone = rigidity()
        posing = fit_similarity(model[:MESH_POINT_COUNT], best.points[:MESH_POINT_COUNT].astype(np.float64), bone)
        truth, target = ((transform(posing, x) - corner + HALF) / by - HALF for x in (model, self._extended[index]))
        everywhere = np.ones(frame.shape[:2], bool)
        drawn, kind = warp_mesh(self._reference.images[index], self._extended[index], target, everywhere)
        picture = np.where(((kind > 0) & ~device)[..., None], drawn, frame)
        if self._net is None:
            from ..models import covered_landmarks

            self._net = covered_landmarks.shared()
        (seen,) = look(self._net, picture, [crop.moved(0.5 - corner[:2]).scaled(1 / by).moved(-HALF[:2])])
        truth[:, 2] += seen.points[:, 2].mean() - truth[:, 2].mean()  # nobody knows how far away a head is
        to_face = np.linalg.inv(head_pose(seen.points))
        return transform(to_face, truth) - transform(to_face, seen.points.astype(np.float64))

    def _nearest(self, pose: np.ndarray) -> int:
        return int(np.abs(self._reference.angles[:, :2] - pose_angles(pose)[:2]).sum(1).argmin())


def _angles(face: TrackedFace) -> np.ndarray:
    """(2,) yaw and pitch in degrees."""
    return pose_angles(face.pose)[:2]
