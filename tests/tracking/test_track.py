"""Where a device is, in the frame and in what is cut out of it."""

from __future__ import annotations

import numpy as np

from hmd_removal.tracking.track import DevicePatch

PROBABILITY = np.zeros((64, 64), np.float32)
PROBABILITY[10:20, 30:50] = 1.0
DEVICE = DevicePatch(PROBABILITY, np.array([[0.25, 0, 0], [0, 0.25, 0]]))  # cells of four pixels
INSIDE, NEAR, FAR = (160.0, 60.0), (160.0, 96.0), (160.0, 160.0)


def test_a_device_hides_what_is_under_it_and_within_reach():
    points = np.array([INSIDE, NEAR, FAR])
    assert DEVICE.hides(points).tolist() == [True, False, False]
    assert DEVICE.hides(points, reach=24.0).tolist() == [True, True, False]


def test_a_device_goes_along_into_a_crop_and_a_mirror():
    crop, mirror = np.array([[0.5, 0, -20], [0, 0.5, 10]]), np.array([[-1, 0, 255], [0, 1, 0]])
    for by in (crop, mirror):
        points = np.array([INSIDE, NEAR, FAR]) @ by[:, :2].T + by[:, 2]
        assert DEVICE.moved(by).hides(points).tolist() == [True, False, False]
