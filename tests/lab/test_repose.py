"""Turning the head in a photograph."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from hmd_removal.lab.data.repose import repose, rotation
from hmd_removal.tracking.geometry import eye_distance, head_pose, mirrored_points, pose_angles
from hmd_removal.tracking.heads import HeadDetector
from hmd_removal.tracking.track import FaceTrack

WHOLE = np.array([[1.0, 0, 0], [0, 1.0, 0]])


def turned(frames: np.ndarray, track: FaceTrack, yaw: float, pitch: float, *, zoom: float = 2.0, side: int = 352):
    """The talking head's first frame, enlarged and turned from where it looks by these angles."""
    points = track.points[0]
    own = pose_angles(head_pose(points))
    return repose(frames[0], points, rotation(own[0] + yaw, own[1] + pitch, own[2]), None, WHOLE * zoom, side)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 10, 5), (-45, -25, -20), (45, 25, 80)])
def test_rotation_is_what_pose_angles_reads(angles: tuple[float, float, float]) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(*angles)
    assert np.allclose(pose_angles(matrix), angles)
    assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3))
    assert np.isclose(np.linalg.det(matrix[:3, :3]), 1)


def test_a_mirror_swaps_the_sides_and_nothing_else() -> None:
    mirror = mirrored_points()
    assert (mirror[mirror] == np.arange(478)).all()
    assert mirror[33] == 263  # outer eye corners
    assert mirror[61] == 291  # mouth corners
    assert mirror[1] == 1  # nose tip
    assert mirror[468] == 473  # irises
    assert (mirror[469], mirror[470]) == (476, 475)  # an iris's right is the other's left; its top stays top


def test_a_head_that_keeps_its_pose_keeps_its_picture(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    points = talking_head_track.points[0]
    pose = head_pose(points)
    same = repose(talking_head[0], points, rotation(*pose_angles(pose)), None, WHOLE, 144)
    assert np.abs(same.points - points).max() < 0.01
    assert np.allclose(same.pose, pose)
    difference = np.abs(same.image.astype(int) - talking_head[0, :, :144].astype(int))
    assert difference.mean() < 1.5


@pytest.mark.parametrize("yaw, pitch", [(25, 0), (-25, 0), (0, 15), (15, -12)])
def test_a_landmarker_sees_the_turned_face_where_the_labels_say(
    talking_head: np.ndarray, talking_head_track: FaceTrack, yaw: float, pitch: float
) -> None:
    posed = turned(talking_head, talking_head_track, yaw, pitch)
    with closing(HeadDetector("uncovered")) as detector:
        (seen,) = detector.detect(posed.image)
    error = np.linalg.norm(seen.points[:, :2] - posed.points[:, :2], axis=1).mean() / eye_distance(posed.points)
    assert error < 0.08
    assert np.abs(pose_angles(head_pose(seen.points)) - pose_angles(posed.pose))[:2].max() < 10


def test_the_background_stays_where_it_was(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    posed = turned(talking_head, talking_head_track, 20, 0, zoom=1.0, side=144)
    corner = np.s_[:20, :20]
    assert np.array_equal(posed.image[corner], talking_head[0][corner])


def test_a_deformation_moves_points_by_its_centimetres(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    points = talking_head_track.points[0]
    pose = head_pose(points)
    down = np.zeros((478, 3))
    down[152, 1] = 1.0  # the chin, a centimetre down the face
    args = rotation(*pose_angles(pose)), down, WHOLE, 144
    moved = repose(talking_head[0], points, *args).points - points
    assert np.allclose(moved[152], pose[:3, 1], atol=0.02)
    assert np.abs(np.delete(moved, 152, axis=0)).max() < 0.02
