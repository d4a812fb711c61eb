"""The method "personal": a network of one person fills the crops, frame by frame."""

import torch

from ..faces.registration import Evidence
from ..models.personal_deocclusion import SIDE
from ..models.precision import Precision, check_precision, mixed_precision
from .filler import Window, fill_in_parts
from .methods import fitted_reference
from .personal_model import PersonalModel
from .resizing import resized

WINDOW = 4  # frames that share one pass; the result does not depend on it


class PersonalFiller:
    """Fills holes with a personal model (deocclusion.personal_model); the engine may be given the model's own reference
    or a newer one.

    crop_side: of the crops; None for the size of the face where the network corrects the aligned reference, which keeps
    the details of a large picture, and for the network's own size where it draws every pixel. precision: "auto" is
    bfloat16 where the device calculates faster in it. Raises InputError for an unknown precision.
    """

    name = "personal"
    needs_memory = False
    window = WINDOW

    def __init__(self, model: PersonalModel, crop_side: int | None = None, precision: Precision = "auto"):
        check_precision(precision)
        self.model, self._net = model, model.network
        self.needs_alignment = self._net.config.variant == "aligned"
        self.crop_side = crop_side or (None if self.needs_alignment else SIDE)
        self._precision = precision

    def fill(self, window: Window, state: Evidence | None) -> tuple[torch.Tensor, Evidence | None]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: Evidence | None) -> tuple[torch.Tensor, Evidence | None]:
        device = next(self._net.parameters()).device
        large = window.crops.shape[-1]
        frames, holes = (resized(x, SIDE).to(device) for x in (window.crops, window.masks))
        holes = (holes > 0).float()
        with torch.inference_mode(), mixed_precision(device, self._precision):
            if not self.needs_alignment:
                return resized(self._net(frames, holes).float().clamp(0, 1).cpu(), large), None
            fitted, state = fitted_reference(window, state)
            found = self._net.correct(frames, holes, resized(fitted, SIDE).to(device))
        # The reference is corrected beyond the hole as well: the engine's feather shows a little of it.
        return found.of(fitted.to(device)[:, None])[:, 0].clamp(0, 1).cpu(), state
