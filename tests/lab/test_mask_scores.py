"""Overlap and flicker of masks, worked out by hand."""

import numpy as np
import pytest
from faces_of import turned

from hmd_removal.lab.tracking.masks import flicker, head_motion, mask_iou
from hmd_removal.tracking.geometry import head_pose


def box(left: int, right: int, top: int = 10, bottom: int = 20) -> np.ndarray:
    mask = np.zeros((40, 60), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def test_overlap_by_hand():
    assert mask_iou(box(10, 20), box(15, 25)) == pytest.approx(5 / 15)
    assert mask_iou(box(10, 20), box(10, 20)) == 1
    assert mask_iou(box(10, 20), box(30, 40)) == 0
    assert mask_iou(box(0, 0), box(0, 0)) == 1


def test_what_moves_with_the_head_does_not_flicker():
    still = head_pose(turned())
    beside = still.copy()
    beside[0, 3] += 7
    assert flicker(np.stack([box(10, 20), box(17, 27)]), np.stack([still, beside])) == pytest.approx([0])
    # It stands still in the picture instead: moved to columns 17 to 26, it shares 3 of 17.
    assert flicker(np.stack([box(10, 20), box(10, 20)]), np.stack([still, beside])) == pytest.approx([1 - 3 / 17])


def test_a_frame_without_a_mask_costs_everything_twice():
    masks = np.stack([box(10, 20), box(0, 0), box(10, 20)])
    assert flicker(masks, np.stack([head_pose(turned())] * 3)) == pytest.approx([1, 1])


def test_the_motion_of_a_head_is_that_of_where_a_headset_sits():
    before, after = turned(), turned(roll=30)
    points = np.array([[200.0, 150.0], [220.0, 110.0]])  # the head turns about (200, 150)
    motion = head_motion(head_pose(before), head_pose(after))
    moved = points @ motion[:, :2].T + motion[:, 2]
    c, s = np.cos(np.pi / 6), 0.5
    assert moved == pytest.approx(np.array([[200, 150], [200 + 20 * c + 40 * s, 150 + 20 * s - 40 * c]]))


def test_a_larger_head_has_a_larger_mask():
    still = head_pose(turned())
    nearer = np.diag([2.0, 2, 2, 1]) @ still
    motion = head_motion(still, nearer)
    assert motion[:, :2] == pytest.approx(2 * np.eye(2)) and motion[:, 2] == pytest.approx([0, 0], abs=1e-9)
