"""The method "personal": a network of one person fills the crops, frame by frame."""

import logging
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from ..errors import InputError
from ..faces.registration import Evidence
from ..models.face_embedding import FaceEmbedding
from ..models.personal_deocclusion import SIDE, Past
from ..models.precision import Precision, check_precision, mixed_precision
from ..models.recall import prior_share
from ..models.weights import WeightsMissing
from .filler import Window, fill_in_parts
from .methods import fitted_reference
from .network_inputs import contours, memory_of
from .personal_model import PersonalModel
from .resizing import known_whole, resized

log = logging.getLogger(__name__)

# Cosine of the descriptors of the restored face and of the person. With the warp of one person's reference in another's
# frames: of 9 people at most 0.967, of the same person at least 0.981, on another day too.
LIKENESS = 0.97
WINDOW = 4  # frames that share one pass; the result does not depend on it
STEADINESS = 0.5


@dataclass(frozen=True)
class Use:
    """How a personal model is used.

    anyone: whether to go on where the face in a clip's first frames is not the model's person; else that is an
    InputError. steadiness: share in [0, 1) of the frame before in the network's code, by which that is smoothed over
    time; 0 takes each frame alone. whole: whether all that the network draws comes out, as in the paper, and not what
    is in the hole alone. Raises InputError for a share out of range.
    """

    anyone: bool = False
    steadiness: float = STEADINESS
    whole: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.steadiness < 1:
            raise InputError(f"Expected a steadiness from 0 to less than 1, got {self.steadiness}.")


AS_USUAL = Use()


@dataclass(frozen=True)
class PersonalState:
    """What has to be remembered of a clip: where the reference belongs, and what the network needs of its past."""

    evidence: Evidence | None
    past: Past


class PersonalFiller:
    """Fills holes with a personal model (deocclusion.personal_model); the engine may be given the model's own reference
    or a newer one. Where the network corrects the aligned reference, what each place showed before takes part as in
    evi-hrnet (models.recall).

    crop_side: of the crops; None for the size of the face where the network corrects the aligned reference, which keeps
    the details of a large picture, and for the network's own size where it draws every pixel. precision: "auto" is
    bfloat16 where the device calculates faster in it. Raises InputError for an unknown precision.
    """

    name = "personal"
    window = WINDOW

    def __init__(
        self,
        model: PersonalModel,
        crop_side: int | None = None,
        precision: Precision = "auto",
        *,
        use: Use = AS_USUAL,
    ):
        check_precision(precision)
        self.whole = use.whole
        self.model, self._net = model, model.network
        self.needs_alignment = self.needs_memory = self._net.config.variant == "aligned"
        self.crop_side = crop_side or (None if self.needs_alignment else SIDE)
        self._precision, self._use = precision, use

    def fill(self, window: Window, state: PersonalState | None) -> tuple[torch.Tensor, PersonalState]:
        begins = state is None
        filled, state = fill_in_parts(self._fill, window, state)
        if begins and not self._use.anyone:
            self._refuse_others(window, filled)
        return filled, state

    def _refuse_others(self, window: Window, filled: torch.Tensor) -> None:
        """Raise InputError where what is in sight does not belong to the face that was filled in."""
        if self.model.identity is None or (network := _face_embedding()) is None:
            return
        restored = torch.lerp(window.crops, filled, window.masks)
        with torch.inference_mode():
            faces = network.embed(restored, torch.from_numpy(window.points).float())
        likeness = float((faces @ torch.from_numpy(self.model.identity)).median())
        if likeness < LIKENESS:
            little = "" if self.needs_alignment else ", or train it longer if it is theirs, as it draws somebody else"
            raise InputError(
                f"The face in the video does not seem to be the person whose model this is (likeness {likeness:.3f}, "
                f"at least {LIKENESS} of one person): choose that person's model{little}, or allow anyone."
            )

    def _fill(self, window: Window, state: PersonalState | None) -> tuple[torch.Tensor, PersonalState]:
        device = next(self._net.parameters()).device
        frames, holes = (resized(x, SIDE).to(device) for x in (window.crops, window.masks))
        holes = (holes > 0).float()
        past = None if state is None else state.past
        clip = {"length": len(frames), "past": past, "hold": self._use.steadiness}
        with torch.inference_mode(), mixed_precision(device, self._precision):
            if not self.needs_alignment:
                _, drawn, past = self._net.draw(frames, holes, **clip)
                filled = (drawn.float() + self._net.mean).clamp(0, 1)
                return resized(filled.cpu(), window.crops.shape[-1]), PersonalState(None, past)
            fitted, evidence = fitted_reference(window, None if state is None else state.evidence)
            reference, memory = resized(fitted, SIDE).to(device), memory_of(window)
            correction, past = self._net.correct(frames, holes, reference, **clip)
            known = (holes, contours(window, SIDE).to(device), reference, known_whole(resized(memory, SIDE)).to(device))
            correction = replace(correction, recall=prior_share(*(x[:, None] for x in (frames, *known))))
        # The reference is corrected beyond the hole as well: the engine's feather shows a little of it.
        start = fitted
        if self.whole:
            start, memory = torch.lerp(window.crops, fitted, window.masks), memory * window.masks
        filled = correction.of(*(x.to(device)[:, None] for x in (start, memory)))[:, 0]
        return filled.clamp(0, 1).cpu(), PersonalState(evidence, past)


@lru_cache(maxsize=1)
def _face_embedding() -> FaceEmbedding | None:
    try:
        return FaceEmbedding.pretrained()
    except WeightsMissing as missing:
        log.warning("Whose face it is was not looked at: %s", missing)
        return None
