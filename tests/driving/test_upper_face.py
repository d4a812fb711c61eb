"""Where eyes and brows are in a picture, and what moves with them."""

from __future__ import annotations

import numpy as np
import pytest

from hmd_removal.driving.upper_face import (
    AHEAD,
    BROWS,
    CORNERS,
    INNER,
    IRISES,
    LOWER_LIDS,
    OUTER,
    SEEN,
    UPPER_LIDS,
    brow_motions,
    eyes_in,
    gaze_step,
    gazes,
    lid,
    mirror,
    mirrored,
    shipped,
    with_lids,
)
from hmd_removal.tracking.geometry import canonical_points, transform


def face() -> np.ndarray:
    """(478, 3) face coordinates: the canonical face, whose irises look straight ahead."""
    points = np.concatenate([canonical_points(), np.zeros((10, 3))])
    for corners, iris, outwards in zip(CORNERS, IRISES, (-1, 1), strict=True):
        centre = points[list(corners)].mean(0) + (outwards * AHEAD[0], AHEAD[1], 0)
        points[list(iris)] = centre + 0.6 * np.array([(0, 0, 0), (1, 0, 0), (0, -1, 0), (-1, 0, 0), (0, 1, 0)])
    return points


def turned(points: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    points = points.copy()
    for iris in IRISES:
        points[list(iris)] += (-SEEN[0] * yaw, SEEN[1] * pitch, 0)
    return points


POSE = np.diag([20.0, 20.0, 20.0, 1.0])
POSE[:3, 3] = (300, 250, 0)
SIDES = np.array([[1 / 600, 0, 0], [0, 1 / 600, 0]])


def in_pictures(*faces: np.ndarray):
    return eyes_in(np.stack([transform(POSE, one) for one in faces]), [SIDES] * len(faces))


def test_gaze_is_to_the_wearers_right_and_down():
    assert gazes(face()) == pytest.approx(np.zeros((2, 2)))
    assert gazes(turned(face(), 0.2, 0.1)) == pytest.approx(np.tile([0.2, 0.1], (2, 1)))
    right, down, _ = gaze_step(np.array([0.2, 0.1]), np.zeros(2))
    assert right < 0 < down  # the wearer's right is the picture's left
    assert np.linalg.norm(gaze_step(np.array([0.1, 0]), np.zeros(2))) == pytest.approx(0.12, abs=0.001)


def test_an_eye_is_measured_in_its_own_width():
    (picture,) = in_pictures(face())
    for eye in picture.eyes:
        assert lid(eye.upper, np.array([-0.5, 0.5])) == pytest.approx([0, 0])
        assert lid(eye.upper, np.array(0.0)) < eye.iris[1] < lid(eye.lower, np.array(0.0))
        assert 0.15 < eye.radius < 0.3 and eye.brow[0] > 0.5
    right, left = picture.eyes
    assert right.iris[0] == pytest.approx(-left.iris[0], abs=0.01) and right.brow[1] == pytest.approx(
        -left.brow[1], abs=0.05
    )


def test_what_is_usual_and_level_is_the_persons_median():
    raised = turned(face(), 0.1, -0.2)
    half = face()
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        half[list(upper), 1] = (half[list(upper), 1] + half[list(lower), 1]) / 2
    usual, looking_up, half_shut = in_pictures(face(), raised, half)
    assert usual.openness == pytest.approx([1, 1]) and usual.gaze == pytest.approx([0, 0], abs=1e-3)
    assert looking_up.gaze == pytest.approx([0.1, -0.2], abs=1e-3) and half_shut.openness == pytest.approx(
        [0.5, 0.5], abs=0.03
    )
    assert in_pictures(raised)[0].gaze == pytest.approx([0.1, 0], abs=1e-3)  # one picture does not tell what is level


def test_the_mirror_changes_sides():
    assert np.array_equal(mirror()[mirror()], np.arange(468))
    assert mirror()[33] == 263 and mirror()[159] == 386 and mirror()[10] == 10
    motion = np.zeros((468, 3))
    motion[33] = (1, 2, 3)
    assert mirrored(motion)[263].tolist() == [-1, 2, 3]


def test_people_shut_their_eyes_with_the_upper_lid():
    assert 0.7 < shipped().upper_share < 0.95 and 0.05 < shipped().lids_follow < 0.6


def test_brows_rise_where_they_are_raised():
    right = shipped().right
    outer, inner = BROWS[0][0], BROWS[0][-1]
    assert right[OUTER, outer, 1] < -0.3 and right[INNER, inner, 1] < -0.1
    assert right[OUTER, outer, 1] < right[INNER, outer, 1] and np.abs(right[:, 152]).max() < 0.01  # chin
    points = transform(POSE, face())
    motions = brow_motions(shipped(), points[:468, :2] @ SIDES[:, :2].T, SIDES[:, :2] @ POSE[:2, :3])
    x, y = points[outer, :2] / 600 * motions.shape[-1]
    right_outer, left_outer = motions[1], motions[4]
    assert (
        right_outer[1, round(y), round(x)] < -0.3 * 20 / 600 and abs(left_outer[1, round(y), round(x)]) < 0.1 * 20 / 600
    )
    assert np.abs(motions[:, :, -1]).max() < 1e-4  # nothing moves far from the face


def test_lids_of_points_close_by_their_shares():
    points = face()
    shut = with_lids(points, np.array([0.0, np.nan]), 0.8)
    upper, lower = UPPER_LIDS[0][3], LOWER_LIDS[0][3]
    assert shut[upper] == pytest.approx(shut[lower])
    assert shut[upper] == pytest.approx(0.2 * points[upper] + 0.8 * points[lower])
    unchanged = np.ones(478, bool)
    unchanged[[*UPPER_LIDS[0], *LOWER_LIDS[0]]] = False
    assert np.array_equal(shut[unchanged], points[unchanged])
