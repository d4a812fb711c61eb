"""The losses of person-specific de-occlusion, by hand and by a second implementation."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from hmd_removal.personal.losses import (
    PersonalLossWeights,
    discriminator_loss,
    generator_loss,
    mask_loss,
    reconstruction_loss,
    structure_loss,
)


def test_the_weights_are_the_papers() -> None:
    assert vars(PersonalLossWeights()) == {"reconstruction": 1, "adversarial": 0.25, "structure": 60, "mask": 1}


def test_colours_count_from_0_to_255() -> None:
    truth = torch.full((2, 3, 8, 8), 0.5)
    result = truth.clone()
    result[0] += 0.1  # 25.5 in half of the pictures
    assert reconstruction_loss(result, truth).item() == pytest.approx(12.75, rel=1e-5)


def test_the_mask_loss_does_not_grow_with_the_hole() -> None:
    truth, result = torch.zeros(1, 3, 10, 10), torch.zeros(1, 3, 10, 10)
    result[..., :5, :] = 0.2
    for rows in (2, 5):
        mask = torch.zeros(1, 1, 10, 10)
        mask[..., :rows, :] = 1
        assert mask_loss(result, truth, mask).item() == pytest.approx(51, rel=1e-5)
    half = torch.zeros(1, 1, 10, 10)
    half[..., 3:7, :] = 1  # two of its four rows are wrong
    assert mask_loss(result, truth, half).item() == pytest.approx(25.5, rel=1e-5)
    assert mask_loss(result, truth, torch.zeros(1, 1, 10, 10)).item() == 0


def test_the_similarity_of_structure_is_that_of_another_implementation(talking_head: np.ndarray) -> None:
    a, b = (talking_head[t][40:110, 60:140].astype(np.float64) / 255 for t in (0, 12))

    def blurred(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, (31, 31), 1.5)[15:-15, 15:-15]

    covariance = blurred(a * b) - blurred(a) * blurred(b)
    variances = [blurred(x * x) - blurred(x) ** 2 for x in (a, b)]
    expected = 1 - ((2 * covariance + 9e-4) / (sum(variances) + 9e-4)).mean()
    pair = (torch.from_numpy(x).permute(2, 0, 1)[None].float() for x in (a, b))
    assert structure_loss(*pair).item() == pytest.approx(expected, abs=1e-4)
    assert expected > 0.02


def test_brightness_is_no_structure() -> None:
    picture = torch.rand(1, 3, 40, 40)
    assert structure_loss(picture, picture).item() == pytest.approx(0, abs=1e-5)
    assert structure_loss(picture + 0.2, picture).item() == pytest.approx(0, abs=1e-4)
    assert structure_loss(0.5 * picture, picture).item() == pytest.approx(0.2, abs=0.01)  # 2 * 0.5 / (1 + 0.25)


def test_discriminator_and_generator_by_hand() -> None:
    real, fake = torch.tensor([math.log(3.0)]), torch.tensor([math.log(0.25)])  # probabilities 3/4 and 1/5
    assert discriminator_loss(real, fake).item() == pytest.approx(-math.log(0.75) - math.log(0.8), rel=1e-5)
    assert generator_loss(fake).item() == pytest.approx(-math.log(0.2), rel=1e-5)
    for surely in (100.0, -100.0):
        assert math.isfinite(generator_loss(torch.tensor([surely])).item())
