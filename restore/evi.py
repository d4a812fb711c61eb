"""The method "evi-hrnet": a generator makes the most of the fitted reference; or, with the paper's own weights, draws
the hole from another picture as it is."""

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
from .network_inputs import contours, generated, generator_inputs, memory_of, need, recalled, restrained
from .rim import Evidence
from .warp import fitted_reference


class _EVIFiller:
    """network: it stays on its device, and may be moved to another one between windows. precision: "auto" is bfloat16
    where the device calculates faster in it. A window that does not fit into the device's memory is halved, down to
    single frames. Raises InputError for an unknown precision."""

    name = "evi-hrnet"
    own_reference = None

    def __init__(self, network: AlignedGenerator | EVIHRnet, precision: Precision = "auto"):
        check_precision(precision)
        self._net, self._precision = network, precision

    @property
    def device(self) -> torch.device:
        return next(self._net.parameters()).device


NEWS = 0.2  # share of a frame, at USUAL_RATE, in what is known of how much is to be corrected: it must not flicker


@dataclass(frozen=True)
class EVIState:
    """What has to be remembered of a clip. features: the network's; evidence: of where the reference belongs; needed:
    (1,), how much of a correction was needed lately."""

    features: State
    evidence: Evidence
    needed: torch.Tensor


class EVIFiller(_EVIFiller):
    """Fills holes with the aligned generator, and with what is remembered of a place as far as that fits."""

    needs_alignment = needs_memory = True
    window = TOGETHER

    def fill(self, window: Window, state: EVIState | None) -> tuple[Filling, EVIState]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: EVIState | None) -> tuple[Filling, EVIState]:
        features, evidence, before = (None,) * 3 if state is None else vars(state).values()
        fitted, evidence = fitted_reference(window, evidence)
        kind, memory = window.aligned.kind, memory_of(window)
        inputs = generator_inputs(window.frames, window.holes, kind, fitted).to(self.device)
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            found, features = self._net(inputs, len(inputs), features)
        needed = _steadied(need(window.frames, window.holes, kind, fitted), before, 1 - (1 - NEWS) ** window.pace)
        found = restrained(found, kind, needed)
        known = (window.frames, (window.holes > 0).float(), contours(window), fitted.pictures, memory)
        share = prior_share(*(x[None] for x in known))[0]
        filling = recalled(generated(fitted, found), found.drawing, memory, share)
        return filling, EVIState(features, evidence, needed[-1:])


def _steadied(values: torch.Tensor, before: torch.Tensor | None, news: float) -> torch.Tensor:
    """(T,) values that follow each other, each a mean of all so far in which the last ones count most. One that is NaN
    says nothing; before any is known it is 1. news: share of one value in the mean."""
    out = []
    for value in values.split(1):
        if value.isnan():
            value = torch.ones_like(value) if before is None else before
        before = value if before is None else before + news * (value - before)
        out.append(before)
    return torch.cat(out)


class PaperEVIFiller(_EVIFiller):
    """Fills holes with EVI-HRnet's own generator. Points that are out of sight are drawn as guesses, where the
    landmarks leave them."""

    needs_alignment = needs_memory = False

    def __init__(self, network: EVIHRnet, reference: Reference, precision: Precision = "auto"):
        super().__init__(network, precision)
        self.window = shown_together(network.config.looks_ahead, network.config.frames)
        self._still = torch.from_numpy(reference_crop(reference, network.config.side))

    def fill(self, window: Window, state: State | None) -> tuple[Filling, State | None]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: State | None) -> tuple[Filling, State | None]:
        frames, holes = window.at(self._net.config.side)
        still = self._still.to(frames.device).permute(2, 0, 1).float() / 255
        given = (frames, (holes > 0).float(), contours(window, frames.shape[-1]), still.expand_as(frames))
        with torch.inference_mode(), mixed_precision(self.device, self._precision):
            filled, state = self._net(*(x[None].to(self.device) for x in given), state)
        return Filling(filled[0].float().clamp(0, 1).to(frames.device)), state


def load(path: Path) -> AlignedGenerator | EVIHRnet:
    """The network of a file, whichever of the two it is. Raises InputError for a file of neither."""
    metadata, _ = read_weights(path, "weights of EVI-HRnet")
    return (aligned_generator if "widths" in metadata else evi_hrnet).load(path)


def filler_with(network: AlignedGenerator | EVIHRnet, reference: Reference, precision: Precision) -> _EVIFiller:
    """The filler of a loaded network."""
    if isinstance(network, AlignedGenerator):
        return EVIFiller(network, precision)
    return PaperEVIFiller(network, reference, precision)
