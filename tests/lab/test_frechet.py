"""The Frechet distance against closed forms and SciPy's root of a matrix."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from hmd_removal.lab.metrics.frechet import frechet_distance


def sample(mean: np.ndarray, covariance: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Vectors whose sample mean and sample covariance are exactly these."""
    raw = np.random.default_rng(seed).standard_normal((count, len(mean)))
    raw -= raw.mean(0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False)).T)
    return mean + white @ np.linalg.cholesky(covariance).T


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    of_a, of_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(0) - b.mean(0)
    return float(shift @ shift + np.trace(of_a + of_b - 2 * sqrtm(of_a @ of_b).real))


def test_a_shift_costs_its_square():
    a = np.random.default_rng(0).standard_normal((20, 3))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(a, a + [3, 0, 4]) == pytest.approx(25)


def test_axes_that_fit_cost_the_squared_difference_of_deviations():
    """Of diagonal covariances: |shift|^2 + sum (s - t)^2."""
    s, t, shift = np.array([1.0, 2.0, 0.5]), np.array([3.0, 1.0, 0.5]), np.array([0.0, 1.0, -2.0])
    a, b = sample(np.zeros(3), np.diag(s**2), 50), sample(shift, np.diag(t**2), 70, seed=1)
    assert frechet_distance(a, b) == pytest.approx(5 + 4 + 1)


def test_axes_that_do_not_fit():
    """In two dimensions tr M^1/2 = (tr M + 2 (det M)^1/2)^1/2."""
    first, second = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    product = first @ second
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    a, b = sample(np.zeros(2), first, 30), sample(np.zeros(2), second, 40, seed=1)
    assert frechet_distance(a, b) == pytest.approx(np.trace(first) + np.trace(second) - 2 * root)


@pytest.mark.parametrize("counts", [(200, 200), (200, 90)])
def test_it_is_scipys_where_the_covariances_have_full_rank(counts):
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((40, 40))
    a, b = rng.standard_normal((counts[0], 40)) @ mix, 0.3 + rng.standard_normal((counts[1], 40)) @ mix.T
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-8)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_fewer_vectors_than_dimensions_are_fine():
    """The singular covariances are those of the few dimensions that the vectors span, turned at random."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((8, 5)), 1 + 2 * rng.standard_normal((8, 5))
    turn = np.linalg.qr(rng.standard_normal((300, 300)))[0][:5]
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(by_scipy(a, b), rel=1e-8)


def test_it_does_not_lose_small_distances_of_large_float32_vectors():
    a = np.float32(1000) + np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    assert frechet_distance(a, a + np.float32(0.125)) == pytest.approx(4 / 64, rel=1e-3)
