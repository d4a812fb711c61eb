"""What the aligned generator is judged by, in the hole and beside it.

Frames are (N, 3, H, W) in [0, 1]. The pixels and their slopes say how near it is; LPIPS, that it is not nearer by being
blurred: without that loss a trial gained as many decibels and lost sharpness.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ...models.device import full_precision
from ...models.face_embedding import FaceEmbedding
from ...models.lpips import LPIPS
from ...tracking.geometry import EYES_AND_BROWS

WEIGHTS = {
    "pixels": 1.0,
    "squares": 4.0,
    "slopes": 0.5,
    "rim": 0.3,
    "perceptual": 2.0,
    "texture": 0.5,
    "identity": 4.0,
}
RIM = 8  # pixels around the hole in which what is filled in has to meet the frame
TEXTURE = 8  # pixels of the squares whose slopes are to be as steep as the truth's, wherever in them
SCALES = (1, 2, 4)  # by which pictures are shrunk for their slopes
EYES = 3.0  # by how much more eyes and brows count: they are a tenth of the hole, and what people look at
REACH = 2.2  # standard deviations of their points within which they count so


class GeneratorLosses(nn.Module):
    """Raises WeightsMissing when the weights of LPIPS or of the face descriptor are not at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.lpips = LPIPS.pretrained().to(memory_format=torch.channels_last)
        self.faces = FaceEmbedding.pretrained().to(memory_format=torch.channels_last)

    def forward(
        self, picture: torch.Tensor, truth: torch.Tensor, hole: torch.Tensor, points: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """By the names of WEIGHTS, unweighted. picture: what is filled in, also beside the hole, (N, 1, H, W); points:
        (N, 478, 2 or 3) pixels of the true face."""
        result = torch.lerp(truth, picture, hole)
        difference, count = picture - truth, 3 * hole.sum().clamp(min=1)
        ring = F.max_pool2d(hole, 2 * RIM + 1, 1, RIM) - hole
        counts = 1 + EYES * around_eyes(points, hole.shape[-1])
        slopes = 0.0
        for scale in SCALES:
            a, b = (F.avg_pool2d(x, scale) if scale > 1 else x for x in (result, truth))
            slopes = slopes + sum((a.diff(dim=d) - b.diff(dim=d)).abs().mean() for d in (2, 3))
        steep, wanted, inside = (F.avg_pool2d(x, TEXTURE) for x in (_steepness(result), _steepness(truth), hole))
        eyes = F.avg_pool2d(counts, TEXTURE)[..., : steep.shape[2], : steep.shape[3]]
        with full_precision(truth.device):
            maps = self.lpips.layer_maps(result.float(), truth.float())
            shares = (F.interpolate(counts, size=layer.shape[1:], mode="area")[:, 0] for layer in maps)
            perceptual = sum((layer * share).mean() for layer, share in zip(maps, shares, strict=True))
        found = self.faces.embed(result, points)
        with torch.no_grad():
            wanted_faces = self.faces.embed(truth, points)
        return {
            "pixels": (difference.abs() * hole * counts).sum() / count,
            "squares": (difference.square() * hole * counts).sum() / count,
            "slopes": slopes,
            "rim": (difference.abs() * ring).sum() / (3 * ring.sum().clamp(min=1)),
            "perceptual": perceptual,
            "texture": ((steep - wanted).abs() * eyes).sum() / inside.sum().clamp(min=1),
            "identity": 1 - (found * wanted_faces).sum(1).mean(),
        }


def around_eyes(points: torch.Tensor, side: int) -> torch.Tensor:
    """(N, 1, side, side) in [0, 1]: 1 on eyes and brows, with a soft edge. points: (N, 478, 2 or 3) pixels."""
    along = torch.arange(side, dtype=torch.float32, device=points.device)
    place = torch.stack(torch.meshgrid(along, along, indexing="xy"), -1).flatten(0, 1)
    found = []
    for eye in torch.tensor(EYES_AND_BROWS, device=points.device).chunk(2):
        these = points[:, eye, :2]
        away = place - these.mean(1, keepdim=True)
        these = these - these.mean(1, keepdim=True)
        spread = these.transpose(1, 2) @ these / len(eye) + torch.eye(2, device=points.device)
        distance = ((away @ torch.linalg.inv(spread)) * away).sum(2).clamp(min=0).sqrt()
        found.append(torch.sigmoid(6 * (REACH - distance)))
    return torch.maximum(*found).unflatten(1, (1, side, side))


def _steepness(pictures: torch.Tensor) -> torch.Tensor:
    """(N, 1, H - 1, W - 1): mean absolute difference from the neighbours to the right and below."""
    across, down = pictures.diff(dim=3)[:, :, :-1], pictures.diff(dim=2)[..., :-1]
    return (across.abs() + down.abs()).mean(1, keepdim=True)
