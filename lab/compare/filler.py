"""The methods "lgtsm", "combcn" and "lafin", which EVI-HRnet is compared with: they draw what the hole shows."""

import torch

from ...models.device import Precision, check_precision, mixed_precision
from ...restore.filler import Window, fill_in_parts, shown_together
from ...restore.network_inputs import contours, resized
from ..networks.compared import ComparedNetwork


class ComparedFiller:
    """Fills holes with a network that knows neither a reference nor what was shown before.

    network: see lab.networks.compared.load; it stays on its device, and may be moved to another one between windows.
    crop_side: of the crops; None for the network's own size, for it draws every pixel. precision: "auto" is bfloat16
    where the device calculates faster in it. A window that does not fit into the device's memory is halved, down to
    single frames.

    Raises InputError for an unknown precision.
    """

    needs_alignment = False
    needs_memory = False
    own_reference = None

    def __init__(self, network: ComparedNetwork, crop_side: int | None = None, precision: Precision = "auto"):
        check_precision(precision)
        config = network.config
        self.name, self.crop_side = config.network, crop_side or config.side
        self.window = shown_together(config.looks_ahead, config.frames)
        self._net, self._precision = network, precision

    def fill(self, window: Window, state: None) -> tuple[torch.Tensor, None]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: None) -> tuple[torch.Tensor, None]:
        side, device = self._net.config.side, next(self._net.parameters()).device
        hole = (resized(window.masks, side) > 0).float()
        small = (resized(window.crops, side), hole, contours(window, side))
        with torch.inference_mode(), mixed_precision(device, self._precision):
            picture = self._net(*(x.to(device)[None] for x in small)).picture
        return resized(picture[0].float().clamp(0, 1).cpu(), window.crops.shape[-1]), None
