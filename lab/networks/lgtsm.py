"""LGTSM's generator, which EVI-HRnet builds on: gated convolutions with a shift in both directions of time.

Chang et al. 2019, "Learnable gated temporal shift module for deep video inpainting", by the sizes of its authors' code.
"""

import torch
from einops import rearrange
from torch import nn

from ...models.gated_shift import GatedConv, TemporalShift

CHANNELS = 5  # of the input: masked frame (3), mask (1), guidance (1)


class LGTSM(nn.Module):
    """17 gated convolutions: 12,135,654 parameters at width 64, without attention and without a reference.

    Frames look one frame ahead in each of 16 layers, so a clip is needed as a whole. Images are enlarged bilinearly, as
    in EVI-HRnet; LGTSM's code repeats pixels.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        w = width

        def layer(channels_in: int, channels: int, kernel: int = 3, **how: int) -> GatedConv:
            return GatedConv(channels_in, channels, kernel, shift=TemporalShift, **how)

        self.layers = nn.ModuleList(
            [
                GatedConv(CHANNELS, w, 5, shift=None),
                layer(w, 2 * w, 4, stride=2, padding=2),
                layer(2 * w, 2 * w),
                layer(2 * w, 4 * w, 4, stride=2),
                layer(4 * w, 4 * w),
                layer(4 * w, 4 * w),
                *(layer(4 * w, 4 * w, dilation=d, padding=d) for d in (2, 4, 8, 16)),
                layer(4 * w, 4 * w),
                layer(4 * w, 4 * w),
                layer(4 * w, 2 * w, scale=2),
                layer(2 * w, 2 * w),
                layer(2 * w, w, scale=2),
                layer(w, w // 2),
                GatedConv(w // 2, 3, shift=TemporalShift, activate=False),
            ]
        )

    def forward(self, frames: torch.Tensor, mask: torch.Tensor, guidance: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, 3, S, S), not clamped, to be composited with the frames.

        frames: (B, T, 3, S, S) in [0, 1], S a multiple of 4, whose hole is not looked at; mask: (B, T, 1, S, S), 1 =
        hole; guidance: (B, T, 1, S, S), as lines of the face (restore.network_inputs), None for none.
        """
        length = frames.shape[1]
        lines = torch.zeros_like(mask) if guidance is None else guidance
        x = rearrange(torch.cat([frames * (1 - mask), mask, lines], 2), "b t c h w -> (b t) c h w")
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x, _ = layer(x, length)
        return rearrange(x, "(b t) c h w -> b t c h w", t=length)
