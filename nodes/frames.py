"""From ComfyUI's IMAGE tensors to single pictures and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch


def pictures(images: Iterable[torch.Tensor]) -> Iterator[np.ndarray]:
    """The frames of an IMAGE, each (H, W, C), one at a time, as (H, W, 3) uint8 RGB; alpha is dropped."""
    for image in images:
        yield (image[..., :3].clamp(0, 1) * 255).round().to("cpu", torch.uint8).contiguous().numpy()


def image_of(picture: np.ndarray) -> torch.Tensor:
    """One (H, W, 3) uint8 picture as an IMAGE (1, H, W, 3)."""
    return torch.from_numpy(picture).float()[None] / 255
