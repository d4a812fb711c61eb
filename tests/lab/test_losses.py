"""The inpainting losses, against values computed by hand."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch
from skimage import data

from hmd_removal.lab.training.losses import (
    DRIFT,
    InpaintingLosses,
    LossWeights,
    adversarial_loss,
    around_holes,
    critic_loss,
    expression_loss,
    gram,
    perceptual_loss,
    style_loss,
    variation,
)
from hmd_removal.personal.losses import hole_loss
from hmd_removal.tracking.heads import HeadDetector
from hmd_removal.weights import WeightsMissing


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
    assert adversarial_loss(fake).item() == 1
    assert critic_loss(real, fake, "lsgan").item() == pytest.approx(((0.25 + 4) / 2 + 4 / 2) / 2)
    assert adversarial_loss(fake, "lsgan").item() == pytest.approx((9 + 1) / 2)


def test_a_small_hole_counts_as_much_as_a_large_one() -> None:
    truth, hole = torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4)
    found = torch.full_like(truth, 0.9)
    assert hole_loss(found, truth, hole).item() == 0
    hole[0, :, 1:3, 1:3], found[0, 0] = 1, 0.3
    assert hole_loss(found, truth, hole).item() == pytest.approx((0.3 + 0.9 + 0.9) / 3)
    hole[1] = 1  # 16 places more
    assert hole_loss(found, truth, hole).item() == pytest.approx((4 * 0.7 + 16 * 0.9) / 20)
    assert hole_loss(found[None], truth[None], hole[None]) == hole_loss(found, truth, hole)


def test_variation_is_the_difference_of_neighbours() -> None:
    picture = torch.tensor([[[[0.0, 0.5, 0.5], [0.2, 0.2, 1.0]]]])
    down, across = (0.2 + 0.3 + 0.5) / 3, (0.5 + 0.0 + 0.0 + 0.8) / 4
    assert variation(picture).item() == pytest.approx(down + across)


@pytest.fixture(scope="module")
def losses() -> InpaintingLosses:
    try:
        return InpaintingLosses()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def test_all_losses_are_nothing_for_the_truth_and_pull_towards_it(losses: InpaintingLosses) -> None:
    photo = data.astronaut()[:224, 100:324]
    with closing(HeadDetector("uncovered")) as detector:
        points = torch.from_numpy(detector.detect(photo)[0].points)[None]
    truth = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    hole = torch.zeros(1, 1, 224, 224)
    hole[..., 80:130, 70:180] = 1
    assert all(value.item() == 0 for value in losses(truth, truth, hole, points).values())
    # Not flat: where neighbours are equal, pooling has no gradient, nor have losses where nothing differs.
    plastic = torch.rand(truth.shape, generator=torch.Generator().manual_seed(0))
    covered = torch.where(hole > 0, plastic, truth)
    covered.requires_grad_(True)
    values = losses(covered, truth, hole, points)
    assert set(values) | {"adversarial"} == set(vars(LossWeights()))
    assert values["expression"].item() > 1e-6
    for name, value in values.items():
        (gradient,) = torch.autograd.grad(value, covered, retain_graph=True)
        step = covered.detach() - 0.001 * hole * gradient / gradient.abs().max()
        assert losses(step, truth, hole, points)[name] < value
    # The hole fits into five eighths of the picture; what lies beyond adds nothing but the features at its edge.
    near = losses(covered, truth, hole, points, focus=0.625)
    assert near["reconstruction"] == values["reconstruction"] and near["expression"] == values["expression"]
    assert near["perceptual"].item() == pytest.approx(values["perceptual"].item(), rel=0.1)


def test_the_square_around_a_hole_is_cut_out_of_each_picture() -> None:
    picture = torch.arange(2 * 8 * 8.0).view(2, 1, 8, 8)
    hole = torch.zeros(2, 1, 8, 8)
    hole[0, 0, 3:5, 2:6] = 1  # its middle is the picture's
    hole[1, 0, 0:2, 6:8] = 1  # at a corner: the square stays in the picture
    (near,) = around_holes((picture,), hole, 0.5)
    assert torch.equal(near[0], picture[0, :, 2:6, 2:6]) and torch.equal(near[1], picture[1, :, 0:4, 4:8])
    assert around_holes((picture,), hole, 1.0)[0] is picture
