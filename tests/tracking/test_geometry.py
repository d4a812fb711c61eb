"""Similarity fits and head pose, against hand-made transforms."""

import numpy as np
import pytest
from faces_of import turned

from hmd_removal.tracking.geometry import (
    SURE,
    canonical_points,
    certainty,
    fit_similarity,
    head_pose,
    pose_angles,
    pose_scale,
    transform,
)


def test_similarity_of_a_quarter_turn_by_hand():
    source = np.array([[0.0, 0], [1, 0], [0, 1], [2, 3]])
    target = np.array([[5.0, 7], [5, 9], [3, 7], [-1, 11]])  # turned by 90 degrees, doubled, moved by (5, 7)
    assert fit_similarity(source, target) == pytest.approx(np.array([[0, -2, 5], [2, 0, 7], [0, 0, 1]]), abs=1e-12)


def test_similarity_never_mirrors():
    source = np.random.default_rng(0).normal(size=(20, 3))
    matrix = fit_similarity(source, source * (-1, 1, 1))
    assert np.linalg.det(matrix[:3, :3]) > 0


def test_points_without_weight_do_not_count():
    source = np.random.default_rng(1).normal(size=(10, 3))
    target = 3 * source + (1, 2, 3)
    target[4] += 100
    weights = np.ones(10)
    weights[4] = 0
    assert transform(fit_similarity(source, target, weights), source[4]) == pytest.approx(3 * source[4] + (1, 2, 3))


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-25, 0, 0), (0, 20, 0), (0, 0, 15), (20, -10, 5)])
def test_head_pose_gives_back_the_angles_that_made_it(angles):
    pose = head_pose(turned(*angles))
    assert pose_scale(pose) == pytest.approx(10)
    if sum(a != 0 for a in angles) < 2:
        assert pose_angles(pose) == pytest.approx(angles, abs=1e-6)
    assert transform(pose, canonical_points()) == pytest.approx(turned(*angles)[:468])


def test_signs_of_the_angles_are_those_of_the_picture():
    nose = lambda points: points[1] - points[[234, 454]].mean(0)  # noqa: E731
    assert nose(turned(yaw=20))[0] > nose(turned())[0]
    assert nose(turned(pitch=20))[1] > nose(turned())[1]
    eyes = turned(roll=20)
    assert eyes[263, 1] > eyes[33, 1]  # the eye on the image's right sinks


def test_pose_from_visible_points_ignores_hidden_ones():
    points = turned(15)
    visibility = np.ones(478)
    visibility[:200] = 0
    points[:200] += 50
    assert pose_angles(head_pose(points, visibility)) == pytest.approx((15, 0, 0), abs=1e-6)


def test_certainty_by_hand():
    deviation = np.zeros(478)
    deviation[0], deviation[1] = 10 * SURE, 30 * SURE  # at 10 pixels a centimetre
    sure = certainty(turned(20), deviation)
    assert sure[:2] == pytest.approx((1 / 2, 1 / 10), rel=1e-6)
    assert (sure[2:] == 1).all()
    assert (certainty(np.zeros((478, 3)), np.zeros(478)) == 1).all()  # a missing face
