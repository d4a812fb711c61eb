"""Means along rows, then along columns."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hmd_removal.models.box import box_mean


@pytest.mark.parametrize("side", [1, 3, 15])
def test_it_is_what_pytorch_pools_over_squares(side: int) -> None:
    pictures = torch.rand(2, 3, 17, 24, generator=torch.Generator().manual_seed(0))
    mean = F.avg_pool2d(pictures, side, 1, side // 2, count_include_pad=False)
    assert torch.allclose(box_mean(pictures, side), mean, atol=1e-6)


@pytest.mark.parametrize("side", [3, 5, 15])
def test_several_passes_are_one_after_the_other(side: int) -> None:
    pictures = torch.rand(2, 3, 17, 24, generator=torch.Generator().manual_seed(0))
    once, thrice = box_mean(pictures, side), box_mean(pictures, side, 3)
    assert torch.allclose(box_mean(pictures, side, 2), box_mean(once, side), atol=1e-6)
    assert torch.allclose(thrice, box_mean(box_mean(once, side), side), atol=1e-6)


def test_a_flat_picture_stays_as_it_is_up_to_its_edge() -> None:
    assert torch.allclose(box_mean(torch.full((1, 1, 9, 9), 0.7), 5, 4), torch.tensor(0.7), atol=1e-6)
