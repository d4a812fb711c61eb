"""What fills the hole: the interface that every method implements, from a classical baseline to a network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ..models.device import OutOfMemory
from ..tracking.reference import Reference

TOGETHER = 8  # frames that share one pass of a network; the result does not depend on it
LOOK_AHEAD = 32  # frames of one that looks ahead, at most: those at its ends are seen without their neighbours


def shown_together(looks_ahead: bool, learnt: int) -> int:
    """Frames of a network's windows. learnt: of those that it learnt from; one that looks ahead draws worse in longer
    ones, where every frame has neighbours."""
    return min(LOOK_AHEAD, learnt) if looks_ahead else TOGETHER


@dataclass(frozen=True)
class Window:
    """Consecutive frames of one clip in crop coordinates; T frames, S x S pixels.

    crops: (T, 3, S, S) float32 in [0, 1], the hole still showing whatever covers the face. masks: (T, 1, S, S),
    1 = hole. points: (T, 478, 3) crop pixels, hidden ones as the detector left them. visibility: (T, 478).
    aligned: (T, 3, S, S) the reference re-posed to each frame, valid where aligned_kind, (T, 1, S, S) uint8, is not 0
    (1 around the face, 2 on its mesh). remembered: (T, 3, S, S) what each place showed when it was last in sight, valid
    where in_memory, (T, 1, S, S) uint8, is 1; moved: (T, 1, S, S) float32, how far the face has moved since, in crop
    sides, where it is. Either group is None for a filler that does not ask for it. begins: whether these are the first
    frames of the clip that are filled.
    """

    crops: torch.Tensor
    masks: torch.Tensor
    points: np.ndarray
    visibility: np.ndarray
    aligned: torch.Tensor | None
    aligned_kind: torch.Tensor | None
    remembered: torch.Tensor | None = None
    in_memory: torch.Tensor | None = None
    moved: torch.Tensor | None = None
    begins: bool = False

    def part(self, start: int, stop: int) -> "Window":
        """Some of its frames."""
        kept = {name: value for name, value in vars(self).items() if value is None or isinstance(value, bool)}
        return Window(**kept, **{name: v[start:stop] for name, v in vars(self).items() if name not in kept})


class Filler(Protocol):
    """A method. One instance serves many clips: what it remembers of a clip lives in `state` alone."""

    name: str
    """The method's, see restore.registry."""
    crop_side: int | None
    """Crop size S in pixels that the method works at; None to follow the size of the face."""
    needs_alignment: bool
    """Whether Window.aligned is wanted."""
    needs_memory: bool
    """Whether Window.remembered is wanted."""
    window: int
    """How many frames it likes to see at once; fewer may come. Work can be cancelled between windows."""

    own_reference: Reference | None
    """Pictures of the person that the method brings along, as the model of one person does."""

    def fill(self, window: Window, state: Any) -> tuple[torch.Tensor, Any]:
        """Crops (T, 3, S, S) float32 in [0, 1] with the hole filled, and the state for the next window.

        `state` is None at the start of a scene. A causal method keeps here what it needs of the past, so that a clip
        processed in windows equals the clip processed at once. Pixels outside the hole and its feather are ignored.
        """


def pictures_for(filler: Filler, reference: Reference | None) -> Reference | None:
    """The pictures to fill with: those that were given, as they are of the day, and those that the method has."""
    return filler.own_reference if reference is None else reference.with_more(filler.own_reference)


Fill = Callable[[Window, Any], tuple[torch.Tensor, Any]]


def fill_in_parts(fill: Fill, window: Window, state: Any) -> tuple[torch.Tensor, Any]:
    """`Filler.fill`, where a window that does not fit into the device's memory is halved, down to single frames."""
    try:
        return fill(window, state)
    except OutOfMemory:
        length = len(window.crops)
        if length == 1:
            raise
    first, state = fill_in_parts(fill, window.part(0, length // 2), state)
    second, state = fill_in_parts(fill, window.part(length // 2, length), state)
    return torch.cat([first, second]), state
