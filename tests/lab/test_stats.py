"""The bootstrap interval against the normal theory and its own promises."""

import math

import numpy as np
import pytest

from hmd_removal.lab.metrics.stats import bootstrap_interval


def test_the_interval_is_that_of_the_normal_theory_for_many_clips():
    values = np.random.default_rng(3).normal(30, 4, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)


def test_two_clips_give_their_range():
    assert bootstrap_interval([20.0, 30.0]) == (20.0, 30.0)


def test_one_clip_has_no_width_and_none_no_interval():
    assert bootstrap_interval([25.0]) == (25.0, 25.0)
    assert np.isnan(bootstrap_interval([math.nan])).all()


def test_clips_without_a_value_are_left_out():
    assert bootstrap_interval([1.0, math.nan, 2.0, 4.0]) == bootstrap_interval([1.0, 2.0, 4.0])


def test_the_seed_decides():
    values = [1.0, 2.5, 4.0, 7.5, 9.1]
    assert bootstrap_interval(values) == bootstrap_interval(values, seed=0)
    assert bootstrap_interval(np.random.default_rng(0).random(30), 1) != bootstrap_interval(
        np.random.default_rng(0).random(30), 2
    )
