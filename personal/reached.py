"""What the training of the variant "paper" has reached."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

Keep = Callable[[nn.Module, dict[str, str]], None]
"""Called with each network that is better than those before, and what is to be said of it."""


@dataclass(frozen=True)
class Reached:
    """done: share of the run. scores: on footage that was held back, `hole_psnr` of the network and `warp_hole_psnr` of
    the warp in dB among them; sheet: (H, W, 3) uint8, results on it. kept: whether these weights are the best so far;
    best: the scores of those that are."""

    done: float
    scores: dict[str, float]
    sheet: np.ndarray
    kept: bool
    best: dict[str, float]
