"""The guided filter against its definition, and what it is used for."""

import cv2
import numpy as np
import pytest

from hmd_removal.headset.guided_filter import apply_coefficients, guided_coefficients, guided_filter


def test_it_is_the_mean_of_the_ridge_regressions_of_all_windows_around_a_pixel():
    rng = np.random.default_rng(0)
    guide, source = rng.random((9, 9, 3)).astype(np.float32), rng.random((9, 9)).astype(np.float32)
    radius, epsilon, predictions = 1, 0.01, []
    for y in (3, 4, 5):
        for x in (3, 4, 5):
            window = np.s_[y - radius : y + radius + 1, x - radius : x + radius + 1]
            colour, value = guide[window].reshape(-1, 3).astype(float), source[window].ravel().astype(float)
            covariance = np.cov(colour.T, bias=True) + epsilon * np.eye(3)
            slope = np.linalg.solve(covariance, (colour - colour.mean(0)).T @ (value - value.mean()) / len(value))
            predictions.append(value.mean() + slope @ (guide[4, 4] - colour.mean(0)))
    assert guided_filter(guide, source, radius, epsilon)[4, 4] == pytest.approx(np.mean(predictions), abs=1e-4)


def test_a_flat_guide_leaves_a_mean_of_means():
    source = np.random.default_rng(1).random((20, 30)).astype(np.float32)
    twice = cv2.boxFilter(source, -1, (5, 5), borderType=cv2.BORDER_REFLECT)
    twice = cv2.boxFilter(twice, -1, (5, 5), borderType=cv2.BORDER_REFLECT)
    assert guided_filter(np.full((20, 30, 3), 0.4, np.float32), source, 2, 1e-3) == pytest.approx(twice, abs=1e-4)


def test_a_blurred_misplaced_step_moves_onto_the_edge_of_the_picture():
    guide = np.full((40, 60, 3), (0.6, 0.5, 0.4), np.float32)
    guide[:, 30:] = (0.2, 0.5, 0.6)
    source = np.zeros((40, 60), np.float32)
    source[:, 33:] = 1
    source = cv2.GaussianBlur(source, (0, 0), 4)
    found = guided_filter(guide, source, 8, 1e-4)
    assert np.flatnonzero(source[20] > 0.5)[0] == 33 and np.flatnonzero(found[20] > 0.5)[0] == 30


def test_the_model_of_a_small_picture_sharpens_the_large_one():
    large = np.full((80, 120, 3), 0.7, np.float32)
    large[:, 61:] = 0.2
    small = cv2.resize(large, (30, 20), interpolation=cv2.INTER_AREA)
    model = guided_coefficients(small, (small[..., 0] < 0.5).astype(np.float32), 3, 1e-4)
    fine = apply_coefficients(cv2.resize(model, (120, 80), interpolation=cv2.INTER_LINEAR), large)
    assert np.flatnonzero(fine[40] > 0.5)[0] == 61
