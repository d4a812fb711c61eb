"""The methods "static" and "telea", which every other has to beat."""

import cv2
import numpy as np
import torch
from einops import rearrange

from ..tracking.crop import CropTrack
from ..tracking.reference import Reference
from ..tracking.track import Face, FrameStatus, TrackedFace
from .filler import Window


class StaticFiller:
    """Baseline: the reference pasted through the crop alignment, neither re-posed nor colour-matched."""

    name = "static"
    needs_alignment = False
    needs_memory = False
    own_reference = None
    window = 1

    def __init__(self, reference: Reference, crop_side: int | None = None):
        self.crop_side = crop_side
        self._reference = reference

    def fill(self, window: Window, state: np.ndarray | None) -> tuple[torch.Tensor, np.ndarray]:
        side = window.crops.shape[-1]
        if state is None:
            state = reference_crop(self._reference, side)
        picture = rearrange(torch.from_numpy(state).float() / 255, "h w c -> c h w")
        return picture.expand(len(window.crops), -1, -1, -1), state


def reference_crop(reference: Reference, side: int) -> np.ndarray:
    """The first reference picture in a crop of its own, (side, side, 3) uint8: neither re-posed nor colour-matched."""
    face = TrackedFace.of(Face(reference.points[0]), FrameStatus.FOUND)
    return CropTrack().push(face).take(reference.images[0], side)


class TeleaFiller:
    """Baseline: OpenCV's inpainting by fast marching (Telea 2004), which knows nothing of faces."""

    name = "telea"
    needs_alignment = False
    needs_memory = False
    own_reference = None
    window = 1
    RADIUS = 3

    def __init__(self, crop_side: int | None = None):
        self.crop_side = crop_side

    def fill(self, window: Window, state: None) -> tuple[torch.Tensor, None]:
        filled = []
        for crop, mask in zip(window.crops, window.masks[:, 0], strict=True):
            picture = np.round(rearrange(crop, "c h w -> h w c").numpy() * 255).astype(np.uint8)
            hole = (mask.numpy() > 0.5).astype(np.uint8)
            filled.append(cv2.inpaint(picture, hole, self.RADIUS, cv2.INPAINT_TELEA))
        return rearrange(torch.from_numpy(np.stack(filled)).float() / 255, "t h w c -> t c h w"), None
