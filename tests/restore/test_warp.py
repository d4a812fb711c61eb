"""The method without learning."""

from __future__ import annotations

import numpy as np
import torch

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
    window = Window(
        crops, hole, np.zeros((1, 478, 3)), np.ones((1, 478)), aligned=torch.full_like(crops, wall), aligned_kind=kind
    )
    filled, _ = fitted_reference(window, None)
    assert torch.allclose(filled, torch.full_like(filled, wall), atol=0.02)
    assert torch.equal(filled[..., 50:60, 50:], crops[..., 50:60, 50:])  # outside the hole it is the crop
