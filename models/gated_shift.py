"""Gated convolutions whose features look into the past: the learnable gated temporal shift module (LGTSM).

Source: Chang et al. 2019, "Learnable gated temporal shift module for deep video inpainting", also in the causal form
that EVI-HRnet uses (section 3.1: "we only shift from past frames to current frames"). Frames of B clips lie in one
batch, (B * T, C, H, W), clip by clip.
"""

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

SHARE = 4  # one channel in so many is shifted
PAST = 2  # frames that a shift looks back, which is what streaming has to keep
SLOPE = 0.2  # of the leaky ReLU


class CausalShift(nn.Module):
    """A quarter of the channels becomes a mixture of this frame and the two before it.

    One kernel (3,) for frames t - 2, t - 1 and t, shared by the shifted channels, starts as a shift by one frame,
    (0, 1, 0), unless `start` says otherwise. Before a clip's first frame there is nothing (zeros).
    """

    def __init__(self, channels: int, start: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> None:
        super().__init__()
        self.shifted = channels // SHARE
        self.kernel = nn.Parameter(torch.tensor(start))

    def forward(
        self, x: torch.Tensor, frames: int, past: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """x: (B * T, C, H, W), T = `frames`; past: (B, 2, H, W, C // 4) from the call before, None at a clip's start.

        Returns x with its first C // 4 channels mixed, and what the next call needs of the past.
        """
        # Channels last throughout: frames are mixed without a copy into another layout, which convolutions would undo.
        still = x.permute(0, 2, 3, 1)
        moving = rearrange(still[..., : self.shifted], "(b t) h w c -> b t h w c", t=frames)
        if past is None:
            past = moving.new_zeros(len(moving), PAST, *moving.shape[2:])
        known = torch.cat([past.to(moving), moving], 1)
        taps = self.kernel.to(moving.dtype)
        mixed = sum(tap * known[:, k : k + frames] for k, tap in enumerate(taps))
        mixed = torch.cat([mixed.flatten(0, 1), still[..., self.shifted :]], -1)
        return mixed.permute(0, 3, 1, 2), known[:, -PAST:]


class TemporalShift(nn.Module):
    """LGTSM's own: a quarter of the channels comes from the frame before and a quarter from the one after, each through
    a learnable kernel of three frames that starts as that shift. It looks ahead, so it needs a clip as a whole."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shifted = channels // SHARE
        self.kernels = nn.Parameter(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))  # for t - 1, t, t + 1

    def forward(self, x: torch.Tensor, frames: int, past: None = None) -> tuple[torch.Tensor, None]:
        """(B * T, C, H, W), clip by clip, to the same shape, and no past; beyond a clip's ends there is nothing."""
        clip = rearrange(x, "(b t) c h w -> b t h w c", t=frames)  # channels last, see CausalShift
        *moving, still = clip.split([self.shifted, self.shifted, clip.shape[-1] - 2 * self.shifted], -1)
        mixed = []
        for kernel, part in zip(self.kernels.to(x.dtype), moving, strict=True):
            padded = F.pad(part, (0, 0, 0, 0, 0, 0, 1, 1))
            mixed.append(sum(tap * padded[:, k : k + frames] for k, tap in enumerate(kernel)))
        return rearrange(torch.cat([*mixed, still], -1), "b t h w c -> (b t) c h w"), None


class GatedConv(nn.Module):
    """activation(W_f * shift(x)) x sigmoid(W_g * x): the gate tells the hole from what is known.

    The shift is on the features only, as in LGTSM's code. shift: CausalShift or TemporalShift, None for the network's
    first layer; activate: not for its last one. scale: factor by which the input is enlarged before (bilinear,
    EVI-HRnet section 4.3).
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: int = 1,
        scale: int = 1,
        shift: type[CausalShift | TemporalShift] | None = CausalShift,
        activate: bool = True,
    ) -> None:
        super().__init__()
        sizes = {"stride": stride, "dilation": dilation, "padding": padding}
        self.feature = nn.Conv2d(channels_in, channels, kernel, **sizes)
        self.gate = nn.Conv2d(channels_in, channels, kernel, **sizes)
        # By PyTorch's default features would shrink to a thousandth over six layers. Gates are half open at first.
        nn.init.kaiming_normal_(self.feature.weight, a=SLOPE)
        with torch.no_grad():
            self.feature.weight.mul_(2)
        nn.init.zeros_(self.feature.bias)
        self.shift = None if shift is None else shift(channels_in)
        self._scale, self._activate = scale, activate

    def forward(
        self, x: torch.Tensor, frames: int, past: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x: (B * T, C, H, W). Returns (B * T, C', H', W') and the shift's past, None without a shift."""
        if self._scale > 1:
            x = F.interpolate(x, scale_factor=float(self._scale), mode="bilinear", align_corners=False)
        moved, past = (x, None) if self.shift is None else self.shift(x, frames, past)
        feature = self.feature(moved)
        if self._activate:
            feature = F.leaky_relu(feature, SLOPE)
        return feature * torch.sigmoid(self.gate(x)), past
