"""A recording fitted to its wearer, against hand-made ones."""

import numpy as np
import pytest

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.person import own_range, to_person

RATE = 60


def recording(usual: float, shut: float, *starts: float, seconds: float = 0.2) -> EyeTracking:
    """Ten seconds with blinks that start at `starts`."""
    tracking = EyeTracking.unknown(np.arange(10 * RATE) / RATE)
    tracking.openness[:] = usual
    tracking.gaze[:] = tracking.brows[:] = tracking.jaw[:] = 0
    for start in starts:
        tracking.openness[(tracking.times >= start) & (tracking.times < start + seconds)] = shut
    return tracking


def fitted(tracking: EyeTracking) -> EyeTracking:
    return to_person(tracking, own_range(tracking))


@pytest.mark.parametrize(("usual", "shut"), [(0.95, 0.1), (0.75, 0.0), (0.8, 0.3)])
def test_usual_is_1_and_a_blink_is_0_whatever_the_device_says(usual, shut):
    tracking = fitted(recording(usual, shut, 2, 5, 8))
    assert np.median(tracking.openness) == pytest.approx(1)
    assert tracking.openness.min(0) == pytest.approx((0, 0))


def test_wide_eyes_stay_wide():
    tracking = recording(0.75, 0.0, 2)
    tracking.openness[-20:] = 0.9
    assert fitted(tracking).openness[-1] == pytest.approx((1.2, 1.2))
    assert own_range(tracking).widest == pytest.approx((0.9, 0.9))


@pytest.mark.parametrize(("depth", "seconds"), [(0.6, 0.2), (0.4, 2.0)])
def test_a_squint_is_not_taken_for_a_blink(depth, seconds):
    tracking = recording(0.9, depth, 3, seconds=seconds)
    assert own_range(tracking).shut == pytest.approx((0, 0))
    assert fitted(tracking).openness.min() == pytest.approx(depth / 0.9)


def test_half_blinks_among_full_ones_stay_half():
    tracking = recording(1.0, 0.1, 1, 3, 5)
    tracking.openness[(tracking.times >= 7) & (tracking.times < 7.2)] = 0.5
    assert fitted(tracking).openness[int(7.1 * RATE)] == pytest.approx((0.444, 0.444), abs=0.01)


def test_a_constant_turn_inwards_is_taken_out_and_the_common_gaze_stays():
    tracking = recording(1.0, 0.1, 2)
    looking = 0.2 * np.sin(tracking.times) + 0.1
    tracking.gaze[:, :, 0] = looking[:, None] + (-0.07, 0.07)
    assert own_range(tracking).turned[:, 0] == pytest.approx((-0.07, 0.07))
    assert fitted(tracking).gaze[:, :, 0] == pytest.approx(np.stack([looking] * 2, axis=1))


def test_brows_are_0_where_they_usually_are():
    tracking = recording(1.0, 0.1, 2)
    tracking.brows[..., 2] = 0.28
    tracking.brows[:30, :, 2] = 1.0
    brows = fitted(tracking).brows[..., 2]
    assert brows[:30] == pytest.approx(1) and brows[30:] == pytest.approx(0)


def test_lids_that_are_always_0_are_not_known():
    assert np.isnan(fitted(recording(0.0, 0.0)).openness).all()


def test_what_is_unknown_stays_unknown():
    tracking = recording(1.0, 0.1, 2)
    tracking.openness[:, 1] = tracking.gaze[:, 1] = np.nan
    result = fitted(tracking)
    assert np.isnan(result.openness[:, 1]).all() and np.isfinite(result.openness[:, 0]).all()
    assert np.isfinite(result.gaze[:, 0]).all()
