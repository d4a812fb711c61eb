"""Perceptual distance: LPIPS (Zhang et al. 2018) with its AlexNet, over the full frame and in the hole."""

from __future__ import annotations

from torch import Tensor

from ..models.lpips import LPIPS
from .image import hole_mean


def lpips(network: LPIPS, result: Tensor, truth: Tensor, hole: Tensor | None = None) -> Tensor:
    """LPIPS per frame (T,) of (T,H,W,3) frames in [0, 1], at least 32 px a side; 0 for equal frames, lower
    is better.

    Without a hole: the published value. With `hole` (T,H,W bool): the mean over the hole's pixels of the
    spatial map, whose receptive field reaches beyond the hole; NaN where the hole is empty.
    """
    device = next(network.parameters()).device
    x, y = (frames.permute(0, 3, 1, 2).to(device) for frames in (result, truth))
    if hole is None:
        return network(x, y).cpu()
    return hole_mean(network(x, y, spatial=True).cpu(), hole)
