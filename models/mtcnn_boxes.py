"""What MTCNN does with boxes between its networks.

Boxes are (N, 4) float tensors: left, top, right, bottom, as edges of pixels, so that (0, 0, W, H) is the whole picture.
"""

import torch
from torch import Tensor

CELL, STRIDE = 12, 2  # pixels that the first network sees at a time, and from one place to the next


def pyramid(size: tuple[int, int], smallest: float, factor: float) -> list[float]:
    """By how much a picture of `size` (height, width) is scaled so that faces of `smallest` pixels, and of all larger
    sizes in steps of 1 / `factor`, fill a cell."""
    scale, scales = CELL / smallest, []
    while min(size) * scale >= CELL:
        scales.append(scale)
        scale *= factor
    return scales


def cells(shape: tuple[int, int], scale: float) -> Tensor:
    """The boxes, in the picture, of all places of the first network's map of `shape`, made of the picture scaled by
    `scale`; row by row."""
    rows, columns = torch.meshgrid(*(STRIDE * torch.arange(side) for side in shape), indexing="ij")
    corners = torch.stack([columns.flatten(), rows.flatten()], 1)
    return torch.cat([corners, corners + CELL], 1) / scale


def moved(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Each edge moved by its offset, in widths and heights of the box."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + offsets * sides


def squared(boxes: Tensor) -> Tensor:
    """Squares on the same centres, as large as the box's longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def best_of_overlapping(boxes: Tensor, scores: Tensor, most: float, *, of_smaller: bool = False) -> Tensor:
    """Indices of the boxes that are left, best first, when of two that overlap too much only the better one is kept.

    most: overlap that is no reason yet, by what both cover together, or by the smaller of the two (`of_smaller`), which
    also sorts out boxes within boxes.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    left, kept = scores.argsort(descending=True), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low, high = torch.maximum(boxes[best, :2], boxes[left, :2]), torch.minimum(boxes[best, 2:], boxes[left, 2:])
        common = (high - low).clamp(min=0).prod(1)
        whole = torch.minimum(areas[best], areas[left]) if of_smaller else areas[best] + areas[left] - common
        left = left[common <= most * whole]
    return torch.stack(kept) if kept else scores.new_zeros(0, dtype=torch.long)
