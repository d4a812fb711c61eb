"""The crop keeps still on a still head, follows a moving one, and does not depend on what the headset hides."""

from dataclasses import replace

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.tracking.crop import CROP_SIDE, CropTrack, crop_side_for
from hmd_removal.tracking.track import FrameStatus, TrackedFace


def shifted(face: TrackedFace, x: float, noise: float = 0.0, seed: int = 0) -> TrackedFace:
    points = face.points + (x, 0, 0) + np.random.default_rng(seed).normal(scale=noise, size=(478, 3))
    return TrackedFace(points.astype(np.float32), face.status, face.visibility, face.pose, face.blendshapes)


def test_the_face_fills_its_share_of_the_crop():
    crop = CropTrack(300).push(posed_face())
    points = crop.to_crop(posed_face().points)
    assert np.ptp(points[:468, 0]) == pytest.approx(15.5 / CROP_SIDE * 300, rel=0.02)
    assert points[1, 0] == pytest.approx(150, abs=1)  # the nose in the middle


def test_a_tilted_head_stands_upright_in_the_crop():
    points = CropTrack(256).push(posed_face(roll=25)).to_crop(posed_face(roll=25).points)
    assert points[33, 1] == pytest.approx(points[263, 1], abs=0.5)


def test_points_and_pixels_go_to_the_same_place():
    face = posed_face(roll=10)
    crop = CropTrack(256).push(face)
    picture = np.zeros((300, 400), np.float32)
    x, y = np.round(face.points[1, :2]).astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 1
    peak = np.argwhere(crop.take(picture) > 0.9).mean(0)[::-1]
    assert crop.to_crop(face.points)[1, :2] == pytest.approx(peak, abs=1)


def test_shaking_points_do_not_shake_the_crop():
    crops, track = [], CropTrack(256)
    for seed in range(40):
        crops.append(track.push(shifted(posed_face(), 0, noise=1.0, seed=seed)).matrix)
    raw = [CropTrack(256).push(shifted(posed_face(), 0, noise=1.0, seed=seed)).matrix for seed in range(40)]
    assert np.std(crops[10:], axis=0)[:, 2].max() < 0.5 * np.std(raw, axis=0)[:, 2].max()


def test_a_moving_head_is_followed():
    track = CropTrack(256)
    for x in range(0, 120, 6):
        crop = track.push(shifted(posed_face(), x))
    assert crop.to_crop(shifted(posed_face(), 114).points)[1, 0] == pytest.approx(128, abs=6)


def test_what_a_headset_hides_has_no_influence(talking_head, talking_head_track):
    artist = HeadsetArtist(preset("quest"))
    for t in (0, 20, 40):
        face = talking_head_track[t]
        covered = face.covered_by(artist.mask(face, talking_head.shape[1:3]))
        broken = covered.points.copy()
        broken[(covered.visibility == 0)] += 30
        broken = TrackedFace(broken, FrameStatus.FOUND, covered.visibility, covered.pose, covered.blendshapes)
        a, b = CropTrack(256).push(covered).matrix, CropTrack(256).push(broken).matrix
        assert np.abs(a - b).max() == pytest.approx(0, abs=1e-9)


def test_what_is_uncertain_has_little_influence():
    face = posed_face()
    broken, deviation = face.points.copy(), np.full(478, 0.5, np.float32)
    broken[[61, 2, 97]] += 30
    deviation[[61, 2, 97]] = 30
    plain = replace(face, deviation=np.full(478, 0.5, np.float32))
    still = CropTrack(256).push(plain).matrix
    trusted, doubted = (
        CropTrack(256).push(replace(f, points=broken)).matrix for f in (plain, replace(plain, deviation=deviation))
    )
    assert np.abs(doubted - still).max() < 0.1 * np.abs(trusted - still).max()


def test_scale_is_that_of_the_matrix():
    crop = CropTrack(256).push(posed_face(roll=15))
    assert crop.scale == pytest.approx(256 / (CROP_SIDE * 10), rel=0.01)  # 10 pixels a centimetre


def test_no_face_no_crop():
    assert CropTrack(256).push(posed_face(status=FrameStatus.MISSING)) is None


def test_crop_size_follows_the_face():
    assert crop_side_for(posed_face()) == 320  # 30 cm at 10 pixels a centimetre, rounded up to a multiple of 32
