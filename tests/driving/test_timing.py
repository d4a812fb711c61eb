"""A recording at the frames of a clip: blinks kept, losses held and eased, the gaze gated by the lid."""

import numpy as np
import pytest

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.timing import BACK, EASED, HELD, at_frames

RATE = 120


def recording(seconds: float = 6.0, rate: float = RATE) -> EyeTracking:
    """Everything known and as usual."""
    tracking = EyeTracking.unknown(np.arange(round(seconds * rate)) / rate)
    tracking.openness[:] = 1
    for array in (tracking.gaze, tracking.brows, tracking.jaw):
        array[:] = 0
    return tracking


def between(tracking: EyeTracking, start: float, end: float) -> np.ndarray:
    return (tracking.times >= start) & (tracking.times < end)


@pytest.mark.parametrize("start", np.linspace(1, 1.1, 9))
def test_a_blink_of_one_sample_shows_at_24_frames_a_second(start):
    tracking = recording()
    tracking.openness[np.searchsorted(tracking.times, start)] = 0
    frames = at_frames(tracking, np.arange(100) / 24)
    assert frames.openness.min() == 0 and (frames.openness < 0.5).sum(0).max() <= 2


def test_gaze_brows_and_jaw_are_the_mean_of_a_frame():
    tracking = recording()
    tracking.gaze[:, 0, 0] = tracking.brows[:, 1, 2] = tracking.jaw[:, 1] = tracking.times
    times = np.arange(1, 100) / 25
    frames = at_frames(tracking, times)
    for course in (frames.gaze[:, 0, 0], frames.brows[:, 1, 2], frames.jaw[:, 1]):
        assert course == pytest.approx(times, abs=1e-6)


def test_an_offset_says_when_the_recordings_clock_is_0():
    tracking = recording()
    tracking.openness[between(tracking, 2, 2.2)] = 0
    shut = at_frames(tracking, np.arange(150) / 25, offset=1.0).openness[:, 0] < 0.5
    assert np.flatnonzero(shut)[[0, -1]] / 25 == pytest.approx((3.0, 3.2), abs=0.041)


@pytest.mark.parametrize("rate", [5, 17])
def test_slow_data_is_joined_by_lines(rate):
    tracking = recording(rate=rate)
    tracking.jaw[:, 0] = tracking.times
    times = np.arange(20, 80) / 30
    assert at_frames(tracking, times).jaw[:, 0] == pytest.approx(times, abs=1e-6)


def test_what_is_lost_is_held_then_eased_to_the_usual_and_comes_back_in_time():
    tracking = recording()
    tracking.brows[between(tracking, 0, 2), 0, 0] = np.linspace(0, 0.8, 2 * RATE)
    tracking.brows[between(tracking, 2, 4), 0, 0] = np.nan
    tracking.brows[between(tracking, 4, 6), 0, 0] = 0.1
    times = np.arange(600) / 100
    course = at_frames(tracking, times).brows[:, 0, 0]
    assert course[times < 1.9].max() < 0.78
    assert course[(times > 2) & (times < 2 + HELD - 0.02)] == pytest.approx(0.8, abs=0.01)
    assert course[(times > 2 + HELD + EASED) & (times < 4 - BACK)] == pytest.approx(0.1, abs=0.01)
    assert np.abs(np.diff(course)).max() < 0.05


def test_before_and_after_the_recording_the_face_is_as_usual():
    frames = at_frames(recording(), np.arange(-100, 400) / 25)
    assert np.isfinite(frames.openness).all() and frames.openness == pytest.approx(1)


def test_the_gaze_does_not_follow_a_closing_lid_down():
    tracking = recording()
    blink = between(tracking, 2, 2.3)
    tracking.openness[blink] = 0.1
    tracking.gaze[blink, :, 1] = 0.5
    assert np.abs(at_frames(tracking, np.arange(150) / 25).gaze).max() < 1e-6


def test_a_gaze_that_is_elsewhere_after_a_blink_gets_there_behind_the_lid():
    tracking = recording()
    tracking.openness[between(tracking, 2, 2.3)] = 0
    tracking.gaze[tracking.times >= 2.2, :, 0] = 0.3
    frames = at_frames(tracking, np.arange(600) / 100)
    open_ = frames.openness[:, 0] > 0.5
    assert set(np.round(frames.gaze[open_, 0, 0], 1)) == {0.0, 0.3}


def test_what_is_never_known_stays_unknown():
    frames = at_frames(EyeTracking.unknown(np.arange(100) / 60), np.arange(20) / 25)
    assert all(np.isnan(array).all() for array in (frames.openness, frames.gaze, frames.brows, frames.jaw))


def test_one_eye_may_be_known_alone():
    tracking = recording()
    tracking.openness[:, 1] = np.nan
    frames = at_frames(tracking, np.arange(20) / 25)
    assert np.isfinite(frames.openness[:, 0]).all() and np.isnan(frames.openness[:, 1]).all()


def test_one_frame_in_five_lost_changes_little():
    tracking = recording(rate=60)
    tracking.openness[:] = 0.6 + 0.4 * np.cos(4 * tracking.times)[:, None]
    whole = at_frames(tracking, np.arange(150) / 25)
    lost = np.random.default_rng(0).random(len(tracking.times)) < 0.2
    for array in (tracking.openness, tracking.gaze):
        array[lost] = np.nan
    assert at_frames(tracking, np.arange(150) / 25).openness == pytest.approx(whole.openness, abs=0.05)


def test_however_a_clip_is_cut_its_frames_get_the_same():
    tracking = recording()
    tracking.openness[:] = np.random.default_rng(1).random((len(tracking.times), 1))
    times = np.arange(100) / 25
    whole, part = at_frames(tracking, times), at_frames(tracking, times[40:])
    assert part.openness == pytest.approx(whole.openness[40:])
