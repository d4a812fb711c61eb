"""Faces and frames made for tests."""

import cv2
import numpy as np
from test_pose import turned

from hmd_removal.faces.pose import head_pose
from hmd_removal.faces.topology import FACE_OVAL
from hmd_removal.faces.track import FaceTrack, FrameStatus, TrackedFace


def posed_face(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, status=FrameStatus.FOUND) -> TrackedFace:
    """The canonical face of test_pose.turned as a tracked one, all points visible."""
    points = turned(yaw, pitch, roll).astype(np.float32)
    return TrackedFace(points, status, np.ones(478, np.float32), head_pose(points), np.zeros(52, np.float32))


def inside_oval(track: FaceTrack) -> np.ndarray:
    """(T, H, W) uint8, 1 on the face in each frame of a track."""
    masks = np.zeros((len(track), *track.size), np.uint8)
    for mask, points in zip(masks, track.points, strict=True):
        cv2.fillConvexPoly(mask, np.round(points[list(FACE_OVAL), :2]).astype(np.int32), 1)
    return masks
