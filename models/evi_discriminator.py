"""EVI-HRnet's discriminator, which is LGTSM's: a patch discriminator that sees frames in time (paper, section 4.4)."""

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from .gated_shift import SHARE, SLOPE

CHANNELS = 5  # of the input: composited frame (3), mask (1), contour (1)
WIDTHS = (1, 2, 4, 4, 4, 4)  # of the six layers, by the base width


class TemporalShift(nn.Module):
    """A quarter of the channels comes from the frame before and a quarter from the one after, each through a learnable
    kernel of three frames that starts as that shift (LGTSM's code). The discriminator is not used live: it may look
    ahead."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shifted = channels // SHARE
        self.kernels = nn.Parameter(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))  # for t - 1, t, t + 1

    def forward(self, x: torch.Tensor, frames: int) -> torch.Tensor:
        """(B * T, C, H, W), clip by clip, to the same shape; beyond a clip's ends there is nothing."""
        clip = rearrange(x, "(b t) c h w -> b t c h w", t=frames)
        mixed = []
        for kernel, part in zip(
            self.kernels.to(x.dtype), clip[:, :, : 2 * self.shifted].split(self.shifted, 2), strict=True
        ):
            padded = F.pad(part, (0, 0, 0, 0, 0, 0, 1, 1))
            mixed.append(sum(tap * padded[:, k : k + frames] for k, tap in enumerate(kernel)))
        return rearrange(torch.cat([*mixed, clip[:, :, 2 * self.shifted :]], 2), "b t c h w -> (b t) c h w")


class EVIDiscriminator(nn.Module):
    """Six 5 x 5 convolutions of stride 2 with a temporal shift; every value of the last map judges a patch.

    Each convolution is normalised by its largest singular value (Miyato et al. 2018), which the Wasserstein loss needs
    for a bound; in LGTSM's released code that normalisation had no effect. 5,948,446 parameters at width 64.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        channels = [CHANNELS, *(width * k for k in WIDTHS)]
        self.convolutions = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 5, stride=2, padding=1 if i == 0 else 2))
            for i, (a, b) in enumerate(zip(channels, channels[1:], strict=False))
        )
        # A quarter of the five input channels would be one colour: the first layer sees single frames.
        self.shifts = nn.ModuleList(TemporalShift(c) for c in channels[1:-1])

    def forward(self, frames: torch.Tensor, mask: torch.Tensor, contour: torch.Tensor) -> torch.Tensor:
        """Scores (B, T, N, h, w), higher for real, not bounded.

        frames: (B, T, 3, S, S) in [0, 1], composited; mask, contour: (B, T, 1, S, S).
        """
        length = frames.shape[1]
        x = rearrange(torch.cat([frames, mask, contour], 2), "b t c h w -> (b t) c h w")
        with parametrize.cached():
            with torch.autocast(x.device.type, enabled=False):  # singular values need float32
                _ = [convolution.weight for convolution in self.convolutions]
            x = self.convolutions[0](x)
            for shift, convolution in zip(self.shifts, self.convolutions[1:], strict=True):
                x = convolution(shift(F.leaky_relu(x, SLOPE), length))
        return rearrange(x, "(b t) c h w -> b t c h w", t=length)
