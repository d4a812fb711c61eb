"""The method "evi-hrnet": the network corrects the fitted reference, or draws the hole, window by window."""

from dataclasses import dataclass
from pathlib import Path

import torch

from ..models import aligned_generator, evi_hrnet
from ..models.aligned_generator import AlignedGenerator
from ..models.device import Precision, check_precision, mixed_precision
from ..models.evi_hrnet import EVIHRnet, State
from ..models.recall import prior_share
from ..tracking.reference import Reference
from ..weights.header import read_weights
from .baselines import reference_crop
from .filler import TOGETHER, Filling, Window, fill_in_parts, shown_together
from .network_inputs import contours, corrected, generated, generator_inputs, memory_of, recalled
from .rim import Evidence
from .warp import fitted_reference


@dataclass(frozen=True)
class EVIState:
    """What has to be remembered of a clip. features: the network's; evidence: of where the reference belongs."""

    features: State | None
    evidence: Evidence | None


class EVIFiller:
    """Fills holes with EVI-HRnet.

    network: see models.evi_hrnet.load; it stays on its device, and may be moved to another one between windows.
    precision: "auto" is bfloat16 where the device calculates faster in it. Points that are out of sight are drawn as
    guesses, where the landmarks leave them. A window that does not fit into the device's memory is halved, down to
    single frames.

    Raises InputError for an unknown precision.
    """

    name = "evi-hrnet"
    own_reference = None

    def __init__(self, network: EVIHRnet | AlignedGenerator, reference: Reference, precision: Precision = "auto"):
        check_precision(precision)
        self._net, self._precision, self._still = network, precision, None
        if isinstance(network, AlignedGenerator):
            self.needs_alignment = self.needs_memory = True
            self.window = TOGETHER
            return
        draws = network.config.variant == "paper"
        self.needs_alignment = self.needs_memory = not draws
        self.window = shown_together(network.config.looks_ahead, network.config.frames)
        self._still = torch.from_numpy(reference_crop(reference, network.config.side)) if draws else None

    @property
    def device(self) -> torch.device:
        return next(self._net.parameters()).device

    def fill(self, window: Window, state: EVIState | None) -> tuple[Filling, EVIState]:
        if isinstance(self._net, AlignedGenerator):
            return fill_in_parts(self._generate, window, state)
        return fill_in_parts(self._fill if self._still is None else self._draw, window, state)

    def _generate(self, window: Window, state: EVIState | None) -> tuple[Filling, EVIState]:
        """The aligned generator."""
        fitted, evidence = fitted_reference(window, None if state is None else state.evidence)
        inputs = generator_inputs(window.frames, window.holes, window.aligned.kind, fitted)
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            found, features = self._net(inputs.to(self.device), len(inputs), None if state is None else state.features)
        memory = memory_of(window)
        known = (window.frames, (window.holes > 0).float(), contours(window), fitted.pictures, memory)
        share = prior_share(*(x[None] for x in known))[0]
        filling = recalled(
            generated(fitted, found, window.aligned.kind), found.drawing.to(memory.device), memory, share
        )
        return filling, EVIState(features, evidence)

    def _fill(self, window: Window, state: EVIState | None) -> tuple[Filling, EVIState]:
        """The variant "aligned"."""
        fitted, evidence = fitted_reference(window, None if state is None else state.evidence)
        memory = memory_of(window)
        given = (window.frames, (window.holes > 0).float(), contours(window), fitted.pictures, memory)
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            correction, features = self._net.correct(
                *(x[None].to(self.device) for x in given), None if state is None else state.features
            )
        return corrected(fitted, correction, memory), EVIState(features, evidence)

    def _draw(self, window: Window, state: EVIState | None) -> tuple[Filling, EVIState]:
        """The variant "paper"."""
        frames, holes = window.at(self._net.config.side)
        still = self._still.to(frames.device).permute(2, 0, 1).float() / 255
        given = (frames, (holes > 0).float(), contours(window, frames.shape[-1]), still.expand_as(frames))
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            filled, features, _ = self._net(
                *(x[None].to(self.device) for x in given), state=None if state is None else state.features
            )
        return Filling(filled[0].float().clamp(0, 1).to(frames.device)), EVIState(features, None)


def load(path: Path) -> EVIHRnet | AlignedGenerator:
    """The network of a file: the aligned generator, or EVI-HRnet's own. Raises InputError for a file of neither."""
    metadata, _ = read_weights(path, "weights of EVI-HRnet")
    return (aligned_generator if "widths" in metadata else evi_hrnet).load(path)
