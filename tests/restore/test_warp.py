"""The method without learning."""

from __future__ import annotations

import numpy as np
import torch

from hmd_removal.restore.align import Aligned
from hmd_removal.restore.filler import Window
from hmd_removal.restore.warp import fitted_reference


def test_no_bit_of_the_device_remains_where_the_reference_shows_nothing() -> None:
    wall, plastic = 0.5, 0.05
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 20:44, 10:54] = 1
    crops = torch.full((1, 3, 64, 64), wall)
    crops[(hole > 0).expand_as(crops)] = plastic
    kind = torch.full((1, 1, 64, 64), 2, dtype=torch.uint8)
    kind[..., 48:] = 0  # the reference ends before the device does
    colours = torch.full_like(crops, wall)
    aligned = Aligned((0,), torch.zeros(1, 2, 64, 64), kind, colours, torch.zeros_like(crops))
    fitted, _ = fitted_reference(Window(crops, hole, np.zeros((1, 478, 3)), np.ones((1, 478)), aligned), None)
    assert torch.allclose(fitted.pictures, torch.full_like(crops, wall), atol=0.02)
