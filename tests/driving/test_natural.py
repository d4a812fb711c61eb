"""Blinks and gaze from a seed, against what the literature says."""

import numpy as np
import pytest

from hmd_removal.driving.natural import AT_REST, IN_CONVERSATION, MOST_SHIFT, natural
from hmd_removal.metrics.blinks import blinks

MINUTES = 6
TIMES = np.arange(MINUTES * 60 * 60) / 60


@pytest.mark.parametrize(("speaking", "rate"), [(True, IN_CONVERSATION), (False, AT_REST)])
def test_people_blink_26_times_a_minute_in_conversation_and_17_at_rest(speaking, rate):
    eyes = natural(TIMES, 1, speaking)
    assert len(blinks(eyes.openness[:, 0])) / MINUTES == pytest.approx(rate, rel=0.15)


def test_lids_close_faster_than_they_open_in_a_third_of_a_second():
    openness = natural(TIMES).openness[:, 0]
    ways = []
    for first, end in blinks(openness)[:50]:
        lowest = first + int(openness[first:end].argmin())
        before, after = openness[:lowest][::-1], openness[lowest:]
        ways.append((np.argmax(before > 0.97) / 60, np.argmax(after > 0.97) / 60))
    down, up = np.mean(ways, axis=0)
    assert down < up / 1.5 and 0.2 < down + up < 0.4
    assert openness.min() >= 0 and openness.max() == 1


def test_the_gaze_stays_near_rests_and_moves_in_jumps():
    gaze = np.degrees(natural(TIMES).gaze)
    assert np.array_equal(gaze[:, 0], gaze[:, 1])
    assert np.abs(gaze).max() <= MOST_SHIFT and np.median(np.abs(gaze[:, 0, 0])) < 1
    step = np.linalg.norm(np.diff(gaze[:, 0], axis=0), axis=1)
    assert (step < 0.01).mean() > 0.6  # fixations
    assert 1 < (np.hypot(*gaze[:, 0].T) > 2).mean() * 10 < 4  # a quarter of the time looking away


def test_one_seed_gives_the_same_eyes_however_the_clip_is_cut():
    whole, part = natural(TIMES[:6000], 7), natural(TIMES[3000:4000], 7)
    assert part.openness == pytest.approx(whole.openness[3000:4000])
    assert part.gaze == pytest.approx(whole.gaze[3000:4000])
    assert not np.array_equal(natural(TIMES[:6000], 8).openness, whole.openness)


def test_at_24_frames_a_second_every_blink_shows():
    slow = natural(np.arange(MINUTES * 60 * 24) / 24, 3).openness[:, 0]
    fast = natural(TIMES, 3).openness[:, 0]
    assert len(blinks(slow)) == pytest.approx(len(blinks(fast)), abs=2)
    assert max(slow[first:end].min() for first, end in blinks(slow)) < 0.35


def test_brows_and_jaw_are_not_made_up():
    eyes = natural(TIMES[:60])
    assert np.isnan(eyes.brows).all() and np.isnan(eyes.jaw).all()
    assert natural(np.zeros(0)).openness.shape == (0, 2)
