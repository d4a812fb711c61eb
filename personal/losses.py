"""The losses of person-specific de-occlusion: arXiv 2112.01098, section III-B.3 and equations 2 to 6.

The paper's weights make sense at the scales of 3FabRec's code, which it builds on: absolute differences of colours from
0 to 255, and a similarity that looks at structure alone. Pictures are (N, 3, H, W) in [0, 1].
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ..models.device import full_precision

COLOURS = 255.0  # the scale of equations 2 and 5
WINDOW, SIGMA = 31, 1.5  # pixels of the similarity's Gaussian window
STABLE = 0.03**2  # its constant C2, for pictures in [0, 1]; 3FabRec guesses the range from each batch anew


@dataclass(frozen=True)
class PersonalLossWeights:
    """Equation 6, with the weights of section IV."""

    reconstruction: float = 1.0
    adversarial: float = 0.25
    structure: float = 60.0
    mask: float = 1.0


def hole_loss(found: torch.Tensor, truth: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference in the hole, whatever its size. found, truth: (..., 3, H, W); hole: (..., 1, H, W)."""
    return ((found - truth).abs() * hole).sum() / (found.shape[-3] * hole.sum()).clamp(min=1)


def reconstruction_loss(result: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Equation 2: the mean absolute difference, in 255ths."""
    return COLOURS * (result - truth).abs().mean()


def mask_loss(result: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Equation 5, by the area of the hole, or a larger headset would weigh more. mask: (N, 1, H, W), 1 = hole."""
    return COLOURS * hole_loss(result, truth, mask)


def structure_loss(result: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Equation 4, as 3FabRec calculates it: 1 - the mean of SSIM's product of contrast and structure, without the term
    of luminance; places at the edge, where the window is not whole, do not count."""
    # In float32: variances are differences of large sums.
    with full_precision(result.device):
        a, b = result.float(), truth.float()
        mean_a, mean_b = _blurred(a), _blurred(b)
        variance_a = _blurred(a * a) - mean_a**2
        variance_b = _blurred(b * b) - mean_b**2
        covariance = _blurred(a * b) - mean_a * mean_b
        return 1 - ((2 * covariance + STABLE) / (variance_a + variance_b + STABLE)).mean()


def generator_loss(fake: torch.Tensor) -> torch.Tensor:
    """The generator's side of equation 3, not saturating: -log D(fake). fake: logits of the discriminator."""
    return F.softplus(-fake).mean()


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The discriminator's side of equation 3, negative: it minimises. real, fake: logits."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _blurred(pictures: torch.Tensor) -> torch.Tensor:
    """By a Gaussian, each channel alone, without padding. Along rows, then along columns: 31 x 31 in 2 x 31 steps."""
    places = torch.arange(WINDOW, device=pictures.device, dtype=pictures.dtype) - WINDOW // 2
    weights = torch.exp(-(places**2) / (2 * SIGMA**2))
    weights = (weights / weights.sum()).expand(pictures.shape[1], 1, WINDOW)
    channels = pictures.shape[1]
    across = F.conv2d(pictures, weights[:, :, None], groups=channels)
    return F.conv2d(across, weights[..., None], groups=channels)
