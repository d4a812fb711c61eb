"""Which expression a face has, for the loss that keeps it (FER loss; EVI-HRnet, section 4.5) and the metric."""

import torch
from torch import nn
from torch.nn import functional as F

from ... import weights

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
SIDE = 112  # pixels of the square picture that the network was trained on
# What is taken off red, green and blue, of 255.
MEAN = (122.782, 117.001, 104.298)
WIDTHS = (32, 64, 128, 256)
FACE = 1.2  # side of the square that the expression is read from, by the longer side of the face


class SeparableConv(nn.Module):
    """A 3 x 3 convolution of each channel alone, then one over channels."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, stride, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.depthwise(_padded(x, self.depthwise.stride[0])))


class DenseBlock(nn.Module):
    """Four convolutions, each of which sees the sum of all before it; the first halves the size."""

    def __init__(self, channels_in: int, channels: int, *, plain: bool) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels_in, channels, 3, 2) if plain else SeparableConv(channels_in, channels, 2)
        self.conv1 = SeparableConv(channels, channels)
        self.conv2 = SeparableConv(channels, channels)
        self.conv3 = SeparableConv(channels, channels)
        self._plain = plain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = F.relu(self.conv0(_padded(x, 2) if self._plain else x))
        seen = total
        for layer in (self.conv1, self.conv2, self.conv3):
            total = total + layer(seen)
            seen = F.relu(total)
        return seen


class FaceExpression(nn.Module):
    """face-api's expression classifier: seven classes, 0.3 M parameters, differentiable.

    It stands in for the paper's eight-class EfficientNet trained on AFEW, which no public package carries. Expression
    classifiers agree on smiles and on little else. What this one was trained on is not published.
    """

    NAME = "face-api's expression classifier, 7 classes"

    def __init__(self) -> None:
        super().__init__()
        for i, (before, width) in enumerate(zip((3, *WIDTHS), WIDTHS, strict=False)):
            setattr(self, f"dense{i}", DenseBlock(before, width, plain=i == 0))
        self.fc = nn.Linear(WIDTHS[-1], len(LABELS))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) / 255, persistent=False)

    @classmethod
    def pretrained(cls) -> "FaceExpression":
        """The published network, frozen and in evaluation mode. Raises WeightsMissing when it is not to be had."""
        network = cls()
        network.load_state_dict(weights.load_state("face_expression"))
        return network.eval().requires_grad_(False)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) RGB in [0, 1], a face that fills the square, to (N, 7) probabilities in the order of LABELS."""
        x = F.interpolate(faces, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True) - self.mean
        for i in range(len(WIDTHS)):
            x = getattr(self, f"dense{i}")(x)
        return self.fc(x.mean((2, 3))).softmax(1)


def face_squares(frames: torch.Tensor, points: torch.Tensor, side: int = SIDE) -> torch.Tensor:
    """Squares around faces, (N, 3, side, side). frames: (N, 3, H, W); points: (N, 478, 2 or 3) pixels.

    Beyond the picture its edge repeats. Differentiable in the frames.
    """
    points = points[..., :2].float()
    low, high = points.amin(1), points.amax(1)
    centre, half = (low + high) / 2, FACE * (high - low).amax(1, keepdim=True) / 2
    size = points.new_tensor([frames.shape[3], frames.shape[2]])
    # From [-1, 1] across the square to [-1, 1] across the picture, whose pixel 0 has its middle at (1 / size) - 1.
    scale, shift = 2 * half / size, (2 * centre + 1) / size - 1
    matrix = points.new_zeros(len(points), 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, :, 2] = scale[:, 0], scale[:, 1], shift
    grid = F.affine_grid(matrix, (len(frames), 3, side, side), align_corners=False)
    return F.grid_sample(frames.float(), grid, padding_mode="border", align_corners=False)


def _padded(x: torch.Tensor, stride: int) -> torch.Tensor:
    """Padded as TensorFlow does ("same"): with a stride of 2 and even sizes the odd line goes right and below."""
    return F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
