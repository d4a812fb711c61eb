"""Faces and frames made for tests."""

import cv2
import numpy as np

from hmd_removal.tracking.geometry import FACE_OVAL, canonical_points, head_pose
from hmd_removal.tracking.track import FaceTrack, FrameStatus, TrackedFace


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """The canonical face, 10 pixels a centimetre around (200, 150), turned by angles in degrees."""
    a, b, c = np.radians([yaw, pitch, roll])
    # face coordinates: x right, y down, z away; each matrix turns the nose, which points along -z
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    face = canonical_points() @ (about_z @ about_y @ about_x).T
    points = np.zeros((478, 3))
    points[:468] = 10 * face + (200, 150, 0)
    points[468:] = points[468 - 10 : 468]
    return points


def posed_face(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, status=FrameStatus.FOUND) -> TrackedFace:
    """The canonical face of `turned` as a tracked one, all points visible."""
    points = turned(yaw, pitch, roll).astype(np.float32)
    return TrackedFace(points, status, np.ones(478, np.float32), head_pose(points))


def inside_oval(track: FaceTrack) -> np.ndarray:
    """(T, H, W) uint8, 1 on the face in each frame of a track."""
    masks = np.zeros((len(track), *track.size), np.uint8)
    for mask, points in zip(masks, track.points, strict=True):
        cv2.fillConvexPoly(mask, np.round(points[list(FACE_OVAL), :2]).astype(np.int32), 1)
    return masks
