"""How a drawn headset looks: lit, mirroring, held by a hand, blurred, steady, and never beyond its mask."""

from dataclasses import replace

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.headset.draw import HEADSETS, HeadsetArtist, Look, Rendered, preset
from hmd_removal.headset.look import Hand, Room, Window, facet_light, reflection
from hmd_removal.headset.mesh import Part, facet_normals, headset_mesh
from hmd_removal.tracking.track import TrackedFace

SIZE = (300, 400)
QUIET = Look(noise=0.0)  # no grain
HELD = replace(QUIET, hand=Hand(side=1, height=0.0, reach=3.0, angle=10.0))


def picture(dtype=np.uint8) -> np.ndarray:
    frame = np.random.default_rng(7).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    return frame if dtype == np.uint8 else (frame / 255).astype(dtype)


def render(look: Look, name="quest", frame=None, seed=0, **angles) -> Rendered:
    frame = picture() if frame is None else frame
    return HeadsetArtist(preset(name), look=look, seed=seed).render(frame, posed_face(**angles))


def moved(face: TrackedFace, x: float, y: float) -> TrackedFace:
    pose = face.pose.copy()
    pose[:2, 3] += (x, y)
    return replace(face, points=face.points + np.array((x, y, 0), np.float32), pose=pose)


def test_the_front_faces_the_camera_of_a_frontal_face():
    mesh = headset_mesh(preset("quest"))
    normals = facet_normals(mesh.corners)[mesh.part == Part.FRONT]
    assert (normals[:, 2] < -0.9).all()


def test_light_falls_where_it_comes_from():
    look = replace(QUIET, light=(0, -1, 0), ambient=0.5, shine=0.0)
    normals = np.array([(0, -1, 0), (0, 1, 0), (0, -0.6, -0.8)], float)
    lit = facet_light(look, np.full(3, Part.BODY), normals)[:, 0]
    assert lit == pytest.approx([1.25, 0.5, 0.5 + 0.75 * 0.6])


def test_a_flat_front_mirrors_what_is_behind_the_camera():
    dark = Room(above=(0, 0, 0), below=(0, 0, 0), windows=(Window(0, 0, 0.2, 0.2, 0.8),))
    ahead = np.array([[0.0, 0.0, 1.0]])
    turned = np.array([[np.sin(np.pi / 8), 0, -np.cos(np.pi / 8)]])  # mirrors what is 45 degrees aside
    assert reflection(dark, -ahead, ahead) == pytest.approx(np.full((1, 3), 0.6 * 0.8))
    assert reflection(dark, turned, ahead) == pytest.approx(np.zeros((1, 3)))


def test_the_mirrored_window_stays_where_it_is_while_the_head_turns():
    room = Room(above=(0, 0, 0), below=(0, 0, 0), windows=(Window(0.0, 0.0, 0.2, 0.9, 1.0),))
    look = replace(QUIET, front=(0, 0, 0), body=(0, 0, 0), gloss=0.8, room=room, shine=0.0)
    spots, fronts = [], []
    for yaw in (-8, 8):
        shown = render(look, "visionpro", yaw=yaw)
        light = (shown.picture * (shown.mask[..., None] > 0))[100:140, 130:270].sum((0, 2)).astype(float)
        spots.append((light * np.arange(130, 270)).sum() / light.sum())
        fronts.append(200 + 100 * np.sin(np.radians(yaw)))  # the front's middle is 10 cm before the origin
    assert fronts[1] - fronts[0] == pytest.approx(27.8, abs=0.1)
    assert abs(spots[1] - spots[0]) < (fronts[1] - fronts[0]) / 2


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", HEADSETS)
def test_no_pixel_beyond_what_is_hidden_changes_whatever_the_look(name, dtype):
    rng, frame = np.random.default_rng(3), picture(dtype)
    for _ in range(4):
        face = posed_face(yaw=rng.uniform(-45, 45), pitch=rng.uniform(-25, 25), roll=rng.uniform(-20, 20))
        look = replace(Look.random(rng), motion=tuple(rng.normal(0, 0.5, 2)))
        artist = HeadsetArtist(preset(name), look=look)
        shown = artist.render(frame, face)
        outside = shown.hidden == 0
        assert (shown.picture[outside] == frame[outside]).all()
        assert (shown.picture != frame).any(2)[~outside].mean() > 0.99
        assert (shown.mask <= shown.hidden).all()
        assert (artist.mask(face, SIZE) == shown.hidden).all()
        assert (artist.draw(frame, face)[1] == shown.hidden).all()


