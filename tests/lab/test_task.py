"""Expression and eyes: formulas by hand, and what a covered face costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hmd_removal.lab.metrics.expression import expression_agreement, expression_difference, expressions
from hmd_removal.lab.metrics.eyes import EYES, aperture_correlation, blink_f1, eye_nme, eye_regions, gaze_error
from hmd_removal.lab.metrics.task import TASK_METRICS, TaskMetrics, find_points
from hmd_removal.lab.networks.face_expression import FaceExpression
from hmd_removal.tracking.geometry import EYE_LIDS
from hmd_removal.weights import WeightsMissing


def eyes(apertures: list[float]) -> np.ndarray:
    """(T,478,3) whose eyes, 20 pixels wide and 80 from outer corner to outer corner, are open by these ratios."""
    points = np.full((len(apertures), 478, 3), 50.0)
    for left, (lids, (outer, inner)) in zip((100, 40), reversed(EYE_LIDS.values()), strict=True):
        points[:, [outer, inner], 1] = 30
        points[:, outer, 0], points[:, inner, 0] = (left + 20, left) if left == 100 else (left, left + 20)
        for upper, lower in lids:
            points[:, [upper, lower], 0] = left + 10
            points[:, upper, 1], points[:, lower, 1] = 30 - 10 * np.array(apertures), 30 + 10 * np.array(apertures)
    return points


def test_eye_landmarks_are_those_of_both_eyes():
    assert len(set(EYES)) == 16 and {33, 133, 159, 145, 263, 362, 386, 374} <= set(EYES)


def test_eye_error_is_in_percent_of_the_truths_eye_distance():
    truth = eyes([0.3, 0.3, 0.3])
    result = truth.copy()
    result[0] += [3, 4, 100]  # 5 pixels of 80; depth does not count
    result[1, EYES[0], 0] += 16  # one of sixteen points by 16 pixels
    result[2] = np.nan
    assert eye_nme(result, truth)[:2].tolist() == pytest.approx([6.25, 1.25])
    assert np.isnan(eye_nme(result, truth)[2])


def test_aperture_correlation_is_pearsons():
    truth = eyes([0.3, 0.2, 0.1, 0.3])
    assert aperture_correlation(eyes([0.25, 0.2, 0.15, 0.25]), truth) == pytest.approx(1)  # weaker, but in step
    assert aperture_correlation(eyes([0.1, 0.2, 0.3, 0.1]), truth) == pytest.approx(-1)
    expected = np.corrcoef([0.3, 0.3, 0.1, 0.2], [0.3, 0.2, 0.1, 0.3])[0, 1]
    assert aperture_correlation(eyes([0.3, 0.3, 0.1, 0.2]), truth) == pytest.approx(expected)


def test_eyes_that_never_move_correlate_with_nothing():
    moving, still = eyes([0.3, 0.2, 0.1]), eyes([0.3, 0.3, 0.3])
    assert aperture_correlation(still, moving) == 0
    assert np.isnan(aperture_correlation(moving, still))
    assert np.isnan(aperture_correlation(moving[:2], moving[:2]))


def test_blinks_are_counted_by_each_ones_own_range():
    truth = eyes([0.2, 0.2, 0.09, 0.05, 0.11, 0.2, 0.2, 0.2, 0.2, 0.2, 0.04, 0.2, 0.2])  # two
    assert blink_f1(truth, truth) == 1
    seen_less_shut = eyes([0.2, 0.2, 0.14, 0.12, 0.15, 0.2, 0.2, 0.2, 0.2, 0.2, 0.12, 0.2, 0.2])
    assert blink_f1(seen_less_shut, truth) == 1
    one = eyes([0.2, 0.2, 0.09, 0.05, *[0.2] * 9])
    assert blink_f1(one, truth) == pytest.approx(2 / (2 + 1))
    assert blink_f1(eyes([0.2] * 13), truth) == 0 and blink_f1(eyes([0.12] * 13), truth) == 0
    assert np.isnan(blink_f1(eyes([0.2] * 7), eyes([0.2] * 7)))


def test_gaze_is_compared_where_the_eyes_are_open(talking_head_track):
    truth = talking_head_track.points[:4].astype(float)
    assert gaze_error(truth, truth).tolist() == pytest.approx([0] * 4)
    turned, shut = truth.copy(), truth.copy()
    turned[1, 468:478, 0] += 0.1 * np.linalg.norm(truth[1, 33, :2] - truth[1, 133, :2])
    assert gaze_error(turned, truth)[1] > 5 and gaze_error(turned, truth)[0] == pytest.approx(0)
    shut[2, [upper for lids, _ in EYE_LIDS.values() for upper, _ in lids]] = shut[
        2, [lower for lids, _ in EYE_LIDS.values() for _, lower in lids]
    ]
    assert np.isnan(gaze_error(truth, shut)[2])


def test_the_eyes_region_is_around_both_eyes():
    region = eye_regions(eyes([0.3]), (60, 160))
    assert region[0, 30, 50] and region[0, 30, 110] and region[0, 22, 50] and not region[0, 30, 80]
    assert region.sum() == pytest.approx(2 * np.pi * 15**2, rel=0.1)


def test_frames_without_a_face_do_not_count():
    truth, result = eyes([0.2, 0.2, 0.05, 0.2, 0.2]), eyes([0.2, 0.2, 0.05, 0.05, 0.2])
    result[3] = np.nan
    assert blink_f1(result, truth) == 1 and aperture_correlation(result, truth) == pytest.approx(1)
    nobody = np.full_like(truth, np.nan)
    assert np.isnan(blink_f1(nobody, truth)) and np.isnan(aperture_correlation(nobody, truth))


def test_expressions_are_compared_by_probabilities_and_by_the_likeliest_class():
    truth = torch.tensor([[0.7, 0.3, 0, 0, 0, 0, 0], [0.6, 0.4, 0, 0, 0, 0, 0], [torch.nan] * 7])
    result = torch.tensor([[0.0, 0, 1, 0, 0, 0, 0], [0.8, 0.2, 0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0, 0]])
    assert expression_difference(result, truth)[:2].tolist() == pytest.approx([2 / 7, 0.4 / 7])
    assert expression_agreement(result, truth)[:2].tolist() == [0, 1]
    assert expression_difference(result, truth)[2].isnan() and expression_agreement(result, truth)[2].isnan()


def test_expressions_are_read_where_the_face_is_known():
    """Holds for any weights, so for untrained ones."""
    network = FaceExpression().eval().requires_grad_(False)
    frames, points = torch.rand(3, 64, 64, 3), torch.rand(3, 478, 3) * 40 + 10
    points[1, 5] = torch.nan
    chances = expressions(network, frames, points)
    assert chances[[0, 2]].sum(1).tolist() == pytest.approx([1, 1]) and chances[1].isnan().all()
    assert torch.allclose(chances[2], expressions(network, frames[2:], points[2:])[0], atol=1e-6)
    assert expressions(network, frames, points * torch.nan).isnan().all()


@pytest.fixture(scope="module")
def truth(talking_head) -> torch.Tensor:
    return torch.from_numpy(talking_head[:8].copy()).float() / 255


@pytest.fixture(scope="module")
def network() -> FaceExpression:
    try:
        return FaceExpression.pretrained()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def test_the_truth_scores_perfectly_and_covered_eyes_do_not(truth, network):
    task = TaskMetrics(truth, network)
    perfect = task.score(truth)
    assert perfect.keys() == TASK_METRICS.keys()
    expected = {"expression_l1": 0, "expression_same": 1, "eye_nme": 0, "aperture": 1, "face_found": 1}
    assert {name: perfect[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    damaged = truth.clone()
    damaged[:, 50:66, 66:108] = damaged[:, 45:46, 66:108]  # forehead over the eyes
    worse = task.score(damaged)
    assert worse["eye_nme"] > 2 and worse["aperture"] < 0.9 and worse["expression_l1"] > 0.01


def test_where_nobody_is_found_nothing_is_made_up(truth):
    scores = TaskMetrics(truth, None).score(torch.full_like(truth, 0.5))
    assert scores.pop("face_found") == 0 and all(np.isnan(score) for score in scores.values())
    assert np.isnan(find_points(torch.full_like(truth, 0.5))).all()
