"""The crop keeps still on a still head, follows a moving one, and does not depend on what the headset hides."""

from dataclasses import replace

import numpy as np
import pytest
from coded_scene import picture
from faces_of import posed_face

from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.tracking.crop import FILLED, Crop, CropTrack
from hmd_removal.tracking.track import FrameStatus, TrackedFace


def shifted(face: TrackedFace, x: float, noise: float = 0.0, seed: int = 0) -> TrackedFace:
    points = face.points + (x, 0, 0) + np.random.default_rng(seed).normal(scale=noise, size=(478, 3))
    return TrackedFace(points.astype(np.float32), face.status, face.visibility, face.pose)


def test_the_face_fills_its_share_of_the_crop():
    crop = CropTrack().push(posed_face())
    points = crop.to_crop(posed_face().points, 300)
    assert np.ptp(points[:468, 0]) == pytest.approx(15.5 / FILLED * 300, rel=0.02)
    assert points[1, 0] == pytest.approx(150, abs=1)  # the nose in the middle


def test_a_tilted_head_stands_upright_in_the_crop():
    points = CropTrack().push(posed_face(roll=25)).to_crop(posed_face(roll=25).points, 256)
    assert points[33, 1] == pytest.approx(points[263, 1], abs=0.5)


def test_points_and_pixels_go_to_the_same_place():
    face = posed_face(roll=10)
    crop = CropTrack().push(face)
    picture = np.zeros((300, 400), np.float32)
    x, y = np.round(face.points[1, :2]).astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 1
    peak = np.argwhere(crop.take(picture, 256) > 0.9).mean(0)[::-1]
    assert crop.to_crop(face.points, 256)[1, :2] == pytest.approx(peak, abs=1)


def test_shaking_points_do_not_shake_the_crop():
    crops, track = [], CropTrack()
    for seed in range(40):
        crops.append(track.push(shifted(posed_face(), 0, noise=1.0, seed=seed)).matrix(256))
    raw = [CropTrack().push(shifted(posed_face(), 0, noise=1.0, seed=seed)).matrix(256) for seed in range(40)]
    assert np.std(crops[10:], axis=0)[:, 2].max() < 0.5 * np.std(raw, axis=0)[:, 2].max()


def test_a_moving_head_is_followed():
    track = CropTrack()
    for x in range(0, 120, 6):
        crop = track.push(shifted(posed_face(), x))
    assert crop.to_crop(shifted(posed_face(), 114).points, 256)[1, 0] == pytest.approx(128, abs=6)


@pytest.mark.parametrize("fps", [8, 240])
def test_it_follows_as_fast_whatever_the_frame_rate(fps):
    """A head that jumps by a tenth of the crop: after half a second the crop is where it is at the usual rate."""

    def after(rate: float) -> float:
        track = CropTrack(rate)
        track.push(posed_face())
        for _ in range(round(0.5 * rate)):
            crop = track.push(shifted(posed_face(), 30))
        return crop.x - CropTrack().push(posed_face()).x

    assert after(fps) == pytest.approx(after(25), abs=2)


def test_what_a_headset_hides_has_no_influence(talking_head, talking_head_track):
    artist = HeadsetArtist(preset("quest"))
    for t in (0, 20, 40):
        face = talking_head_track[t]
        covered = face.covered_by(artist.mask(face, talking_head.shape[1:3]))
        broken = covered.points.copy()
        broken[(covered.visibility == 0)] += 30
        broken = TrackedFace(broken, FrameStatus.FOUND, covered.visibility, covered.pose)
        a, b = CropTrack().push(covered).matrix(256), CropTrack().push(broken).matrix(256)
        assert np.abs(a - b).max() == pytest.approx(0, abs=1e-9)


def test_what_is_uncertain_has_little_influence():
    face = posed_face()
    broken, deviation = face.points.copy(), np.full(478, 0.5, np.float32)
    broken[[61, 2, 97]] += 30
    deviation[[61, 2, 97]] = 30
    plain = replace(face, deviation=np.full(478, 0.5, np.float32))
    still = CropTrack().push(plain).matrix(256)
    trusted, doubted = (
        CropTrack().push(replace(f, points=broken)).matrix(256) for f in (plain, replace(plain, deviation=deviation))
    )
    assert np.abs(doubted - still).max() < 0.1 * np.abs(trusted - still).max()


def test_scale_is_that_of_the_matrix():
    crop = CropTrack().push(posed_face(roll=15))
    assert crop.scale(256) == pytest.approx(256 / (FILLED * 10), rel=0.01)  # 10 pixels a centimetre


def test_matrix_by_hand():
    # A square of 40 pixels around (100, 50) to 80 x 80: its upper left corner is (80, 30).
    assert Crop(100, 50, 40).matrix(80) == pytest.approx(np.array([[2, 0, -160], [0, 2, -60]]))


def test_a_tilted_head_stands_upright():
    # A quarter turn clockwise: what is to the right of the head's middle in the crop is below it in the frame.
    x, y = Crop(100, 50, 40, roll=90).matrix(40) @ (100, 60, 1)
    assert (x, y) == pytest.approx((30, 20))


def test_crop_and_frame_are_each_others_inverse():
    crop = Crop(70, 90, 55, roll=20)
    corner = crop.to_frame() @ (0.25, 0.8, 0.1, 1)
    assert crop.matrix(200) @ (corner[0], corner[1], 1) == pytest.approx((50, 160))
    assert corner[2] == pytest.approx(5.5)


@pytest.mark.parametrize("side", [60, 130, 300, 700])
def test_resampled_at_any_size_a_crop_stays_in_place(side):
    y, x = np.mgrid[0:1200, 0:1600].astype(np.float32)
    crop = Crop(820, 610, side, roll=10).shrunk(np.stack([x, y, x], axis=2), 128)
    for place in ((64, 64), (120, 64), (64, 10)):  # x and y in the crop
        turn = side / 128 * np.array([[np.cos(0.1745), -np.sin(0.1745)], [np.sin(0.1745), np.cos(0.1745)]])
        expected = turn @ (np.array(place) - 64) + (820, 610)
        assert crop[place[1], place[0], :2] == pytest.approx(expected, abs=0.05)


def test_large_crops_are_averaged_not_sampled():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    assert Crop(450, 450, 800).shrunk(noise, 100).std() < 0.3 * noise.std()


def test_a_crop_beyond_the_picture_repeats_its_edge():
    crop = Crop(-500, 150, 100).shrunk(picture(), 32)
    assert (crop[..., 0] == 0).all()
