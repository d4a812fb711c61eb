"""The One-Euro filter against its formula."""

import numpy as np
import pytest

from hmd_removal.faces.smoothing import OneEuro


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
