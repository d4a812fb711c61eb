"""The methods "static" and "telea", which every other has to beat."""

import cv2
import numpy as np
import torch

from ..tracking.crop import CropTrack
from ..tracking.reference import Reference
from ..tracking.track import Face, FrameStatus, TrackedFace
from .filler import TOGETHER, Filling, Window

SIDE = 512  # pixels of the pictures that the baselines draw


class StaticFiller:
    """Baseline: the reference pasted through the crop alignment, neither re-posed nor colour-matched."""

    name = "static"
    needs_alignment = False
    needs_memory = False
    own_reference = None
    device = None
    window = TOGETHER

    def __init__(self, reference: Reference):
        self._picture = torch.from_numpy(reference_crop(reference, SIDE)).permute(2, 0, 1).float() / 255

    def fill(self, window: Window, state: None) -> tuple[Filling, None]:
        picture = self._picture.to(window.frames.device)
        return Filling(picture.expand(len(window.frames), -1, -1, -1)), None


def reference_crop(reference: Reference, side: int) -> np.ndarray:
    """The first reference picture in a crop of its own, (side, side, 3) uint8: neither re-posed nor colour-matched."""
    face = TrackedFace.of(Face(reference.points[0]), FrameStatus.FOUND)
    return CropTrack().push(face).shrunk(reference.images[0], side)


class TeleaFiller:
    """Baseline: OpenCV's inpainting by fast marching (Telea 2004), which knows nothing of faces."""

    name = "telea"
    needs_alignment = False
    needs_memory = False
    own_reference = None
    device = None
    window = TOGETHER
    RADIUS = 3  # pixels, OpenCV's own example's

    def fill(self, window: Window, state: None) -> tuple[Filling, None]:
        filled = []
        for frame, hole in zip(*window.at(SIDE), strict=True):
            picture = np.round(frame.permute(1, 2, 0).cpu().numpy() * 255).astype(np.uint8)
            covered = (hole[0].cpu().numpy() > 0).astype(np.uint8)
            filled.append(cv2.inpaint(picture, covered, self.RADIUS, cv2.INPAINT_TELEA))
        drawn = torch.from_numpy(np.stack(filled)).to(window.frames.device)
        return Filling(drawn.permute(0, 3, 1, 2).float() / 255), None
