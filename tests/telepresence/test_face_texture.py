"""A texture takes each part of the face from the picture that shows it best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faces_of import posed_face, turned

from hmd_removal.errors import InputError
from hmd_removal.telepresence.face_surface import ISLAND_CENTRES, face_surface
from hmd_removal.telepresence.face_texture import SIDE, face_texture, looked_at, pictures_of
from hmd_removal.tracking.geometry import canonical_points
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import DevicePatch, FaceTrack, FrameStatus

GREY = np.full((300, 400, 3), 128, np.uint8)
CHECKED = GREY + ((np.indices((300, 400)).sum(0) // 3 % 2) * 60).astype(np.uint8)[..., None]


def roughness(texture: np.ndarray, points: np.ndarray) -> float:
    """How much the texture varies right around some landmarks, of 255."""
    at = np.round(face_surface().places[points] * SIDE).astype(int)
    return float(np.mean([texture[y - 9 : y + 10, x - 9 : x + 10].std() for x, y in at]))


def side(sign: int) -> np.ndarray:
    """Landmarks of one cheek: to the image's right, or left."""
    x, y, _ = canonical_points().T
    return np.flatnonzero((sign * x > 4.5) & (sign * x < 6.5) & (np.abs(y) < 4))


def test_a_side_that_is_turned_away_comes_from_another_picture():
    points = np.stack([turned(yaw=35), turned(yaw=-35)])
    texture = face_texture(make_reference([GREY, CHECKED], points))
    shown, hidden = sorted((side(1), side(-1)), key=lambda of: roughness(texture, of))
    assert roughness(texture, shown) < 3 and roughness(texture, hidden) > 12


def test_a_headset_on_the_forehead_makes_no_texture():
    points, forehead = turned(), 151
    edge = int(points[9, 1])
    headset, above = GREY.copy(), np.zeros((64, 64), np.float32)
    headset[:edge], above[: edge // 8 + 1] = 0, 1.0
    shown = make_reference([headset], points[None], [DevicePatch(above, np.array([[1 / 8, 0, 0], [0, 1 / 8, 0]]))])
    u, v = np.round(face_surface().places[forehead] * SIDE).astype(int)
    assert face_texture(replace(shown, devices={}))[v, u].max() < 20
    assert face_texture(shown)[v, u].min() > 110  # the colour of what is around
    beside = make_reference([CHECKED], points[None])
    assert roughness(face_texture(shown.with_more(beside)), np.array([forehead])) > 12


def test_what_no_picture_shows_is_the_other_side_in_a_mirror():
    texture = face_texture(make_reference([CHECKED], turned(yaw=50)[None]))
    assert min(roughness(texture, side(1)), roughness(texture, side(-1))) > 12


def test_other_light_leaves_no_seam():
    dark = (GREY * 0.5).astype(np.uint8)
    texture = face_texture(make_reference([GREY, dark], np.stack([turned(yaw=35), turned(yaw=-35)])))
    for of in (side(1), side(-1)):
        x, y = np.round(face_surface().places[of] * SIDE).astype(int).T
        assert np.abs(texture[y, x].astype(int) - 128).max() < 12


def test_the_inside_of_the_mouth_is_that_of_the_picture_with_the_mouth_open():
    shut, wide = turned(), turned()
    lower = [324, 318, 402, 317, 14, 87, 178, 88, 95]
    wide[lower, 1] += 15
    teeth = GREY.copy()
    x, y = wide[[13, 14], :2].mean(0).astype(int)
    teeth[y - 4 : y + 5, x - 12 : x + 13] = 250
    texture = face_texture(make_reference([GREY, teeth], np.stack([shut, wide])))
    u, v = (round(at * SIDE) for at in ISLAND_CENTRES[2])
    assert texture[v, u].min() > 235


def test_the_first_picture_is_the_one_asked_for_and_the_widest_mouth_is_among_them():
    faces = [posed_face(yaw) for yaw in (0, 10, 25, 5)]
    wide = faces[3].points.copy()
    wide[14, 1] += 20
    faces[3] = replace(faces[3], points=wide)
    frames = [np.full_like(GREY, 10 * t) for t in range(4)]
    chosen = pictures_of(frames, FaceTrack.stack(faces, (300, 400)), first=2)
    values = [int(image[0, 0, 0]) for image in chosen.images]
    assert values[0] == 20 and 30 in values


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (posed_face(status=FrameStatus.MISSING), "no face was found"),
        (replace(posed_face(), deviation=np.ones(478, np.float32)), "a headset is before it in every frame"),
    ],
)
def test_a_face_that_is_not_to_be_seen_is_refused(face, message):
    with pytest.raises(InputError, match=message):
        pictures_of([GREY], FaceTrack.stack([face], (300, 400)))


def test_few_frames_of_a_long_clip_are_looked_at_and_the_one_asked_for_is_among_them():
    long = FaceTrack.stack([posed_face()] * 2000, (300, 400))
    numbers = looked_at(long, 501)
    assert len(numbers) <= 41 and 501 in numbers and numbers == sorted(numbers)
    assert looked_at(FaceTrack.stack([posed_face()] * 3, (300, 400))) == [0, 1, 2]


def test_an_uncovered_moment_of_a_long_clip_is_found():
    covered = replace(posed_face(), deviation=np.ones(478, np.float32))
    track = FaceTrack.stack([covered] * 700 + [posed_face()] * 8 + [covered] * 1292, (300, 400))
    assert looked_at(track) == list(range(700, 708))
