"""Perceptual distance: LPIPS (Zhang et al. 2018) with its AlexNet, over the full frame and in the hole."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.lpips import LPIPS, spatial_map
from .image import hole_mean


def lpips(network: LPIPS, result: Tensor, truth: Tensor, hole: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """LPIPS per frame of (T,H,W,3) frames in [0, 1], at least 32 px a side; 0 for equal frames, lower is better.

    Returns (T,) the published value over the full frame, and with `hole` (T,H,W bool) also (T,) the mean over the
    hole's pixels of the spatial map, whose receptive field reaches beyond the hole; NaN where the hole is empty.
    """
    device = next(network.parameters()).device
    x, y = (frames.permute(0, 3, 1, 2).to(device) for frames in (result, truth))
    maps = network.layer_maps(x, y)
    full = torch.stack([layer.mean((1, 2)) for layer in maps]).sum(0).cpu()
    return full, None if hole is None else hole_mean(spatial_map(maps, x.shape[2:]).cpu(), hole)
