"""Coarse masks on the lattice of the head."""

import cv2
import numpy as np
import pytest
from faces_of import turned

from hmd_removal.headset.evidence import (
    CELL,
    CELLS,
    DEVICE_MIDDLE,
    GAIN,
    TRUSTED,
    Appearance,
    DeviceEvidence,
    chain,
    head_lattice,
)
from hmd_removal.tracking.geometry import head_pose, transform
from hmd_removal.tracking.track import DevicePatch

# 3 pixels of the frame a cell; covers the head of test_pose.turned
PATCH = np.array([[1 / 3, 0, -33.3], [0, 1 / 3, -16.7]])


def patch(value: float) -> DevicePatch:
    return DevicePatch(np.full((64, 64), value, np.float32), PATCH)


@pytest.mark.parametrize("angles", [{}, {"roll": 25}, {"yaw": 30, "roll": -10}])
def test_the_lattice_is_upright_on_the_head(angles):
    pose = head_pose(turned(**angles))
    lattice = head_lattice(pose)
    middle = transform(pose, np.array(DEVICE_MIDDLE))[:2]
    right = transform(head_pose(turned(roll=angles.get("roll", 0))), np.eye(3))[0, :2] - (200, 150)
    ends = np.stack([middle, middle + right]) @ lattice[:, :2].T + lattice[:, 2]
    assert ends[0] == pytest.approx([(CELLS - 1) / 2] * 2)
    assert ends[1] - ends[0] == pytest.approx([1 / CELL, 0], abs=1e-6)  # one centimetre


def test_the_first_frames_are_averaged_evenly_later_ones_fade():
    pose, evidence = head_pose(turned()), DeviceEvidence()
    for value, mean in ((0.2, 0.2), (0.8, 0.5), (0.5, 0.5), (0.9, 0.6)):
        evidence.add(patch(value), pose)
        assert evidence.probability[CELLS // 2, CELLS // 2] == pytest.approx(mean)
    for _ in range(30):
        evidence.add(patch(0.6), pose)
    evidence.add(patch(1.0), pose)
    assert evidence.probability[CELLS // 2, CELLS // 2] == pytest.approx(0.6 + 0.4 * GAIN, abs=1e-3)


def test_a_turning_head_forgets():
    still, moved = DeviceEvidence(), DeviceEvidence()
    for evidence, yaw in ((still, 0), (moved, 16)):
        for _ in range(10):
            evidence.add(patch(0.0), head_pose(turned()))
        evidence.add(patch(1.0), head_pose(turned(yaw=yaw)))
    assert still.probability.max() < 0.2 and moved.probability[CELLS // 2, CELLS // 2] > 0.95


def spot() -> DevicePatch:
    probability = np.zeros((64, 64), np.float32)
    probability[26:38, 22:42] = 1
    return DevicePatch(probability, PATCH)


def test_what_sits_on_the_head_stays_in_its_cell():
    at = []
    for roll, (x, y) in ((0, (0, 0)), (20, (15, -8))):
        pose, evidence = head_pose(turned(roll=roll) + (x, y, 0)), DeviceEvidence()
        # The patch moves along with the head.
        back = cv2.invertAffineTransform(head_lattice(head_pose(turned())))
        evidence.add(DevicePatch(spot().probability, chain(PATCH, chain(back, head_lattice(pose)))), pose)
        at.append(np.argwhere(evidence.probability > 0.5).mean(0))
    assert at[0] == pytest.approx(at[1], abs=0.1)


@pytest.mark.parametrize("roll", [0, 20])
@pytest.mark.parametrize("wrong", [(2.0, 0.0), (-0.9, 1.2)])
def test_a_pose_that_is_late_is_brought_to_where_the_device_is_seen(wrong, roll):
    evidence, right = DeviceEvidence(), head_pose(turned(roll=roll))
    for _ in range(3):
        evidence.add(spot(), right)
    late = right.copy()
    late[:2, 3] += 10 * np.array(wrong)  # 10 pixels a centimetre
    rest = 1 - TRUSTED / np.hypot(*wrong)
    assert evidence.add(spot(), late)[:2, 3] == pytest.approx(late[:2, 3] - rest * 10 * np.array(wrong), abs=1.0)


def test_a_pose_that_is_off_by_little_is_trusted():
    evidence, right = DeviceEvidence(), head_pose(turned())
    evidence.add(spot(), right)
    near = right.copy()
    near[:2, 3] += (2, -1)
    assert (evidence.add(spot(), near) == near).all()


@pytest.mark.parametrize("fps", [8, 240])
def test_the_look_of_a_device_is_averaged_over_a_second_whatever_the_frame_rate(fps):
    def look(rate: float) -> float:
        """Of a device that was grey for two seconds and is white for a quarter of one."""
        appearance, everywhere = Appearance(rate), np.ones((CELLS, CELLS), bool)
        for shade, seconds in ((0.5, 2.0), (1.0, 0.25)):
            for _ in range(round(seconds * rate)):
                appearance.learn(np.full((CELLS, CELLS, 3), shade, np.float32), everywhere, np.eye(2, 3))
        colours, known = appearance.expected(np.eye(2, 3), (CELLS, CELLS))
        assert known[20, 20]
        return float(colours[20, 20, 0])

    assert 0.55 < look(25) < 0.7 and look(fps) == pytest.approx(look(25), abs=0.01)
