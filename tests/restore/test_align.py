"""What is hidden is filled in from the person's own mesh; what is uncertain has little say in it."""

import numpy as np
import pytest
from faces_of import turned

from hmd_removal.restore.align import complete_points


def hidden_eyes() -> np.ndarray:
    """(478,) visibility: everything above the nose tip is out of sight."""
    return (turned()[:, 1] > 150).astype(np.float32)


def test_hidden_points_follow_the_pose_of_the_visible_ones():
    points, visibility = turned(20, 5, 10), hidden_eyes()
    broken = points + np.where(visibility[:, None] == 0, 40, 0)
    assert complete_points(broken, visibility, turned()) == pytest.approx(points, abs=1e-6)


def test_without_deviation_and_with_none_of_it_are_the_same():
    rng = np.random.default_rng(0)
    points = turned(20) + rng.normal(size=(478, 3))
    plain = complete_points(points, hidden_eyes(), turned())
    assert complete_points(points, hidden_eyes(), turned(), np.zeros(478)) == pytest.approx(plain, abs=1e-9)


def test_uncertain_points_have_little_say():
    points, visibility, deviation = turned(20), hidden_eyes(), np.full(478, 0.5)
    wrong = np.flatnonzero(visibility)[::4]
    broken = points.copy()
    broken[wrong] += 15
    trusted = complete_points(broken, visibility, turned(), deviation)
    deviation[wrong] = 20
    doubted = complete_points(broken, visibility, turned(), deviation)
    hidden = visibility == 0
    off = [np.abs(p - points)[hidden].mean() for p in (trusted, doubted)]
    assert off[1] < 0.15 * off[0]
