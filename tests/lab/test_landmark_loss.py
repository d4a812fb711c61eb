"""The landmarker's losses, against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from hmd_removal.lab.training.landmark_loss import (
    EYE_DISTANCE,
    HIDDEN_WEIGHT,
    LIP_WEIGHT,
    LIPS,
    SMOOTH,
    SPOT,
    heat_loss,
    landmark_losses,
    mask_loss,
    negative_log_likelihood,
    total,
)
from hmd_removal.models.covered_landmarks import ANCHORS, LandmarkPrediction


def poses(count: int, scale: float = 0.02) -> torch.Tensor:
    pose = torch.eye(4).repeat(count, 1, 1)
    pose[:, :3, :3] *= scale
    return pose


def case(error: torch.Tensor, visible: torch.Tensor, present: torch.Tensor, **changed: torch.Tensor):
    """Losses of a prediction that is off by `error` (B, 478, 3) eye distances; `changed` replaces other outputs."""
    count = len(error)
    truth = torch.rand(count, 478, 3)
    pose = poses(count)
    right = {
        "points": truth + error * 0.02 * EYE_DISTANCE,
        "spread": torch.tensor([0.02 * EYE_DISTANCE, 0.0, 0.02 * EYE_DISTANCE]).expand(count, 478, 3),
        "pose": pose,
        "visible": torch.zeros(count, 478),
        "present": torch.zeros(count),
        "mask": torch.zeros(count, 4, 4),
        "anchors": truth[:, ANCHORS, :2],
        "heat": torch.zeros(count, len(ANCHORS), 4, 4),
    }
    batch = {"points": truth, "pose": pose, "visible": visible, "present": present, "mask": torch.zeros(count, 4, 4)}
    return landmark_losses(LandmarkPrediction(**(right | changed)), batch)


def everywhere(value: bool, count: int = 1) -> torch.Tensor:
    return torch.full((count, 478), value)


def test_position_is_in_eye_distances_and_hidden_points_count_less_and_lips_more() -> None:
    visible = everywhere(True)
    visible[:, 300:] = False
    error = torch.zeros(1, 478, 3)
    error[0, :300, 0], error[0, 300:, 1] = 0.1, 0.2
    losses = case(error, visible, torch.tensor([True]))
    seen, hidden = 0.1 - SMOOTH / 2, 0.2 - SMOOTH / 2  # beyond SMOOTH the smooth L1 is |x| - beta / 2
    lips = sum(point < 300 for point in LIPS)
    in_sight = 300 + lips * (LIP_WEIGHT - 1)
    out_of_sight = (178 + (len(LIPS) - lips) * (LIP_WEIGHT - 1)) * HIDDEN_WEIGHT
    expected = (in_sight * seen + out_of_sight * hidden) / (in_sight + out_of_sight)
    assert losses["position"].item() == pytest.approx(expected, rel=1e-4)


def test_a_head_farther_away_is_not_an_error_but_a_wrong_depth_between_points_is() -> None:
    there = torch.tensor([True])
    farther = torch.zeros(1, 478, 3)
    farther[..., 2] = 0.5
    assert case(farther, everywhere(True), there)["position"].item() == pytest.approx(0, abs=1e-6)
    farther[0, 239:, 2] = 0.0
    assert case(farther, everywhere(True), there)["position"].item() == pytest.approx(
        0.3 * (0.25 - SMOOTH / 2), rel=1e-3
    )


def test_drafts_are_judged_like_the_final_points_and_added_up() -> None:
    there, right = torch.tensor([True]), torch.zeros(1, 478, 3)
    torch.manual_seed(0)
    truth = torch.rand(1, 478, 3)  # what `case` draws
    drafts = tuple(truth + torch.tensor([off, 0, 0]) * 0.02 * EYE_DISTANCE for off in (0.3, 0.1))
    torch.manual_seed(0)
    losses = case(right, everywhere(True), there, drafts=drafts)
    assert losses["drafts"].item() == pytest.approx(0.3 + 0.1 - SMOOTH, rel=1e-4)
    assert losses["position"].item() == pytest.approx(0, abs=1e-6)


def test_heat_maps_answer_for_their_anchors() -> None:
    right = torch.zeros(1, 478, 3)
    off = torch.full((1, len(ANCHORS), 2), 0.5)
    losses = case(right, everywhere(True), torch.tensor([True]), anchors=off)
    assert losses["anchors"].item() > 0.1
    assert case(right, everywhere(True), torch.tensor([True]))["anchors"].item() == pytest.approx(0, abs=1e-6)


def test_a_heat_map_should_show_a_spot_where_the_point_is() -> None:
    place = torch.tensor([[[0.375, 0.625]]])  # the middle of column 1, row 2 of 4
    squared = ((torch.arange(4) - 1) ** 2)[None, :] + ((torch.arange(4) - 2) ** 2)[:, None]
    spot = torch.softmax(-squared.flatten() / (2 * SPOT**2), 0).view(1, 1, 4, 4)
    entropy = -(spot * spot.log()).sum().item()
    assert heat_loss(spot.log(), place).item() == pytest.approx(entropy, rel=1e-4)  # no map does better
    assert heat_loss(torch.zeros(1, 1, 4, 4), place).item() == pytest.approx(math.log(16), rel=1e-4)
    assert heat_loss(spot.log().flip(3), place).item() > entropy + 0.3


def test_a_crop_without_a_head_is_judged_by_presence_and_mask_alone() -> None:
    error = torch.full((2, 478, 3), 5.0)
    error[..., 1] = 2.0
    error[1] = 0
    losses = case(error, everywhere(True, 2), torch.tensor([False, True]))
    assert losses["position"].item() == pytest.approx(0, abs=1e-6)
    assert losses["pose"].item() == 0
    assert losses["present"].item() == pytest.approx(math.log(2))


def test_likelihood_of_a_correlated_gaussian() -> None:
    factor = torch.tensor([[2.0, 0.0], [0.6, 0.5]])
    error = torch.tensor([1.0, -0.4])
    expected = -torch.distributions.MultivariateNormal(torch.zeros(2), scale_tril=factor).log_prob(error)
    found = negative_log_likelihood(error, torch.tensor([2.0, 0.6, 0.5]))
    assert found.item() == pytest.approx(expected.item() - math.log(2 * math.pi), rel=1e-5)


def test_the_likelihood_is_least_at_the_true_spread() -> None:
    error = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0)) * 0.3
    means = {
        s: negative_log_likelihood(error, torch.tensor([s, 0.0, s]).expand(20_000, 3)).mean().item()
        for s in (0.2, 0.3, 0.4)
    }
    assert min(means, key=means.get) == 0.3


def test_mask_loss_of_a_sure_and_right_mask_is_nothing_and_of_a_sure_and_wrong_one_is_large() -> None:
    mask = torch.zeros(1, 4, 4)
    mask[0, :2] = 1
    assert mask_loss((mask * 2 - 1) * 20, mask).item() == pytest.approx(0, abs=1e-4)
    assert mask_loss((1 - mask * 2) * 20, mask).item() == pytest.approx(21, rel=1e-3)  # cross entropy 20, Dice 0


def test_total_weighs_every_loss() -> None:
    losses = case(torch.rand(1, 478, 3), everywhere(True), torch.tensor([True]))
    alone = total({**{name: torch.zeros(()) for name in losses}, "position": torch.tensor(0.5)})
    assert alone.item() == pytest.approx(5.0)
