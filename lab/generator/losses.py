"""What the aligned generator is judged by, in the hole and beside it.

Frames are (N, 3, H, W) in [0, 1]. The pixels and their slopes say how near it is; LPIPS, that it is not nearer by being
blurred: without that loss a trial gained as many decibels and lost sharpness.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ...models.lpips import LPIPS

WEIGHTS = {"pixels": 1.0, "squares": 4.0, "slopes": 0.5, "rim": 0.3, "perceptual": 1.5, "texture": 0.5}
RIM = 8  # pixels around the hole in which what is filled in has to meet the frame
TEXTURE = 8  # pixels of the squares whose slopes are to be as steep as the truth's, wherever in them
SCALES = (1, 2, 4)  # by which pictures are shrunk for their slopes


class GeneratorLosses(nn.Module):
    """Raises WeightsMissing when the weights of LPIPS are not at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.lpips = LPIPS.pretrained().to(memory_format=torch.channels_last)

    def forward(self, picture: torch.Tensor, truth: torch.Tensor, hole: torch.Tensor) -> dict[str, torch.Tensor]:
        """By the names of WEIGHTS, unweighted. picture: what is filled in, also beside the hole, (N, 1, H, W)."""
        result = torch.lerp(truth, picture, hole)
        difference, count = (picture - truth), 3 * hole.sum().clamp(min=1)
        ring = F.max_pool2d(hole, 2 * RIM + 1, 1, RIM) - hole
        slopes = 0.0
        for scale in SCALES:
            a, b = (F.avg_pool2d(x, scale) if scale > 1 else x for x in (result, truth))
            slopes = slopes + sum((a.diff(dim=d) - b.diff(dim=d)).abs().mean() for d in (2, 3))
        steep, wanted = (F.avg_pool2d(_steepness(x), TEXTURE) for x in (result, truth))
        with torch.autocast(truth.device.type, enabled=False):
            perceptual = sum(layer.mean() for layer in self.lpips.layer_maps(result.float(), truth.float()))
        return {
            "pixels": (difference.abs() * hole).sum() / count,
            "squares": (difference.square() * hole).sum() / count,
            "slopes": slopes,
            "rim": (difference.abs() * ring).sum() / (3 * ring.sum().clamp(min=1)),
            "perceptual": perceptual,
            "texture": (steep - wanted).abs().sum() / (F.avg_pool2d(hole, TEXTURE).sum().clamp(min=1)),
        }


def _steepness(pictures: torch.Tensor) -> torch.Tensor:
    """(N, 1, H - 1, W - 1): mean absolute difference from the neighbours to the right and below."""
    across, down = pictures.diff(dim=3)[:, :, :-1], pictures.diff(dim=2)[..., :-1]
    return (across.abs() + down.abs()).mean(1, keepdim=True)
