"""What is seen in a crop comes back in the frame's pixels."""

import cv2
import pytest
from coded_scene import DEVIATION, CodedNet, Head, crop_of, picture

from hmd_removal.tracking.crop import Crop
from hmd_removal.tracking.geometry import head_pose
from hmd_removal.tracking.sighting import look


def test_what_is_seen_comes_back_in_pixels():
    head = Head(180, 140, roll=15)
    crop = crop_of(head)
    (seen,) = look(CodedNet({0: [head]}), picture(), [crop])
    assert seen.points == pytest.approx(head.points, abs=0.3)
    assert seen.pose == pytest.approx(head_pose(head.points), abs=0.3)
    assert seen.deviation == pytest.approx(DEVIATION * crop.side, rel=0.01)
    assert (seen.crop.x, seen.crop.y, seen.crop.side) == pytest.approx((crop.x, crop.y, crop.side), abs=0.5)
    assert seen.crop.roll == pytest.approx(15, abs=0.2)
    assert seen.moved == pytest.approx(0, abs=0.005) and seen.grown == pytest.approx(1, abs=0.005)
    assert seen.presence > 0.99


def test_a_misplaced_crop_says_how_far():
    head = Head(180, 140)
    ideal = crop_of(head)
    (seen,) = look(CodedNet({0: [head]}), picture(), [Crop(ideal.x - 30, ideal.y, ideal.side * 1.25)])
    assert seen.moved == pytest.approx(30 / (ideal.side * 1.25), abs=0.02)
    assert seen.grown == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("roll", [0, 20])
def test_the_device_patch_lies_on_the_frame(roll):
    head = Head(200, 140, roll=roll)
    (seen,) = look(CodedNet({0: [head]}), picture(), [crop_of(head)])
    patch = cv2.warpAffine(seen.device.probability, seen.device.matrix, (400, 300), flags=cv2.WARP_INVERSE_MAP)
    edges = [(patch[:, x] > 0.5)[100:].argmin() + 100 for x in (170, 200, 230)]
    assert edges == pytest.approx([140] * 3, abs=2)  # a cell is 2 pixels high


def test_points_behind_the_device_are_out_of_sight():
    head = Head(200, 140)
    (seen,) = look(CodedNet({0: [head]}), picture(), [crop_of(head)])
    y = head.points[:, 1]
    assert seen.visibility[y > 143].min() > 0.99 and seen.visibility[y < 137].max() < 0.01


def test_many_crops_keep_their_order():
    heads = [Head(60, 80, scale=2), Head(300, 200, scale=3)]
    crops = [crop_of(heads[i % 2]) for i in range(70)]
    seen = look(CodedNet({0: heads}), picture(), crops)
    assert [round(s.crop.x / 10) for s in seen] == [6, 30] * 35
