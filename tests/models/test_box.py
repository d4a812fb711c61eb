"""Pooling along rows, then along columns."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hmd_removal.models.correction import box_max, box_mean


@pytest.mark.parametrize("side", [1, 3, 15])
def test_it_is_what_pytorch_pools_over_squares(side: int) -> None:
    pictures = torch.rand(2, 3, 17, 24, generator=torch.Generator().manual_seed(0))
    mean = F.avg_pool2d(pictures, side, 1, side // 2, count_include_pad=False)
    assert torch.allclose(box_mean(pictures, side), mean, atol=1e-6)
    assert torch.equal(box_max(pictures, side), F.max_pool2d(pictures, side, 1, side // 2))
