"""The one form of tracking data."""

import numpy as np

from hmd_removal.driving.eye_tracking import EyeTracking


def test_a_mirrored_face_changes_its_sides_and_looks_the_other_way():
    tracking = EyeTracking.unknown(np.arange(1.0))
    tracking.openness[0] = 0.1, 0.9
    tracking.gaze[0] = (0.2, 0.3), (0.4, 0.5)
    tracking.brows[0] = (1, 2, 3), (4, 5, 6)
    tracking.jaw[0] = 0.7, 0.8
    other = tracking.mirrored()
    assert other.openness[0].tolist() == [0.9, 0.1]
    assert other.gaze[0].tolist() == [[-0.4, 0.5], [-0.2, 0.3]]
    assert other.brows[0].tolist() == [[4, 5, 6], [1, 2, 3]]
    assert other.jaw[0].tolist() == [0.7, -0.8]
    assert np.array_equal(other.mirrored().gaze, tracking.gaze)


def test_nothing_is_known_at_first():
    tracking = EyeTracking.unknown(np.arange(3))
    assert tracking.times.dtype == np.float64
    shapes = [array.shape for array in (tracking.openness, tracking.gaze, tracking.brows, tracking.jaw)]
    assert shapes == [(3, 2), (3, 2, 2), (3, 2, 3), (3, 2)]
    assert all(np.isnan(array).all() for array in (tracking.openness, tracking.gaze, tracking.brows, tracking.jaw))
