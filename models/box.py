"""Means over boxes: what is smooth in a picture, and what is coarse."""

from functools import lru_cache

import torch

GRAIN = 1 / 128  # of the side: standard deviation of what divides what is coarse in a picture from what is fine


@lru_cache(maxsize=32)
def _band(length: int, side: int, passes: int, device: torch.device) -> torch.Tensor:
    """(length, length): means over `side` neighbours in a row, so many times after each other."""
    places = torch.arange(length)  # not on the device: some have no float64
    near = ((places[:, None] - places).abs() <= side // 2).double()
    return torch.linalg.matrix_power(near / near.sum(1, keepdim=True), passes).float().to(device)


def box_mean(pictures: torch.Tensor, side: int, passes: int = 1) -> torch.Tensor:
    """(N, C, H, W) averaged over squares of an odd side, so many times; what lies beyond the edge does not count."""
    down, across = (_band(length, side, passes, pictures.device) for length in pictures.shape[-2:])
    return down @ pictures @ across.T


def coarse(pictures: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) without what is fine: two passes of a box, whose variances add up to that of GRAIN."""
    side = max(round((6 * (GRAIN * pictures.shape[-1]) ** 2 + 1) ** 0.5) // 2 * 2 + 1, 3)
    return box_mean(pictures, side, 2)
