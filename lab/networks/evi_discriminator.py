"""EVI-HRnet's discriminator, which is LGTSM's: a patch discriminator that sees frames in time (paper, section 4.4)."""

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from ...models.device import full_precision
from ...models.gated_shift import SLOPE, TemporalShift

CHANNELS = 5  # of the input: composited frame (3), mask (1), contour (1)
WIDTHS = (1, 2, 4, 4, 4, 4)  # of the six layers, by the base width


class EVIDiscriminator(nn.Module):
    """Six 5 x 5 convolutions of stride 2 with a temporal shift; every value of the last map judges a patch.

    Each convolution is normalised by its largest singular value (Miyato et al. 2018), which the Wasserstein loss needs
    for a bound; in LGTSM's released code that normalisation had no effect. 5,948,446 parameters at width 64. in_time:
    whether it sees a frame's neighbours.
    """

    def __init__(self, width: int = 64, *, in_time: bool = True) -> None:
        super().__init__()
        channels = [CHANNELS, *(width * k for k in WIDTHS)]
        self.convolutions = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 5, stride=2, padding=1 if i == 0 else 2))
            for i, (a, b) in enumerate(zip(channels, channels[1:], strict=False))
        )
        # The discriminator is not used live: it may look ahead. A quarter of the five input channels would be one
        # colour: the first layer sees single frames.
        self.shifts = nn.ModuleList(TemporalShift(c) for c in channels[1:-1] if in_time)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor, contour: torch.Tensor) -> torch.Tensor:
        """Scores (B, T, N, h, w), higher for real, not bounded.

        frames: (B, T, 3, S, S) in [0, 1], composited; mask, contour: (B, T, 1, S, S).
        """
        length = frames.shape[1]
        x = rearrange(torch.cat([frames, mask, contour], 2), "b t c h w -> (b t) c h w")
        with parametrize.cached():
            with full_precision(x.device):  # singular values need float32
                _ = [convolution.weight for convolution in self.convolutions]
            x = self.convolutions[0](x)
            for number, convolution in enumerate(self.convolutions[1:]):
                x = F.leaky_relu(x, SLOPE)
                if self.shifts:
                    x, _ = self.shifts[number](x, length)
                x = convolution(x)
        return rearrange(x, "(b t) c h w -> b t c h w", t=length)
