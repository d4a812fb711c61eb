"""VGG16's features (Simonyan and Zisserman 2014) on ImageNet, for losses that compare pictures as a viewer would."""

import torch
from torch import nn

from ... import weights

CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512)  # 0: halve the size
TAPS = (8, 15, 22)  # relu2_2, relu3_3 and relu4_3 in torchvision's `features`


class VGG16Features(nn.Module):
    """Three of VGG16's layers: relu2_2, relu3_3 and relu4_3, the ones that LGTSM's losses compare.

    Pictures go in as they are, in [0, 1], without ImageNet's mean and deviation taken off: LGTSM's code feeds them so,
    and the losses' weights are made for the size that features have there.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in CHANNELS:
            if channels:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    @classmethod
    def pretrained(cls) -> "VGG16Features":
        """The published network, frozen and in evaluation mode. Raises WeightsMissing when `vgg16` is not to be had."""
        network = cls()
        network.load_state_dict(weights.load_state("vgg16"))
        return network.eval().requires_grad_(False)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """(N, 3, H, W) in [0, 1] to (N, 128, H/2, W/2), (N, 256, H/4, W/4) and (N, 512, H/8, W/8)."""
        found = []
        for i, layer in enumerate(self.features):
            pictures = layer(pictures)
            if i in TAPS:
                found.append(pictures)
        return found
