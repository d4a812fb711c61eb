"""The method "warp": the aligned reference, its colours matched to the frame, moved to meet what is around the hole."""

import cv2
import numpy as np
import torch
from einops import rearrange

from .blend import match_colours
from .filler import Window
from .registration import Evidence, registered

GAP_RADIUS = 3  # pixels around a gap from which it is closed


class WarpFiller:
    """The aligned reference, its colours matched to the frame, moved to meet what is around the hole."""

    name = "warp"
    needs_alignment = True
    needs_memory = False
    own_reference = None
    window = 1

    def __init__(self, crop_side: int | None = None):
        self.crop_side = crop_side

    def fill(self, window: Window, state: Evidence | None) -> tuple[torch.Tensor, Evidence]:
        return fitted_reference(window, state)


def fitted_reference(window: Window, state: Evidence | None) -> tuple[torch.Tensor, Evidence]:
    """The aligned reference with its colours matched to each frame and moved to meet it, (T, 3, S, S).

    Where it shows nothing the crop stays as it is, and the hole is closed from its surroundings, or bits of the device
    would remain. state: what the call for the frames before returned, None at a clip's start.
    """
    frames = zip(
        rearrange(window.crops, "t c h w -> t h w c").numpy(),
        (window.masks[:, 0] > 0.5).to(torch.uint8).numpy(),
        rearrange(window.aligned, "t c h w -> t h w c").numpy(),
        window.aligned_kind[:, 0].numpy(),
        strict=True,
    )
    fitted = []
    for crop, hole, aligned, kind in frames:
        shown = kind > 0
        matched = np.where(shown[..., None], match_colours(aligned, crop, hole, kind), crop)
        moved, state = registered(crop, _closed(matched, ~shown & (hole > 0)), hole, shown, state)
        fitted.append(moved)
    return rearrange(torch.from_numpy(np.stack(fitted)), "t h w c -> t c h w"), state


def _closed(picture: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """The (S, S, 3) float32 picture with the pixels of `gap`, (S, S) bool, made up from their neighbours."""
    if not gap.any():
        return picture
    codes = np.round(picture * 255).astype(np.uint8)
    closed = cv2.inpaint(codes, gap.astype(np.uint8), GAP_RADIUS, cv2.INPAINT_TELEA)
    return np.where(gap[..., None], closed.astype(np.float32) / 255, picture)
