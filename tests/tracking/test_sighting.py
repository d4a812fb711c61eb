"""Crops lie where they say, and what is seen in one comes back in the frame's pixels."""

import cv2
import numpy as np
import pytest
from coded_scene import DEVIATION, CodedNet, Head, crop_of, picture

from hmd_removal.tracking.geometry import head_pose
from hmd_removal.tracking.sighting import HeadCrop, look, resample


def test_matrix_by_hand():
    # A square of 40 pixels around (100, 50) to 80 x 80: its upper left corner is (80, 30).
    assert HeadCrop(100, 50, 40).matrix(80) == pytest.approx(np.array([[2, 0, -160], [0, 2, -60]]))


def test_a_tilted_head_stands_upright():
    # A quarter turn clockwise: what is to the right of the head's middle in the crop is below it in the frame.
    x, y = HeadCrop(100, 50, 40, roll=90).matrix(40) @ (100, 60, 1)
    assert (x, y) == pytest.approx((30, 20))


def test_crop_and_frame_are_each_others_inverse():
    crop = HeadCrop(70, 90, 55, roll=20)
    corner = crop.to_frame() @ (0.25, 0.8, 0.1, 1)
    assert crop.matrix(200) @ (corner[0], corner[1], 1) == pytest.approx((50, 160))
    assert corner[2] == pytest.approx(5.5)


@pytest.mark.parametrize("side", [60, 130, 300, 700])
def test_resampled_at_any_size_a_crop_stays_in_place(side):
    y, x = np.mgrid[0:1200, 0:1600].astype(np.float32)
    crop = resample(np.stack([x, y, x], axis=2), HeadCrop(820, 610, side, roll=10), 128)
    for place in ((64, 64), (120, 64), (64, 10)):  # x and y in the crop
        turn = side / 128 * np.array([[np.cos(0.1745), -np.sin(0.1745)], [np.sin(0.1745), np.cos(0.1745)]])
        expected = turn @ (np.array(place) - 64) + (820, 610)
        assert crop[place[1], place[0], :2] == pytest.approx(expected, abs=0.05)


def test_large_crops_are_averaged_not_sampled():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    assert resample(noise, HeadCrop(450, 450, 800), 100).std() < 0.3 * noise.std()


def test_a_crop_beyond_the_picture_repeats_its_edge():
    crop = resample(picture(), HeadCrop(-500, 150, 100), 32)
    assert (crop[..., 0] == 0).all()


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
    (seen,) = look(CodedNet({0: [head]}), picture(), [HeadCrop(ideal.x - 30, ideal.y, ideal.side * 1.25)])
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
