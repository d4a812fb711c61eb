"""The head finder: where in a picture heads may be, with a headset or without, for the landmarker to look at.

A small network that is convolutional throughout, so that a picture of any size is gone through at once. It is tuned to
miss nothing: whether there is a head is for the landmarker to say. Trained by `hmd-removal lab train head-finder`; see
docs/models/head_finder.md.
"""

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from .covered_landmarks import Block, fuse

CELL = 8  # pixels of a cell of the answer, a side
HEAD_SIDE = 48.0  # pixels of the landmarker's ideal crop around a head that is found best
TOLERANCE = 0.35  # natural logarithm of the factor by which a head may be larger or smaller
WIDTHS = (16, 32, 64)  # channels at 1/2, 1/4 and 1/8 of the picture


class HeadFinder(nn.Module):
    """(B, 3, H, W) pictures in [0, 1], H and W multiples of 8, to (B, H / 8, W / 8) logits: the middle of a head of
    about HEAD_SIDE lies in the cell. A cell is decided by the 105 pixels around it. 0.22 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        stem, quarter, eighth = WIDTHS
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 5, 2, 2, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.trunk = nn.Sequential(
            Block(stem, quarter, 2), Block(quarter, eighth, 2), Block(eighth, eighth), Block(eighth, eighth)
        )
        self.head = nn.Conv2d(eighth, 1, 1)
        nn.init.constant_(self.head.bias, -4.0)  # there is none nearly everywhere (Lin et al. 2017, focal loss)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.head(self.trunk(self.stem(pictures - 0.5)))[:, 0]


def load(path: Path | None = None) -> HeadFinder:
    """The trained network in evaluation mode; from the manifest's file, or from a safetensors file of one's own.

    Raises WeightsMissing when the manifest's file is not at hand.
    """
    from safetensors.torch import load_file

    from .. import weights

    state = load_file(path) if path is not None else weights.load_state("head_finder")
    net = HeadFinder()
    net.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=True)
    return fuse(net.eval()).to(memory_format=torch.channels_last)


@lru_cache(maxsize=1)
def shared() -> HeadFinder:
    """The manifest's network, loaded once."""
    return load()
