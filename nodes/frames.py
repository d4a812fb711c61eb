"""From ComfyUI's IMAGE tensors to single pictures and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..errors import InputError
from ..faces.track import FaceTrack


def pictures(images: torch.Tensor) -> Iterator[np.ndarray]:
    """The frames of an IMAGE (T, H, W, C), one at a time, as (H, W, 3) uint8 RGB; alpha is dropped."""
    for image in images:
        yield (image[..., :3].clamp(0, 1) * 255).round().to("cpu", torch.uint8).contiguous().numpy()


def image_of(picture: np.ndarray) -> torch.Tensor:
    """One (H, W, 3) uint8 picture as an IMAGE (1, H, W, 3)."""
    return torch.from_numpy(picture).float()[None] / 255


def require_track_of(images: torch.Tensor, track: FaceTrack) -> None:
    """Raise InputError unless the track has the length and frame size of the IMAGE."""
    size = tuple(images.shape[1:3])
    if len(track) != len(images) or track.size != size:
        raise InputError(
            f"The face track belongs to {len(track)} frames of {track.size[1]} x {track.size[0]}, but there are "
            f"{len(images)} of {size[1]} x {size[0]}; connect the track of this very clip."
        )
