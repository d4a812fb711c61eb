"""Crops brought to the size that a network takes."""

import cv2
import numpy as np
import torch
from einops import rearrange

MOST_CHANNELS = 4  # that OpenCV shrinks at once


def resized(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """(T, C, S, S) float32 to (T, C, side, side), averaged where they shrink, as what the networks are trained on."""
    before = pictures.shape[-1]
    if side == before:
        return pictures
    how = cv2.INTER_AREA if side < before else cv2.INTER_LINEAR
    parts = []
    for part in pictures.split(MOST_CHANNELS, 1):
        images = rearrange(part, "t c h w -> t h w c").numpy()
        small = np.stack([cv2.resize(image, (side, side), interpolation=how) for image in images])
        parts.append(small.reshape(*small.shape[:3], -1))
    return rearrange(torch.from_numpy(np.concatenate(parts, 3)), "t h w c -> t c h w")


def known_whole(memory: torch.Tensor) -> torch.Tensor:
    """A shrunk (..., 5, S, S) memory without the pixels of which only a part is known."""
    return memory * (memory[..., 3:4, :, :] > 1 - 1e-3)
