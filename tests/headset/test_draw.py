"""The drawn headset covers what a real one would, and its mask is exact."""

from dataclasses import replace

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HEADSETS, HeadsetArtist, preset
from hmd_removal.tracking.track import FrameStatus

SIZE = (300, 400)  # the canonical face stands at (200, 150), 10 pixels a centimetre
LARGE = [name for name in HEADSETS if name not in ("band", "glasses")]


def mask_of(name="quest", grow=0.0, **angles) -> np.ndarray:
    return HeadsetArtist(preset(name), grow=grow).mask(posed_face(**angles), SIZE)


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the hole, in pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1], rows[-1]


def test_the_band_has_its_size_in_centimetres():
    left, top, right, bottom = extent(mask_of("band"))
    assert right - left == pytest.approx(150, abs=2)
    assert bottom - top == pytest.approx(48, abs=2)
    assert (left + right) / 2 == pytest.approx(200, abs=1)


@pytest.mark.parametrize("name", LARGE)
def test_devices_reach_from_the_forehead_to_below_the_nose_bridge_and_beyond_the_face(name):
    face = posed_face()
    left, top, right, bottom = extent(mask_of(name))
    brows, nose_bridge, lips = face.points[105, 1], face.points[168, 1], face.points[0, 1]
    assert top < brows - 10 and nose_bridge < bottom < lips
    assert left < face.points[234, 0] and right > face.points[454, 0]


@pytest.mark.parametrize(
    ("name", "lower_rim"),
    # y = 150 + 10 * (eye line at -2.6 + bottom); the nostrils are at 171, the upper lip at 184
    {"band": 146, "quest": 170, "psvr": 176, "visionpro": 166, "index": 170, "phone": 176, "glasses": 150}.items(),
)
def test_the_lower_rim_sits_where_the_device_has_it(name, lower_rim):
    assert extent(mask_of(name))[3] == pytest.approx(lower_rim, abs=2)


@pytest.mark.parametrize("name", ["quest", "visionpro", "index", "phone", "glasses"])
def test_the_nose_has_its_gap(name):
    mask = mask_of(name)
    lowest = [np.flatnonzero(mask[:, x])[-1] for x in (200, 150)]  # in the middle and 5 cm beside it
    assert lowest[0] < lowest[1] - 10


def test_a_turned_head_hides_what_the_device_protrudes_over():
    # The phone holder's front corner, 9.2 cm from the middle and 14.8 cm before the origin, comes to lie at
    # 9.2 cos 40 + 14.8 sin 40 = 16.6 cm beside it; no point of the face itself comes beyond 8 cm.
    mask, face = mask_of("phone", yaw=40), posed_face(yaw=40)
    assert extent(mask)[2] == pytest.approx(366, abs=3)
    assert face.points[:, 0].max() < 280 and mask[120, 280:360].all()
    assert mask[tuple(face.points[116, 1::-1].round().astype(int))]  # the near cheekbone


def test_straps_run_over_the_side_of_the_head_that_is_seen():
    # Above the ear, 8.4 cm from the middle and 4 cm behind the origin: -8.4 cos 40 - 4 sin 40 = -9 cm; y = -3.3 cm.
    bare = HeadsetArtist(replace(preset("quest"), side_strap=0.0)).mask(posed_face(yaw=40), SIZE)
    assert mask_of(yaw=40)[117, 112] and not bare[117, 112]
    assert mask_of("quest")[60, 200] and not mask_of("visionpro")[60, 200]  # over the crown


@pytest.mark.parametrize("name", HEADSETS)
def test_eyes_are_covered_at_every_angle(name):
    for angles in ({}, {"yaw": 35}, {"pitch": 20}, {"roll": 25}, {"yaw": -30, "pitch": -15, "roll": 10}):
        mask, face = mask_of(name, **angles), posed_face(**angles)
        x, y = np.round(face.points[[33, 133, 159, 145, 263, 362, 386, 374], :2]).astype(int).T
        assert mask[y, x].all(), angles


def test_the_box_follows_the_head():
    at_rest = extent(mask_of())
    assert extent(mask_of(yaw=30))[2] > at_rest[2] + 20  # it protrudes to where the face looks
    assert extent(mask_of(pitch=20))[3] > at_rest[3] + 10
    rolled, columns = mask_of(roll=20), np.arange(SIZE[1])
    assert rolled[:, columns > 270].nonzero()[0].mean() > rolled[:, columns < 130].nonzero()[0].mean() + 20


def test_grow_is_a_margin_in_centimetres():
    a, b = extent(mask_of("band")), extent(mask_of("band", grow=1.0))
    assert b[2] - b[0] == pytest.approx(a[2] - a[0] + 20, abs=2)
    assert b[3] - b[1] == pytest.approx(a[3] - a[1] + 20, abs=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_drawing_changes_exactly_the_masked_pixels(dtype):
    frame = np.full((*SIZE, 3), (1, 0, 1), dtype) * dtype(255 if dtype == np.uint8 else 1)
    untouched = frame.copy()
    drawn, mask = HeadsetArtist(preset("quest")).draw(frame, posed_face(yaw=20))
    assert drawn.dtype == dtype and (frame == untouched).all()
    assert ((drawn != frame).any(2) == (mask > 0)).all()


def test_no_face_no_headset():
    frame = np.zeros((*SIZE, 3), np.uint8)
    drawn, mask = HeadsetArtist(preset("quest")).draw(frame, posed_face(status=FrameStatus.MISSING))
    assert not mask.any() and (drawn == frame).all()


def test_partly_outside_the_picture():
    mask = HeadsetArtist(preset("psvr")).mask(posed_face(), (120, 210))
    assert mask.shape == (120, 210) and mask.any()


def test_unknown_names_list_the_known_ones():
    with pytest.raises(InputError, match="band, quest, psvr, visionpro, index, phone, glasses, got 'monocle'"):
        preset("monocle")
