"""What networks that start from the aligned reference do to it: move it, recall, add."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from einops import rearrange
from torch.nn import functional as F


@lru_cache(maxsize=32)
def _band(length: int, side: int, passes: int, device: torch.device) -> torch.Tensor:
    """(length, length): means over `side` neighbours in a row, so many times after each other."""
    places = torch.arange(length)  # not on the device: some have no float64
    near = ((places[:, None] - places).abs() <= side // 2).double()
    return torch.linalg.matrix_power(near / near.sum(1, keepdim=True), passes).float().to(device)


def box_mean(pictures: torch.Tensor, side: int, passes: int = 1) -> torch.Tensor:
    """(N, C, H, W) averaged over squares of an odd side, so many times; what lies beyond the edge does not count."""
    down, across = (_band(length, side, passes, pictures.device) for length in pictures.shape[-2:])
    return down @ pictures @ across.T


STEP = 0.02  # what a displacement of 1 moves the reference by, in half sides of the picture
GRAIN = 1 / 128  # of the side: standard deviation of what divides what is coarse in a picture from what is fine
DECIDED = 10.0  # how much steeper the share of memory is for what is fine


@dataclass(frozen=True)
class Correction:
    """displacement: (B, T, 2, h, w), in units of STEP, x and y of where each pixel of the reference is to be taken
    from; recall: (B, T, 1, H, W) the logit of the share that what is remembered there gets, where anything is, or None;
    addition: (B, T, 3, H, W) what is then added."""

    displacement: torch.Tensor
    addition: torch.Tensor
    recall: torch.Tensor | None = None

    def of(self, reference: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        """The corrected reference, float32, not clamped. reference: (B, T, 3, S, S), of any size: a large one keeps its
        details, since they are moved and not drawn anew. Beyond its edge the picture repeats. memory: (B, T, 4 or more,
        S, S), what each place showed when it was last in sight, and 1 where it was."""
        length, size = reference.shape[1], reference.shape[-2:]
        flat, steps, added = (
            rearrange(x.float(), "b t c h w -> (b t) c h w") for x in (reference, self.displacement, self.addition)
        )
        moved = _moved(flat, steps) if torch.is_grad_enabled() or steps.any() else flat
        if memory is not None and self.recall is not None:
            remembered, known = memory[:, :, :4].float().flatten(0, 1).split((3, 1), 1)
            moved = _recalled(moved, remembered, known, _sized(self.recall.float().flatten(0, 1), size))
        return rearrange(moved + _sized(added, size), "(b t) c h w -> b t c h w", t=length)


def _moved(pictures: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W), each pixel taken from `steps`, (N, 2, h, w) in units of STEP, away."""
    size = pictures.shape[-2:]
    steps = F.interpolate(STEP * steps, size=size, mode="bilinear", align_corners=False)
    # Middles of pixels in [-1, 1]. Not by affine_grid: under autocast it rounds them to a quarter of a pixel.
    down, across = ((2 * torch.arange(n, device=pictures.device) + 1) / n - 1 for n in size)
    still = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)
    grid = still + rearrange(steps, "n c h w -> n h w c")
    # Bilinear interpolation would blur once more what the warp has interpolated already.
    return F.grid_sample(pictures, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _recalled(
    picture: torch.Tensor, remembered: torch.Tensor, known: torch.Tensor, logit: torch.Tensor
) -> torch.Tensor:
    """Both mixed by the share, but for what is fine nearly all of either (Burt and Adelson 1983, in two bands).

    The mean of two that do not quite meet is nearer to the truth than a wrong choice, and blurred: edges and hair of
    one beside those of the other.
    """
    difference = known * (remembered - picture)
    smooth = coarse(difference)
    return picture + torch.sigmoid(logit) * smooth + torch.sigmoid(DECIDED * logit) * (difference - smooth)


def coarse(pictures: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) without what is fine: two passes of a box, whose variances add up to that of GRAIN."""
    side = max(round((6 * (GRAIN * pictures.shape[-1]) ** 2 + 1) ** 0.5) // 2 * 2 + 1, 3)
    return box_mean(pictures, side, 2)


def _sized(maps: torch.Tensor, size: torch.Size) -> torch.Tensor:
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
