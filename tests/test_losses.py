"""The inpainting losses, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from hmd_removal.faces.detector import MediaPipeDetector
from hmd_removal.models.weights import WeightsMissing
from hmd_removal.training.losses import (
    DRIFT,
    InpaintingLosses,
    LossWeights,
    adversarial_loss,
    critic_loss,
    expression_loss,
    face_squares,
    gram,
    perceptual_loss,
    style_loss,
)


def test_weights_are_those_of_the_paper() -> None:
    weights = LossWeights()
    assert (weights.adversarial, weights.expression, weights.style) == (1, 2, 10)
    assert (weights.perceptual, weights.reconstruction) == (1, 1)


def test_gram_matrices_are_made_frame_by_frame() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]], [[[2.0, 0.0]], [[0.0, 2.0]]]])  # 2 frames, 2 channels, 1 x 2
    expected = torch.tensor([[[5.0, 3.0], [3.0, 9.0]], [[4.0, 0.0], [0.0, 4.0]]]) / 4
    assert torch.equal(gram(features), expected)


def test_gram_matrices_do_not_overflow_in_half_precision() -> None:
    assert torch.isfinite(gram(torch.full((1, 2, 64, 64), 200.0).half())).all()


def test_perceptual_loss_adds_up_the_layers() -> None:
    found = [torch.zeros(1, 1, 2, 2), torch.full((1, 2, 1, 1), 3.0)]
    wanted = [torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]), torch.tensor([2.0, 5.0]).view(1, 2, 1, 1)]
    assert perceptual_loss(found, wanted).item() == pytest.approx(0.5 + 1.5)


def test_style_loss_halves_from_layer_to_layer() -> None:
    one, two = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 2.0)  # Gram matrices 1 and 4
    assert style_loss([one] * 3, [two] * 3).item() == pytest.approx(3 / 2 + 3 / 4 + 3 / 8)


def test_expression_loss_is_equation_7_and_at_most_two_by_the_classes() -> None:
    happy, sad = torch.eye(8)[:1], torch.eye(8)[1:2]
    assert expression_loss(happy, sad).item() == pytest.approx(0.25)
    assert expression_loss(happy, happy).item() == 0


def test_critics() -> None:
    real, fake = torch.tensor([0.5, 3.0]), torch.tensor([-2.0, 0.0])
    assert critic_loss(real, fake).item() == pytest.approx(-1 - 1.75 + DRIFT * (0.25 + 9) / 2)
    assert critic_loss(real, fake, "hinge").item() == pytest.approx(0.5 / 2 + 1 / 2)
    assert adversarial_loss(fake).item() == 1


def test_a_face_square_shows_the_face_and_a_tenth_more_on_each_side() -> None:
    picture = torch.zeros(1, 3, 100, 200)
    picture[..., 30:71, 120:161] = 1  # pixels whose middles are from 120 to 160 and from 30 to 70
    points = torch.tensor([[[120.0, 30.0], [160.0, 70.0], [140.0, 50.0]]])
    square = face_squares(picture, points, side=48)[0, 0]  # 40 pixels and a fifth: each pixel is one of the picture's
    rows, columns = np.flatnonzero(square[24] > 0.5), np.flatnonzero(square[:, 24] > 0.5)
    for inside in (rows, columns):
        assert list(inside[[0, -1]]) == [4, 44] or list(inside[[0, -1]]) == [3, 43]
    assert square.sum() == pytest.approx(41 * 41, rel=0.01)


@pytest.fixture(scope="module")
def losses() -> InpaintingLosses:
    try:
        return InpaintingLosses()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def test_all_losses_are_nothing_for_the_truth_and_pull_towards_it(losses: InpaintingLosses) -> None:
    photo = data.astronaut()[:224, 100:324]
    with MediaPipeDetector(still=True) as detector:
        points = torch.from_numpy(detector.detect(photo)[0].points)[None]
    truth = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    assert all(value.item() == 0 for value in losses(truth, truth, points).values())
    covered = truth.clone()
    covered[..., 80:130, 70:180] = 0.5
    covered.requires_grad_(True)
    values = losses(covered, truth, points)
    assert set(values) | {"adversarial"} == set(vars(LossWeights()))
    assert values["expression"].item() > 1e-4
    for name, value in values.items():
        (gradient,) = torch.autograd.grad(value, covered, retain_graph=True)
        step = covered.detach() - 0.005 * gradient / gradient.abs().max()
        assert losses(step, truth, points)[name] < value
