"""The method "evi-hrnet": the network fills the crops, window by window."""

from dataclasses import dataclass

import torch

from ..models.device import Precision, check_precision, mixed_precision
from ..models.evi_hrnet import EVIHRnet, State
from ..tracking.reference import Reference
from .baselines import reference_crop
from .filler import Window, fill_in_parts, shown_together
from .network_inputs import contours, known_whole, memory_of, resized
from .registration import Evidence
from .warp import fitted_reference


@dataclass(frozen=True)
class EVIState:
    """What has to be remembered of a clip. features: the network's; evidence: of where the reference belongs."""

    features: State | None
    evidence: Evidence | None


class EVIFiller:
    """Fills holes with EVI-HRnet.

    network: see models.evi_hrnet.load; it stays on its device, and may be moved to another one between windows.
    crop_side: of the crops; None for the size of the face where the network corrects the aligned reference, which keeps
    the details of a large picture, and for the network's own size where it draws every pixel. precision: "auto" is
    bfloat16 where the device calculates faster in it. Points that are out of sight are drawn as guesses, where the
    landmarks leave them. A window that does not fit into the device's memory is halved, down to single frames.

    Raises InputError for an unknown precision.
    """

    name = "evi-hrnet"
    needs_alignment = True
    own_reference = None

    def __init__(
        self, network: EVIHRnet, reference: Reference, crop_side: int | None = None, precision: Precision = "auto"
    ):
        check_precision(precision)
        self._draws = network.config.variant == "paper"
        self.needs_memory = not self._draws
        self.crop_side = crop_side or (network.config.side if self._draws else None)
        self.window = shown_together(network.config.looks_ahead, network.config.frames)
        self._net, self._reference, self._precision = network, reference, precision

    def fill(self, window: Window, state: EVIState | None) -> tuple[torch.Tensor, EVIState]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: EVIState | None) -> tuple[torch.Tensor, EVIState]:
        side, large = self._net.config.side, window.crops.shape[-1]
        device = next(self._net.parameters()).device
        if self._draws:
            still = torch.from_numpy(reference_crop(self._reference, large)).permute(2, 0, 1).float() / 255
            reference = still.expand_as(window.crops)
            evidence = None
        else:
            reference, evidence = fitted_reference(window, None if state is None else state.evidence)
        hole = (resized(window.masks, side) > 0).float()
        small = [
            resized(window.crops, side),
            hole,
            contours(window, side),
            resized(reference, side),
        ]
        if not self._draws:
            memory = memory_of(window)
            small.append(known_whole(resized(memory, side)))
        clip = [x.to(device)[None] for x in small]
        past = None if state is None else state.features
        with torch.inference_mode(), mixed_precision(device, self._precision):
            if self._draws:
                filled, features, _ = self._net(*clip, state=past)
            else:
                correction, features = self._net.correct(*clip, past)
                filled = correction.of(reference.to(device)[None], memory.to(device)[None])
        filled = filled[0].float().clamp(0, 1).cpu()
        return resized(filled, large), EVIState(features, evidence)
