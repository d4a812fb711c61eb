"""Jitter and lag of hand-made signals."""

import numpy as np
import pytest

from hmd_removal.errors import InputError
from hmd_removal.lab.tracking.steadiness import jitter, lag


def wandering(count: int = 120, points: int = 5) -> np.ndarray:
    """(count, points, 2): points that swing together, slowly and not quite regularly."""
    t = np.arange(count)[:, None]
    path = np.concatenate([20 * np.sin(t / 7) + 5 * np.sin(t / 2.9), 12 * np.cos(t / 9)], axis=1)
    return path[:, None] + np.arange(points)[None, :, None] * 10.0


def test_steady_motion_does_not_jitter():
    line = np.arange(10)[:, None, None] * np.array([3.0, -2.0]) + np.arange(4)[None, :, None]
    assert jitter(line, 50.0) == pytest.approx(0, abs=1e-12)


def test_one_jump_by_hand():
    points = np.zeros((4, 1, 2))
    points[2:, 0, 0] = 3  # second differences: 3, -3; root mean square 3 pixels, 6 % of 50
    assert jitter(points, 50.0) == pytest.approx(6)


def test_noise_counts_by_its_deviation():
    noise = np.random.default_rng(0).normal(scale=0.5, size=(400, 50, 2))
    assert jitter(noise, 100.0) == pytest.approx(0.5 * np.sqrt(12), rel=0.03)


def test_depth_does_not_count():
    points = np.concatenate([np.zeros((9, 3, 2)), np.random.default_rng(0).normal(size=(9, 3, 1))], axis=2)
    assert jitter(points, 10.0) == 0


@pytest.mark.parametrize("frames", [-2, 0, 1, 3])
def test_a_delay_of_whole_frames(frames):
    truth = wandering()
    assert lag(np.roll(truth, frames, axis=0)[5:-5], truth[5:-5]) == pytest.approx(frames, abs=0.05)


def test_a_delay_of_half_a_frame():
    truth = wandering()
    late = (truth[:-1] + truth[1:]) / 2
    assert lag(late[4:-4], truth[5:-4]) == pytest.approx(0.5, abs=0.05)


def test_an_exponential_average_trails_by_its_time_constant():
    truth, late = wandering(400), []
    for now in truth:
        late.append(now if not late else 0.5 * late[-1] + 0.5 * now)  # (1 - a) / a = 1 frame at low frequencies
    assert lag(np.array(late), truth) == pytest.approx(1.0, abs=0.2)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match="at least 3 frames"):
        jitter(np.zeros((2, 4, 2)), 50.0)
    with pytest.raises(InputError, match="at least 24 frames"):
        lag(np.zeros((10, 4, 2)), np.zeros((10, 4, 2)))
    with pytest.raises(InputError, match="where the face moves"):
        lag(np.zeros((30, 4, 2)), wandering(30, 4))
