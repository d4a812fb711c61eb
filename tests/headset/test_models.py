"""Headset models keep to the sizes of real devices."""

import numpy as np
import pytest

from hmd_removal.headset.draw import EYE_LINE, FACE_FRONT, HEADSETS, preset, randomised
from hmd_removal.headset.mesh import headset_mesh, seat
from hmd_removal.headset.models import LIMITS
from hmd_removal.tracking.geometry import transform

LARGE = [name for name in HEADSETS if name not in ("band", "glasses")]


def test_the_outline_is_as_wide_and_high_as_the_device():
    headset = preset("phone")
    outline = headset.outline()
    assert np.ptp(outline[:, 0]) == pytest.approx(headset.width, abs=0.1)
    assert outline[:, 1].min() == pytest.approx(EYE_LINE + headset.top, abs=0.05)
    assert outline[:, 1].max() == pytest.approx(EYE_LINE + headset.bottom, abs=0.05)


@pytest.mark.parametrize("name", HEADSETS)
def test_the_shell_follows_the_face_to_the_temples_and_stands_out_by_its_depth(name):
    headset = preset(name)
    assert headset.rear(np.array(0.0)) == FACE_FRONT
    assert headset.rear(np.array(headset.width / 2)) == pytest.approx(FACE_FRONT + headset.wrap)
    assert headset.front(np.array(0.0), np.array(headset.middle)) == pytest.approx(FACE_FRONT - headset.depth)
    z = headset_mesh(headset).corners[..., 2]
    assert z.min() == pytest.approx(FACE_FRONT - headset.depth, abs=0.01)


def test_the_seat_shifts_and_tilts_about_the_nose_bridge():
    headset = randomised(preset("quest"), np.random.default_rng(0))
    bridge = np.array((0.0, EYE_LINE, FACE_FRONT))
    assert transform(seat(headset), bridge) == pytest.approx(bridge + (*headset.shift, 0))
    assert transform(seat(preset("quest")), bridge) == pytest.approx(bridge)


@pytest.mark.parametrize("name", HEADSETS)
def test_random_devices_are_as_large_as_real_ones(name):
    rng, own = np.random.default_rng(0), preset(name)
    devices = [randomised(own, rng) for _ in range(200)]
    for measure, (low, high) in LIMITS.items():
        values = np.array([getattr(device, measure) for device in devices])
        assert values.std() > 0 and values.min() > min(low, getattr(own, measure)) - 1e-9
        assert values.max() < max(high, getattr(own, measure)) + 1e-9
    assert {device.nose_gap > 0 for device in devices} == ({False} if name == "band" else {True, False})
    assert {device.kind for device in devices} == {name}
    if name in LARGE:
        heights = np.array([device.height for device in devices])
        assert 8 - 1e-9 < heights.min() and heights.max() < 12.5 + 1e-9
        # from the middle of the forehead (-7.4 and higher is hair) to above the upper lip at 3.4
        assert all(-9.3 < EYE_LINE + d.top < -5.5 and 0 <= EYE_LINE + d.bottom < 3.4 for d in devices)


def test_random_devices_follow_their_generator():
    one, other = (randomised(preset("index"), np.random.default_rng(seed)) for seed in (1, 2))
    assert one == randomised(preset("index"), np.random.default_rng(1)) and one != other
