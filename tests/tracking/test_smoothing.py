"""The filters against their formulas."""

import numpy as np
import pytest

from hmd_removal.tracking.smoothing import ConstantVelocity, OneEuro, RandomWalk


def test_two_steps_by_hand():
    smooth = OneEuro(min_cutoff=0.1, beta=0.5)
    assert smooth(np.array([2.0])) == 2
    # speed: gain 2 pi 0.15 / (2 pi 0.15 + 1) = 0.48519 of a step of 1; cut-off 0.1 + 0.5 * 0.48519 = 0.34260,
    # gain 2 pi 0.34260 / (2 pi 0.34260 + 1) = 0.68279
    assert smooth(np.array([3.0])) == pytest.approx(2.68279, abs=1e-4)


def test_noise_shrinks_and_a_ramp_is_followed():
    noise = np.random.default_rng(0).normal(size=300)
    smooth = OneEuro(min_cutoff=0.05, beta=0.02)
    assert np.std([smooth(np.array([x]))[0] for x in noise][20:]) < 0.55 * noise.std()
    smooth = OneEuro(min_cutoff=0.05, beta=0.5)
    assert [smooth(np.array([float(x)]))[0] for x in range(60)][-1] == pytest.approx(59, abs=1)


@pytest.mark.parametrize("fps", [8, 240])
def test_it_trails_by_as_many_seconds_whatever_the_frame_rate(fps):
    def trail(rate: float) -> float:
        """Seconds by which a value that grows by one a second is late."""
        smooth, times = OneEuro(min_cutoff=0.05, beta=0.02, fps=rate), np.arange(0, 8, 1 / rate)
        return [t - smooth(np.array([t]))[0] for t in times][-1]

    assert trail(fps) == pytest.approx(trail(25), abs=0.5 / min(fps, 25))  # half a frame


def test_constant_velocity_by_hand():
    smooth = ConstantVelocity()
    noise, push = np.array([1.0]), np.array([0.5])
    assert smooth(np.array([2.0]), noise, push) == 2
    # Covariance diag(1, 4); one step: [[1 + 4, 4], [4, 4]] + 0.25 * [[1/4, 1/2], [1/2, 1]]; its first entry 5.0625,
    # so the gain is 5.0625 / 6.0625 of a surprise of 1.
    assert smooth(np.array([3.0]), noise, push) == pytest.approx(2 + 5.0625 / 6.0625)


def test_constant_velocity_does_not_trail_behind_a_ramp():
    smooth, noise, push = ConstantVelocity(), np.array([1.0]), np.array([0.01])
    for t in range(200):
        last = smooth(np.array([0.7 * t]), noise, push)
    assert last == pytest.approx(0.7 * 199, abs=0.01)
    assert smooth.predicted() == pytest.approx(0.7 * 200, abs=0.02)


def test_constant_velocity_removes_most_of_the_noise():
    measured = np.random.default_rng(0).normal(size=(400, 3))
    smooth, still = ConstantVelocity(), np.full(3, 0.005)
    out = np.array([smooth(value, np.ones(3), still) for value in measured])
    assert out[50:].std() < 0.4 * measured.std()


def test_random_walk_by_hand():
    smooth = RandomWalk()
    assert (smooth(np.array([[2.0, 5.0]]), np.array([1.0]), np.array([1.0])) == [[2, 5]]).all()
    # Variance 1 + 1 = 2 against noise of 1: two thirds of the surprise.
    assert smooth(np.array([[5.0, 5.0]]), np.array([1.0]), np.array([1.0])) == pytest.approx(np.array([[4, 5]]))


@pytest.mark.parametrize("filter_of", [ConstantVelocity, RandomWalk])
def test_without_noise_values_pass_as_they_are(filter_of):
    smooth = filter_of()
    for value in np.random.default_rng(0).normal(size=(10, 4)):
        given = value if filter_of is ConstantVelocity else value[:, None]
        assert smooth(given, np.zeros(4), np.full(4, 0.1)) == pytest.approx(given)


def test_noisy_values_are_smoothed_more_than_sure_ones():
    smooth = RandomWalk()
    measured = np.random.default_rng(0).normal(size=(300, 2, 1))
    out = np.array([smooth(v, np.array([0.1, 3.0]), np.array([0.1, 0.1])) for v in measured])
    assert out[50:, 1].std() < 0.3 * out[50:, 0].std()
