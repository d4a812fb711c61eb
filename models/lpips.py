"""LPIPS, the learned perceptual distance between two pictures (Zhang et al. 2018), on AlexNet features."""

import torch
from torch import nn
from torch.nn import functional as F

from .. import weights
from ..errors import InputError
from ..weights.convert import ALEXNET_CONVOLUTIONS

CHANNELS = (64, 192, 384, 256, 256)
# AlexNet's two poolings leave nothing of a smaller picture.
SMALLEST_SIDE = 32


class LPIPS(nn.Module):
    """LPIPS v0.1 with linear heads on the five ReLU outputs of torchvision's AlexNet.

    Differentiable, and equal to the `lpips` package's `LPIPS(net="alex")` within float rounding.
    0 means identical; 0.1 is a visible difference, 0.7 a different picture.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
        self.heads = nn.ModuleList(nn.Conv2d(channels, 1, 1, bias=False) for channels in CHANNELS)
        # ImageNet's mean and deviation as LPIPS rounds them, for pictures in [-1, 1].
        shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    @classmethod
    def pretrained(cls) -> "LPIPS":
        """The published network, frozen and in evaluation mode.

        Raises:
            WeightsMissing: `lpips_alex` is not to be had.
        """
        network = cls()
        network.load_state_dict(weights.load_state("lpips_alex"))
        return network.eval().requires_grad_(False)

    def forward(self, a: torch.Tensor, b: torch.Tensor, spatial: bool = False) -> torch.Tensor:
        """Distances of two batches of RGB pictures.

        Args:
            a, b: (N, 3, H, W) in [0, 1], at least 32 pixels high and wide.
            spatial: return a map of distances per pixel, to be averaged over a part of the picture.

        Returns:
            (N,) distances, or the (N, H, W) map. The map's mean is close to the distance but not equal to it:
            each layer is scaled up to the pictures' size before the layers are added.

        Raises:
            InputError: the shapes differ, or a picture is too small.
        """
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3:
            raise InputError(
                f"LPIPS compares two RGB batches of one shape (N, 3, H, W), got {tuple(a.shape)} and "
                f"{tuple(b.shape)}: scale or crop one to the other."
            )
        if min(a.shape[2:]) < SMALLEST_SIDE:
            raise InputError(
                f"LPIPS needs pictures of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, got "
                f"{a.shape[3]}x{a.shape[2]}: use larger pictures."
            )
        maps = self.layer_maps(a, b)
        if spatial:
            return spatial_map(maps, a.shape[2:])
        return torch.stack([layer.mean((1, 2)) for layer in maps]).sum(0)

    def layer_maps(self, a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
        """The five layers' distances, (N, h, w) each at the layer's size; `forward` is their means' sum."""
        layers = zip(self.heads, self._layers(a), self._layers(b), strict=True)
        return [head((of_a - of_b).square())[:, 0] for head, of_a, of_b in layers]

    def activations(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """AlexNet's five ReLU outputs for (N, 3, H, W) RGB in [0, 1]; the last has 256 channels."""
        x = (pictures * 2 - 1 - self.shift) / self.scale
        outputs = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i - 1 in ALEXNET_CONVOLUTIONS:
                outputs.append(x)
        return outputs

    def _layers(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """The five ReLU outputs, each pixel's feature vector scaled to length 1."""
        return [F.normalize(x, dim=1, eps=1e-10) for x in self.activations(pictures)]


def spatial_map(maps: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """The (N, H, W) map of distances per pixel from LPIPS.layer_maps. size: (H, W) of the pictures."""
    scaled = [F.interpolate(layer[:, None], size, mode="bilinear", align_corners=False)[:, 0] for layer in maps]
    return torch.stack(scaled).sum(0)