def test_float_pictures_are_drawn_as_bytes_are():
    look = replace(HELD, blur=1.0, motion=(0.5, 0.2))
    bytes_, floats = render(look), render(look, frame=picture(np.float32))
    assert (bytes_.hidden == floats.hidden).all() and (bytes_.mask == floats.mask).all()
    assert np.abs(bytes_.picture / 255 - floats.picture).max() < 1.01 / 255


def test_a_hand_hides_the_picture_but_is_no_device():
    bare, held = render(QUIET), render(HELD)
    hand = (held.hidden > 0) & (held.mask == 0)
    assert (held.hidden >= bare.hidden).all() and hand.sum() > 3000
    assert (hand & (bare.mask > 0)).sum() > 500  # fingers on the front
    assert np.flatnonzero(hand.any(0)).min() > 200  # it came from the right
    assert (bare.mask == bare.hidden).all()


def test_the_hand_has_the_colour_of_the_face():
    frame = np.full((*SIZE, 3), (210, 140, 105), np.uint8)
    held = render(replace(HELD, hand=replace(HELD.hand, sleeve=None)), frame=frame)
    hand = held.picture[(held.hidden > 0) & (held.mask == 0)].astype(float).mean(0)
    assert hand / hand.sum() == pytest.approx(np.array((210, 140, 105)) / 455, abs=0.02)


def test_motion_widens_the_edge_along_its_direction_only():
    still, smeared = render(QUIET).hidden, render(replace(QUIET, motion=(2.0, 0.0))).hidden
    wider = [np.ptp(np.flatnonzero(m.any(0))) for m in (still, smeared)]
    higher = [np.ptp(np.flatnonzero(m.any(1))) for m in (still, smeared)]
    # 2 cm are 20 pixels, half of them on either side, and the faintest eighth of the edge does not count.
    assert wider[1] - wider[0] == pytest.approx(20 * 0.75, abs=3)
    assert abs(higher[1] - higher[0]) <= 2


def test_grain_is_decided_by_the_seed_and_changes_from_frame_to_frame():
    noisy = replace(QUIET, noise=0.03)
    a, again, other = render(noisy, seed=1), render(noisy, seed=1), render(noisy, seed=2)
    assert (a.picture == again.picture).all()
    assert (a.picture != other.picture).any() and (a.hidden == other.hidden).all()
    inside = a.hidden[100:140, 150:250] > 0
    grain = a.picture.astype(int) - render(QUIET).picture
    assert grain[100:140, 150:250][inside].std() == pytest.approx(0.03 * 255, rel=0.15)


@pytest.mark.parametrize("name", HEADSETS)
def test_the_device_keeps_its_looks_from_frame_to_frame(name):
    look = replace(Look.random(np.random.default_rng(5)), noise=0.0)
    artist, frame = HeadsetArtist(preset(name), look=look), np.full((*SIZE, 3), 0.5, np.float32)
    face = posed_face(yaw=10)
    a, b = artist.render(frame, face), artist.render(frame, moved(face, 4, 3))
    was, now = (slice(0, -3), slice(0, -4)), (slice(3, None), slice(4, None))
    assert (a.hidden[was] == b.hidden[now])[10:].all()  # a strap leaves the picture at its upper edge
    change = np.abs(a.picture[was] - b.picture[now])[b.hidden[now] > 0]
    assert change.mean() < 0.01  # reflections wander a little
    turned = artist.render(frame, posed_face(yaw=10.5))
    both = (a.hidden > 0) & (turned.hidden > 0)
    assert np.abs(a.picture - turned.picture)[both].mean() < 0.03


def test_random_looks_follow_their_generator_and_hold_a_hand_now_and_then():
    assert Look.random(np.random.default_rng(1)) == Look.random(np.random.default_rng(1))
    rng = np.random.default_rng(0)
    looks = [Look.random(rng) for _ in range(400)]
    assert 0.05 < np.mean([look.hand is not None for look in looks]) < 0.25
    assert 0.1 < np.mean([look.motion != (0.0, 0.0) for look in looks]) < 0.35
    brightness = np.array([np.mean(look.body) for look in looks])
    assert (brightness < 0.2).mean() > 0.2 and (brightness > 0.6).mean() > 0.15
