"""What networks are told of a window besides its pictures."""

import numpy as np
import torch

from ..faces.contour import contour_image
from .filler import Window


def contours(window: Window, side: int) -> torch.Tensor:
    """The faces' lines in pictures of another size, (T, 1, side, side), see faces.contour."""
    points = (window.points[..., :2] + 0.5) * (side / window.crops.shape[-1]) - 0.5
    lines = [contour_image(p, side, known) for p, known in zip(points, window.visibility, strict=True)]
    return torch.from_numpy(np.stack(lines))[:, None]


def memory_of(window: Window) -> torch.Tensor:
    """(T, 5, S, S): what each place showed when it was last in sight, black where it never was; 1 where it was; and how
    far the face has moved since, in sides of the crop."""
    return torch.cat([window.remembered * window.in_memory, window.in_memory.float(), window.moved], 1)
