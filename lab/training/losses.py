"""The losses of inpainting networks: EVI-HRnet, section 4.5 and equations 7 and 8, and those it is compared with.

Where the paper leaves a scale open, that of the code it builds on (LGTSM) is taken. Frames are (N, 3, H, W) in [0, 1],
composited: outside the hole the result is the truth.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from ...models.device import full_precision
from ..networks.face_expression import FaceExpression, face_squares
from ..networks.vgg import VGG16Features

DRIFT = 1e-3  # weight of the real score's square, which keeps the critic's scores from wandering off
GAN_LOSSES = ("wgan", "lsgan")


@dataclass(frozen=True)
class LossWeights:
    """Equation 8 with the weights of section 5.1."""

    reconstruction: float = 1.0
    perceptual: float = 1.0
    style: float = 10.0
    adversarial: float = 1.0
    expression: float = 2.0


class PictureLosses(nn.Module):
    """Reconstruction, perceptual and style loss, those of LGTSM, with the frozen network that they need.

    Raises WeightsMissing when VGG16's weights are not at hand.
    """

    def __init__(self) -> None:
        super().__init__()
        self.vgg = VGG16Features.pretrained()

    def forward(
        self, result: torch.Tensor, truth: torch.Tensor, hole: torch.Tensor, *, focus: float = 1.0
    ) -> dict[str, torch.Tensor]:
        """The losses by their names in LossWeights, unweighted, as scalars.

        result, truth: (N, 3, H, W) in [0, 1]; hole: (N, 1, H, W), 1 = hole. focus: share of the picture's side that the
        perceptual and the style loss look at, around the hole, see `around_holes`; their scale stays that of the whole
        picture.
        """
        near, near_truth = around_holes((result, truth), hole, focus)
        found = self.vgg(near)
        with torch.no_grad():
            wanted = self.vgg(near_truth)
        return {
            "reconstruction": F.l1_loss(result, truth),
            "perceptual": focus**2 * perceptual_loss(found, wanted),
            "style": focus**2 * style_loss(found, wanted),
        }


class InpaintingLosses(PictureLosses):
    """Every loss of EVI-HRnet's generator but the adversarial one, with the frozen networks that they need.

    Raises WeightsMissing when VGG16's weights or those of the classifier of the FER loss are not at hand.
    """

    def __init__(self) -> None:
        super().__init__()
        self.expression = FaceExpression.pretrained()

    def forward(
        self,
        result: torch.Tensor,
        truth: torch.Tensor,
        hole: torch.Tensor,
        points: torch.Tensor,
        *,
        chosen: torch.Tensor | None = None,
        focus: float = 1.0,
    ) -> dict[str, torch.Tensor]:
        """As PictureLosses, and the FER loss. points: (N, 478, 2 or 3) of the true face in pixels. chosen: (N,) bool,
        the frames whose expression is compared; all if it is not given."""
        losses = super().forward(result, truth, hole, focus=focus)
        chosen = torch.ones(len(result), dtype=torch.bool) if chosen is None else chosen
        with torch.no_grad():
            wanted = self.expression(face_squares(truth[chosen], points[chosen]))
        found = self.expression(face_squares(result[chosen], points[chosen]))
        return {**losses, "expression": expression_loss(found, wanted)}


def around_holes(pictures: tuple[torch.Tensor, ...], hole: torch.Tensor, share: float) -> tuple[torch.Tensor, ...]:
    """The parts of (N, C, H, W) pictures around the middles of their holes, `share` of each side long.

    Beyond the hole result and truth are the same, and comparing them costs as much. Of a hole that is larger its edges
    are not looked at. hole: (N, 1, H, W), 1 = hole.
    """
    if share >= 1:
        return pictures
    sides = [max(round(share * length), 1) for length in hole.shape[2:]]
    corners = []
    for axis, (length, whole) in enumerate(zip(sides, hole.shape[2:], strict=True)):
        inside = (hole[:, 0].amax(2 - axis) > 0.5).float()  # along this axis, (N, H or W)
        low = inside.argmax(1)
        high = whole - 1 - inside.flip(1).argmax(1)
        corners.append(((low + high + 1 - length) // 2).clamp(0, whole - length).tolist())
    cut = [
        torch.stack([x[:, y : y + sides[0], z : z + sides[1]] for x, y, z in zip(picture, *corners, strict=True)])
        for picture in pictures
    ]
    return tuple(cut)


def variation(pictures: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of neighbours, down and across, of (N, C, H, W) pictures."""
    return pictures.diff(dim=2).abs().mean() + pictures.diff(dim=3).abs().mean()


def perceptual_loss(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> torch.Tensor:
    """Mean absolute difference of the features of each layer, summed over layers."""
    return sum(F.l1_loss(a.float(), b.float()) for a, b in zip(found, wanted, strict=True))


def style_loss(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> torch.Tensor:
    """Mean absolute difference of the Gram matrices of each layer, halved once more from layer to layer (LGTSM).

    LGTSM's code makes one Gram matrix of a whole batch, which mixes people; here each frame has its own.
    """
    pairs = enumerate(zip(found, wanted, strict=True), 1)
    return sum(F.l1_loss(gram(a), gram(b)) / 2**layer for layer, (a, b) in pairs)


def gram(features: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) to (N, C, C): products of channels, summed over places, by C * H * W. In float32: sums overflow
    float16."""
    with full_precision(features.device):
        flat = features.float().flatten(2)
        return flat @ flat.transpose(1, 2) / flat[0].numel()


def expression_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Equation 7: mean absolute difference of (N, K) class probabilities. At most 2 / K."""
    return F.l1_loss(found.float(), wanted.float())


def critic_loss(real: torch.Tensor, fake: torch.Tensor, kind: str = "wgan") -> torch.Tensor:
    """What the discriminator minimises. real, fake: its scores of any shape.

    "wgan": the mean of scores times labels (section 4.5), -1 for real and 1 for fake, and a small penalty on drift. The
    paper names no bound on the critic; Arjovsky et al. (2017), whom it cites, clip its weights, while here they are
    normalised by their spectrum. "lsgan": half the squared distances from 1 and 0, as LGTSM and LaFIn have it.
    """
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    return fake.mean() - real.mean() + DRIFT * real.square().mean()


def adversarial_loss(fake: torch.Tensor, kind: str = "wgan") -> torch.Tensor:
    """What the generator minimises: the negative mean score of what it made, or the squared distance from 1."""
    return (fake - 1).square().mean() if kind == "lsgan" else -fake.mean()
