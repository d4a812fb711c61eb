"""Blinks by hand."""

import math

import numpy as np
import pytest

from hmd_removal.metrics.blinks import blink_hits, blinks, f1


def openness(*shut: tuple[int, int], count: int = 60, depth: float = 1.0) -> np.ndarray:
    values = np.ones(count)
    for first, end in shut:
        values[first:end] -= depth
    return values


def test_a_blink_is_a_run_below_half_way_between_usual_and_most_shut():
    values = openness((10, 14), (30, 31))
    values[40:44] = 0.6  # half a blink is none
    assert blinks(values) == [(10, 14), (30, 31)]


def test_eyes_that_are_shut_at_the_start_and_the_end_count():
    assert blinks(openness((0, 3), (58, 60))) == [(0, 3), (58, 60)]


def test_lids_that_hardly_move_do_not_blink():
    assert blinks(openness((10, 14), depth=0.19)) == [] and blinks(openness((10, 14), depth=0.21)) == [(10, 14)]


def test_a_frame_that_is_unknown_does_not_cut_a_blink_in_two():
    values = openness((10, 14))
    values[11] = np.nan
    assert blinks(values) == [(10, 14)] and blinks(np.full(10, np.nan)) == []


def test_a_blink_is_found_within_two_frames():
    truth = openness((20, 24))
    assert blink_hits(openness((25, 28)), truth) == (1, 0, 0)
    assert blink_hits(openness((15, 19)), truth) == (1, 0, 0)
    assert blink_hits(openness((26, 28)), truth) == (0, 1, 1)


def test_two_blinks_are_not_found_by_one():
    assert blink_hits(openness((20, 30)), openness((20, 23), (26, 30))) == (1, 0, 1)


@pytest.mark.parametrize(("counts", "score"), [((3, 0, 0), 1), ((1, 1, 1), 0.5), ((0, 2, 0), 0)])
def test_f1_by_hand(counts, score):
    assert f1(*counts) == score


def test_without_a_blink_there_is_no_score():
    assert math.isnan(f1(*blink_hits(openness(), openness())))
