"""The method "evi-hrnet": the network fills the crops, window by window."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange

from ..faces.contour import contour_image
from ..faces.reference import Reference
from ..models.evi_hrnet import EVIHRnet, State, load
from .filler import Window
from .methods import matched_reference, reference_crop

CROP_SIDE = 256  # pixels
WINDOW = 8  # frames that share one pass; the result does not depend on it


class EVIFiller:
    """Fills holes with EVI-HRnet. weights: a safetensors file whose header names the network.

    Points that are out of sight are drawn as guesses, where the landmarks leave them. Raises InputError for a file of
    another network.
    """

    needs_alignment = True
    window = WINDOW

    def __init__(self, weights: Path, reference: Reference, crop_side: int | None = None):
        self.crop_side = crop_side or CROP_SIDE
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._net: EVIHRnet = load(weights).to(self._device)
        self._reference = reference

    def fill(self, window: Window, state: State | None) -> tuple[torch.Tensor, State]:
        side = window.crops.shape[-1]
        if self._net.config.variant == "paper":
            still = torch.from_numpy(reference_crop(self._reference, side)).permute(2, 0, 1).float() / 255
            reference = still.expand_as(window.crops)
        else:
            reference = matched_reference(window)
        lines = [contour_image(p, side, known) for p, known in zip(window.points, window.visibility, strict=True)]
        contour = torch.from_numpy(np.stack(lines))[:, None]
        clip = (x.to(self._device)[None] for x in (window.crops, window.masks, contour, reference))
        with torch.inference_mode():
            filled, state = self._net(*clip, state)
        return rearrange(filled.float().clamp(0, 1), "1 t c h w -> t c h w").cpu(), state
