"""LaFIn's generator: a face is completed frame by frame, from what is in sight of it and from lines of the face.

Yang et al. 2019, "LaFIn: Generative landmark guided face inpainting" (arXiv 1911.11394), by the words of the paper.
What guides it here is the picture of lines that all networks get (restore.network_inputs), from the points of the
covered-face landmarker, in place of LaFIn's own predictor of 68 points.
"""

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

CHANNELS = 5  # of the input: masked frame (3), mask (1), guidance (1)
BLOCKS, DILATION = 7, 2  # of the middle


class DilatedBlock(nn.Module):
    """Adds to its input what two convolutions make of it, the first of them dilated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.added = nn.Sequential(
            *_normed(nn.Conv2d(channels, channels, 3, padding=DILATION, dilation=DILATION)),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.added(x)


class LongShortAttention(nn.Module):
    """Short and long term attention (Zheng et al. 2019, "Pluralistic image completion", which the paper names).

    By one map of which places are alike, each gathers features of where the network is now, added with a weight that
    starts at 0, and in the hole features of where it was before the hole was filled, likewise; outside it those stay.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 4, 1)
        self.short, self.long = (nn.Parameter(torch.zeros(())) for _ in range(2))
        self.joined = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: torch.Tensor, before: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        """x, before: (N, C, H, W); hole: (N, 1, H, W), 1 = hole. Returns (N, C, H, W)."""
        query = rearrange(self.query(x), "n c h w -> n 1 (h w) c")
        values = rearrange(torch.cat([x, before], 1), "n c h w -> n 1 (h w) c")
        found = F.scaled_dot_product_attention(query, query, values, scale=1.0)
        now, then = rearrange(found, "n 1 (h w) c -> n c h w", h=x.shape[2]).chunk(2, 1)
        then = torch.lerp(before, self.long * then, hole.to(before.dtype))
        return self.joined(torch.cat([x + self.short * now, then], 1))


class LaFIn(nn.Module):
    """Two halvings, seven dilated residual blocks, attention, and two doublings with shortcuts, each brought in by a
    1 x 1 convolution: 9,917,829 parameters at width 64, of them 147,778 the attention's."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        w = width
        self.encoder = nn.ModuleList(
            [
                _normed(nn.Conv2d(CHANNELS, w, 7, padding=3)),
                _normed(nn.Conv2d(w, 2 * w, 4, 2, 1)),
                _normed(nn.Conv2d(2 * w, 4 * w, 4, 2, 1)),
            ]
        )
        self.middle = nn.Sequential(*(DilatedBlock(4 * w) for _ in range(BLOCKS)))
        self.attention = LongShortAttention(4 * w)
        self.shortcuts = nn.ModuleList([nn.Conv2d(2 * c, c, 1) for c in (4 * w, 2 * w, w)])
        self.decoder = nn.ModuleList(
            [
                _normed(nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1)),
                _normed(nn.ConvTranspose2d(2 * w, w, 4, 2, 1)),
                nn.Sequential(nn.Conv2d(w, 3, 7, padding=3), nn.Tanh()),
            ]
        )

    def forward(self, frames: torch.Tensor, mask: torch.Tensor, guidance: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, 3, S, S) in [0, 1], to be composited with the frames; each is seen alone.

        frames: (B, T, 3, S, S) in [0, 1], S a multiple of 4, whose hole is not looked at; mask: (B, T, 1, S, S), 1 =
        hole; guidance: (B, T, 1, S, S), as lines of the face (restore.network_inputs), None for none.
        """
        length = frames.shape[1]
        lines = torch.zeros_like(mask) if guidance is None else guidance
        x = rearrange(torch.cat([frames * (1 - mask), mask, lines], 2), "b t c h w -> (b t) c h w")
        hole = F.max_pool2d(x[:, 3:4], 4)
        x = x.contiguous(memory_format=torch.channels_last)
        seen = []
        for layer in self.encoder:
            x = layer(x)
            seen.append(x)
        x = self.attention(self.middle(x), seen[-1], hole)
        for shortcut, layer, before in zip(self.shortcuts, self.decoder, reversed(seen), strict=True):
            x = layer(shortcut(torch.cat([x, before], 1)))
        return rearrange((x + 1) / 2, "(b t) c h w -> b t c h w", t=length)


def _normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(layer, nn.InstanceNorm2d(layer.out_channels), nn.ReLU(inplace=True))
