"""I3D (Carreira and Zisserman 2017) of Kinetics-400: what a clip shows, for distances between sets of videos."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from ... import weights

CLASSES = 400
# Channels of a mixed block: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 after the pooling.
MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


class I3D(nn.Module):
    """The RGB network, layers under their published names: 12,711,824 stored values, 410,000 of them for classes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[tuple[str, nn.Module]] = [
            ("Conv3d_1a_7x7", Unit(3, 64, 7, stride=2)),
            ("MaxPool3d_2a_3x3", MaxPool((1, 3, 3), (1, 2, 2))),
            ("Conv3d_2b_1x1", Unit(64, 64)),
            ("Conv3d_2c_3x3", Unit(64, 192, 3)),
            ("MaxPool3d_3a_3x3", MaxPool((1, 3, 3), (1, 2, 2))),
        ]
        channels = 192
        for name, widths in MIXED.items():
            if name == "Mixed_4b":
                layers.append(("MaxPool3d_4a_3x3", MaxPool((3, 3, 3), (2, 2, 2))))
            if name == "Mixed_5b":
                layers.append(("MaxPool3d_5a_2x2", MaxPool((2, 2, 2), (2, 2, 2))))
            layers.append((name, Mixed(channels, widths)))
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.trunk = nn.Sequential(OrderedDict(layers))
        self.logits = nn.Conv3d(channels, CLASSES, 1)

    @classmethod
    def pretrained(cls) -> "I3D":
        """The published network, frozen and in evaluation mode. Raises WeightsMissing when `i3d` is not to be had."""
        network = cls()
        network.load_state_dict(weights.load_state("i3d"))
        return network.eval().requires_grad_(False)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """(N, 3, T, H, W) RGB in [-1, 1], from 9 frames of 193 x 193 pixels on, to (N, 400) logits."""
        return self.logits(F.avg_pool3d(self.trunk(clips), (2, 7, 7), stride=1)).mean((2, 3, 4))

    def features(self, clip: torch.Tensor, *, own_statistics: bool = False) -> torch.Tensor:
        """What the last mixed block says of one clip, (3, T, H, W), averaged over time and place: (1024,).

        own_statistics: batch norms go by the clip's own mean and variance, as in a network that was left in training
        mode; otherwise by those of the training. The stored ones stay as they are.
        """
        self.train(own_statistics)
        found = self.trunk(clip[None]).mean((0, 2, 3, 4))
        self.eval()
        return found


class Unit(nn.Module):
    """A convolution, batch norm and ReLU."""

    def __init__(self, channels_in: int, channels: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels_in, channels, kernel, stride, bias=False)
        self.norm = nn.BatchNorm3d(channels, eps=1e-3, momentum=0.0)  # 0: what is stored never changes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norm(self.conv(pad_same(x, self.conv.kernel_size, self.conv.stride))))


class MaxPool(nn.MaxPool3d):
    """Padded with zeros, which change no maximum: everything that is pooled comes from a ReLU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(pad_same(x, self.kernel_size, self.stride))


class Mixed(nn.Module):
    """Four branches side by side (Inception)."""

    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        a, b0, b, c0, c, d = widths
        self.Branch_0 = _branch(Conv3d_0a_1x1=Unit(channels, a))
        self.Branch_1 = _branch(Conv3d_0a_1x1=Unit(channels, b0), Conv3d_0b_3x3=Unit(b0, b, 3))
        self.Branch_2 = _branch(Conv3d_0a_1x1=Unit(channels, c0), Conv3d_0b_3x3=Unit(c0, c, 3))
        self.Branch_3 = _branch(MaxPool3d_0a_3x3=MaxPool((3, 3, 3), (1, 1, 1)), Conv3d_0b_1x1=Unit(channels, d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


def pad_same(x: torch.Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    """(N, C, T, H, W) with zeros around, as TensorFlow does ("SAME"): ceil(size / stride) places come out, and where
    the zeros are odd in number the one more goes behind."""
    around: list[int] = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        zeros = max((-(-size // s) - 1) * s + k - size, 0)
        around = [zeros // 2, zeros - zeros // 2, *around]
    return F.pad(x, around)


def _branch(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))
