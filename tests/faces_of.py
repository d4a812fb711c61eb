"""Faces and frames made for tests."""

import numpy as np
from test_pose import turned

from hmd_removal.faces.pose import head_pose
from hmd_removal.faces.track import FrameStatus, TrackedFace


def posed_face(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, status=FrameStatus.FOUND) -> TrackedFace:
    """The canonical face of test_pose.turned as a tracked one, all points visible."""
    points = turned(yaw, pitch, roll).astype(np.float32)
    return TrackedFace(points, status, np.ones(478, np.float32), head_pose(points), np.zeros(52, np.float32))
