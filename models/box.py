"""Means and maxima over squares around each pixel: along rows, then along columns, which is the same and faster."""

import torch
from torch.nn import functional as F


def box_mean(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """(N, C, H, W) averaged over squares of an odd side; what lies beyond the edge does not count."""
    across = F.avg_pool2d(pictures, (1, side), 1, (0, side // 2), count_include_pad=False)
    return F.avg_pool2d(across, (side, 1), 1, (side // 2, 0), count_include_pad=False)


def box_max(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """The largest value in squares of an odd side."""
    across = F.max_pool2d(pictures, (1, side), 1, (0, side // 2))
    return F.max_pool2d(across, (side, 1), 1, (side // 2, 0))
