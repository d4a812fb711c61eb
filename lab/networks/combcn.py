"""CombCN: a clip is completed small and as a volume, then each frame at its own size with that to look at.

Wang et al. 2019, "Video inpainting by jointly learning temporal structure and spatial details" (AAAI), by the sizes of
the only public code, in the repository of LGTSM.
"""

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

CHANNELS = 4  # of the input: masked frame (3), mask (1)


class Volume(nn.Module):
    """The 3-D network, at half the size: 6,836,467 parameters at width 16."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width
        halve, twice = (1, 2, 2), {"kernel_size": 4, "stride": (1, 2, 2), "padding": 1}
        self.down = nn.ModuleList(
            [
                _normed(nn.Conv3d(CHANNELS, w, 5, padding=2)),
                _normed(nn.Conv3d(w, 2 * w, 3, halve, 1)),
                _normed(nn.Conv3d(2 * w, 4 * w, 3, 1, 1)),
                _normed(nn.Conv3d(4 * w, 8 * w, 3, halve, 1)),
            ]
        )
        self.middle = nn.Sequential(
            _normed(nn.Conv3d(8 * w, 16 * w, 3, 1, 2, 2)),
            _normed(nn.Conv3d(16 * w, 16 * w, 3, 1, 4, 4)),
            _normed(nn.Conv3d(16 * w, 16 * w, 3, 1, 8, 8)),
            _normed(nn.Conv3d(16 * w, 8 * w, 3, 1, 1)),
        )
        self.up = nn.ModuleList(
            [
                _normed(nn.ConvTranspose3d(8 * w + 8 * w, 4 * w, **twice)),
                _normed(nn.Conv3d(4 * w + 4 * w, 2 * w, 3, 1, 1)),
                _normed(nn.ConvTranspose3d(2 * w + 2 * w, w, **twice)),
            ]
        )
        self.last = nn.Conv3d(w, 3, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 4, T, S, S), S a multiple of 4, to (B, 3, T, S, S)."""
        length, seen = x.shape[2], []
        for layer in self.down:
            x = layer(x)
            seen.append(x)
        x = self.middle(x)
        for layer, skipped in zip(self.up, reversed(seen[1:]), strict=True):
            # A kernel of 4 leaves one frame too many.
            x = layer(torch.cat([x, skipped], 1))[:, :, :length]
        return self.last(x)


class Frames(nn.Module):
    """The 2-D network: 8,669,379 parameters at width 64. Layer i of 17 also sees what layer 17 - i said, and two of
    them the frame that the 3-D network completed."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        w = width

        def plain(channels_in: int, channels: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
            return _normed(nn.Conv2d(channels_in, channels, 3, stride, dilation, dilation))

        def larger(channels_in: int, channels: int) -> nn.Sequential:
            return _normed(nn.ConvTranspose2d(channels_in, channels, 4, 2, 1))

        self.first = nn.ModuleList(
            [
                _normed(nn.Conv2d(CHANNELS, w, 5, padding=2)),
                plain(w, 2 * w, stride=2),
                plain(2 * w + 3, 2 * w),
                plain(2 * w, 4 * w, stride=2),
                plain(4 * w, 4 * w),
                plain(4 * w, 4 * w),
                plain(4 * w, 4 * w, dilation=2),
            ]
        )
        self.middle = nn.Sequential(plain(4 * w, 4 * w, dilation=4), plain(4 * w, 4 * w, dilation=8))
        self.second = nn.ModuleList(
            [
                plain(2 * 4 * w, 4 * w, dilation=16),
                plain(2 * 4 * w, 4 * w),
                plain(2 * 4 * w, 4 * w),
                larger(2 * 4 * w, 2 * w),
                plain(2 * 2 * w, 2 * w),
                larger(2 * w + 3 + 2 * w, w),
                plain(2 * w, w // 2),
            ]
        )
        self.last = nn.Conv2d(w // 2, 3, 3, padding=1)

    def forward(self, x: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
        """(N, 4, S, S), S a multiple of 4, and the completed frames, (N, 3, S / 2, S / 2), to (N, 3, S, S)."""
        seen = []
        for number, layer in enumerate(self.first, 1):
            x = layer(torch.cat([x, small], 1) if number == 3 else x)
            seen.append(x)
        x = self.middle(x)
        for number, layer in enumerate(self.second, 10):
            beside = [small] if number == 15 else []
            x = layer(torch.cat([x, *beside, seen[17 - number - 1]], 1))
        return self.last(x)


class CombCN(nn.Module):
    """Both networks: 15,505,846 parameters at width 64, which is the 2-D network's; the 3-D network has a quarter."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.volume, self.frames = Volume(width // 4), Frames(width)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What fills the hole, (B, T, 3, S, S), and the same at half the size; neither is clamped.

        frames: (B, T, 3, S, S) in [0, 1], S a multiple of 8, whose hole is not looked at; mask: (B, T, 1, S, S), 1 =
        hole.
        """
        length = frames.shape[1]
        seen = rearrange(torch.cat([frames * (1 - mask), mask], 2), "b t c h w -> (b t) c h w")
        half = F.interpolate(seen, scale_factor=0.5, mode="area")
        # A pixel of the small picture is known where all that it stands for is.
        shown, hole = half[:, :3], (half[:, 3:] > 0).to(half.dtype)
        half = torch.cat([shown * (1 - hole), hole], 1)
        # In float32 on CPUs: there gradients of 3-D convolutions over two frames are wrong in bfloat16 (PyTorch 2.14).
        with torch.autocast("cpu", enabled=False):
            drawn = self.volume(rearrange(half, "(b t) c h w -> b c t h w", t=length))
        drawn = rearrange(drawn, "b c t h w -> (b t) c h w")
        large = self.frames(seen, torch.lerp(shown, drawn.to(shown.dtype), hole))
        return tuple(rearrange(x, "(b t) c h w -> b t c h w", t=length) for x in (large, drawn))


def _normed(layer: nn.Module) -> nn.Sequential:
    volume = isinstance(layer, (nn.Conv3d, nn.ConvTranspose3d))
    norm = nn.BatchNorm3d if volume else nn.BatchNorm2d
    return nn.Sequential(layer, norm(layer.out_channels), nn.ReLU(inplace=True))
