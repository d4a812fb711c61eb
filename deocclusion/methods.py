"""The methods without learning: the warped reference, and the baselines that it has to beat."""

import cv2
import numpy as np
import torch
from einops import rearrange

from ..errors import InputError
from ..faces.blend import match_colours
from ..faces.crop import CropTrack
from ..faces.pose import head_pose
from ..faces.reference import Reference
from ..faces.track import FrameStatus, TrackedFace
from .filler import Filler, Window

METHODS = ("warp", "static", "telea")


def check_method(method: str) -> None:
    """Raise InputError for an unknown method."""
    if method not in METHODS:
        raise InputError(f"Expected a method out of {', '.join(METHODS)}, got {method!r}.")


def make_filler(method: str, reference: Reference | None, *, crop_side: int | None = None) -> Filler:
    """The filler of a method's name. Raises InputError for an unknown method or a missing reference."""
    check_method(method)
    if method == "telea":
        return TeleaFiller(crop_side)
    if reference is None:
        raise InputError(f"The method {method!r} needs a reference of the uncovered face; give a photo or a clip.")
    return WarpFiller(crop_side) if method == "warp" else StaticFiller(reference, crop_side)


class WarpFiller:
    """The aligned reference with its colours matched to the frame."""

    needs_alignment = True
    window = 1

    def __init__(self, crop_side: int | None = None):
        self.crop_side = crop_side

    def fill(self, window: Window, state: None) -> tuple[torch.Tensor, None]:
        filled = [
            self._fill_one(*(x.numpy() for x in frame))
            for frame in zip(
                rearrange(window.crops, "t c h w -> t h w c"),
                window.masks[:, 0],
                rearrange(window.aligned, "t c h w -> t h w c"),
                window.aligned_kind[:, 0],
                strict=True,
            )
        ]
        return rearrange(torch.from_numpy(np.stack(filled)), "t h w c -> t c h w"), None

    @staticmethod
    def _fill_one(crop: np.ndarray, mask: np.ndarray, aligned: np.ndarray, kind: np.ndarray) -> np.ndarray:
        hole = (mask > 0.5).astype(np.uint8)
        matched = match_colours(aligned, crop, hole, kind)
        return np.where(kind[..., None] > 0, matched, crop)


class StaticFiller:
    """Baseline: the reference pasted through the crop alignment, neither re-posed nor colour-matched."""

    needs_alignment = False
    window = 1

    def __init__(self, reference: Reference, crop_side: int | None = None):
        self.crop_side = crop_side
        self._reference = reference

    def fill(self, window: Window, state: np.ndarray | None) -> tuple[torch.Tensor, np.ndarray]:
        side = window.crops.shape[-1]
        if state is None:
            state = self._reference_crop(side)
        picture = rearrange(torch.from_numpy(state).float() / 255, "h w c -> c h w")
        return picture.expand(len(window.crops), -1, -1, -1), state

    def _reference_crop(self, side: int) -> np.ndarray:
        points = self._reference.points[0]
        face = TrackedFace(points, FrameStatus.FOUND, np.ones(len(points), np.float32), head_pose(points), np.zeros(0))
        return CropTrack(side).push(face).take(self._reference.images[0])


class TeleaFiller:
    """Baseline: OpenCV's inpainting by fast marching (Telea 2004), which knows nothing of faces."""

    needs_alignment = False
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
