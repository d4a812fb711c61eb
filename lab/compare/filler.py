"""The methods "lgtsm", "combcn" and "lafin", which EVI-HRnet is compared with: they draw what the hole shows."""

import torch

from ...models.device import Precision, check_precision, mixed_precision
from ...restore.filler import Filling, Window, fill_in_parts, shown_together
from ...restore.network_inputs import contours
from ..networks.compared import ComparedNetwork


class ComparedFiller:
    """Fills holes with a network that knows neither a reference nor what was shown before.

    network: see lab.networks.compared.load; it stays on its device, and may be moved to another one between windows.
    precision: "auto" is bfloat16 where the device calculates faster in it. A window that does not fit into the device's
    memory is halved, down to single frames.

    Raises InputError for an unknown precision.
    """

    needs_alignment = False
    needs_memory = False
    own_reference = None

    def __init__(self, network: ComparedNetwork, precision: Precision = "auto"):
        check_precision(precision)
        config = network.config
        self.name = config.network
        self.window = shown_together(config.looks_ahead, config.frames)
        self._net, self._precision = network, precision

    @property
    def device(self) -> torch.device:
        return next(self._net.parameters()).device

    def fill(self, window: Window, state: None) -> tuple[Filling, None]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: None) -> tuple[Filling, None]:
        side = self._net.config.side
        frames, holes = window.at(side)
        given = (frames, (holes > 0).float(), contours(window, side))
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            picture = self._net(*(x[None].to(self.device) for x in given)).picture
        return Filling(picture[0].float().clamp(0, 1).to(frames.device)), None
