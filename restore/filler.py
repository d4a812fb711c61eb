"""What fills the hole: the interface that every method implements, from a classical baseline to a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch

from ..models.device import OutOfMemory
from ..tracking.crop import Crop
from ..tracking.reference import Reference
from .align import Aligned, ReferenceBank, ShownEye
from .grid import on_grid

TOGETHER = 8  # frames that share one pass of a network; the result does not depend on it
LOOK_AHEAD = 32  # frames of one that looks ahead, at most: those at its ends are seen without their neighbours


def shown_together(looks_ahead: bool, learnt: int) -> int:
    """Frames of a network's windows. learnt: of those that it learnt from; one that looks ahead draws worse in longer
    ones, where every frame has neighbours."""
    return min(LOOK_AHEAD, learnt) if looks_ahead else TOGETHER


@dataclass(frozen=True)
class Remembered:
    """What each place of T frames showed when it was last in sight. pictures: (T, 3, S, S) in [0, 1], valid where
    known, (T, 1, S, S), is 1; moved: (T, 1, S, S), how far the face has moved since, in crop sides, where it is."""

    pictures: torch.Tensor
    known: torch.Tensor
    moved: torch.Tensor


@dataclass(frozen=True)
class Window:
    """Consecutive frames of one scene on the grid over their crops: T frames, S x S cells (restore.grid).

    frames: (T, 3, S, S) float32 in [0, 1], the hole still showing whatever covers the face. holes: (T, 1, S, S), the
    share of each cell that is hole. points: (T, 478, 3) cells, hidden ones as the detector left them. visibility:
    (T, 478). aligned: the reference re-posed to each frame; remembered: what earlier frames showed; each is None for a
    filler that does not ask for it. bank: the person's pictures, None where there is no reference. sources: the frames
    themselves, for whoever wants another size. begins: whether these are the first frames of the clip that are filled.
    pace: how long a frame lasts, in frames of tracking.track.USUAL_RATE.
    """

    frames: torch.Tensor
    holes: torch.Tensor
    points: np.ndarray
    visibility: np.ndarray
    aligned: Aligned | None = None
    remembered: Remembered | None = None
    bank: ReferenceBank | None = None
    sources: "Sequence[Source]" = ()
    begins: bool = False
    pace: float = 1.0

    def part(self, start: int, stop: int) -> "Window":
        """Some of its frames."""

        def cut(value: Any) -> Any:
            if isinstance(value, torch.Tensor | np.ndarray | tuple):
                return value[start:stop]
            if isinstance(value, Aligned | Remembered):
                return replace(value, **{name: cut(v) for name, v in vars(value).items()})
            return value

        return Window(**{name: cut(value) for name, value in vars(self).items()})

    def at(self, side: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames and holes on another grid, as above."""
        if side == self.frames.shape[-1]:
            return self.frames, self.holes
        device = self.frames.device
        return (
            torch.stack([source.on_grid(source.frame, side) for source in self.sources]).to(device),
            torch.stack([source.on_grid(source.hole, side) for source in self.sources]).to(device),
        )


FEATHER = 0.02  # crop sides: width of the feather outside the hole, and how far beyond the crop a hole is filled


@dataclass(frozen=True)
class Source:
    """A frame that is filled. frame: (H, W, 3) uint8, or float32 in [0, 1]; hole: (H, W) uint8, 255 = hole; crop:
    where the head is in it. recalled: what its memory shows in the part `place` of the frame, (h, w, 3) of the frame's
    type, and whether anything is known there, (h, w) bool; None without memory."""

    frame: np.ndarray
    hole: np.ndarray
    crop: Crop
    recalled: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the frame in which a hole is filled."""
        return self.crop.window(self.frame.shape[:2], FEATHER)

    def on_grid(self, picture: np.ndarray, side: int) -> torch.Tensor:
        """A picture of the frame's size in the crop, see restore.grid.on_grid."""
        return on_grid(picture, self.crop, side)


@dataclass(frozen=True)
class Filling:
    """What goes into the holes of T frames, smooth over each crop; restore.paste shows it as fine as the frame is.

    shown: the picture of the bank that is shown in each frame, and places: (T, 2, S, S), where in it each cell lies, in
    its sides, valid where known, (T, 1, S, S), is 1; None where none is shown. tint: (T, 3, s, s), what is added to
    that. drawn: (T, 3, s, s) in [0, 1], what is seen where no picture is, and by `share`, (T, 1, s, s), in place of it,
    None for nowhere. recall: (T, 1, S, S), the logit of the share that the memory of a place gets, and coarse: (T, 3,
    S, S), what is coarse in the difference of the memory from the rest; None for methods without memory. eyes: for each
    frame those of the shown picture as they are wanted, None where they stay as they are. Sizes may differ from field
    to field.
    """

    drawn: torch.Tensor | None = None
    shown: tuple[int, ...] = ()
    places: torch.Tensor | None = None
    known: torch.Tensor | None = None
    tint: torch.Tensor | None = None
    recall: torch.Tensor | None = None
    coarse: torch.Tensor | None = None
    share: torch.Tensor | None = None
    eyes: tuple[tuple[ShownEye, ShownEye], ...] | None = None

    def frame(self, t: int) -> "Filling":
        """One of its frames."""
        return Filling(**{name: None if value is None else value[t : t + 1] for name, value in vars(self).items()})

    @classmethod
    def joined(cls, first: "Filling", second: "Filling") -> "Filling":
        """Of the frames of one, then of the other."""
        both = {name: (value, vars(second)[name]) for name, value in vars(first).items()}
        return cls(**{name: _joined(*values) for name, values in both.items()})


def _joined(first: Any, second: Any) -> Any:
    if first is None:
        return None
    return torch.cat([first, second]) if isinstance(first, torch.Tensor) else first + second


class Filler(Protocol):
    """A method. One instance serves many clips: what it remembers of a clip lives in `state` alone."""

    name: str
    """The method's, see restore.registry."""
    needs_alignment: bool
    """Whether Window.aligned is wanted."""
    needs_memory: bool
    """Whether Window.remembered is wanted."""
    window: int
    """How many frames it likes to see at once; fewer may come. Work can be cancelled between windows."""

    own_reference: Reference | None
    """Pictures of the person that the method brings along, as the model of one person does."""

    @property
    def device(self) -> torch.device | None:
        """Where it calculates; None where that is all the same to it."""

    def fill(self, window: Window, state: Any) -> tuple[Filling, Any]:
        """What to fill the holes with, and the state for the next window.

        `state` is None at the start of a scene. A causal method keeps here what it needs of the past, so that a clip
        processed in windows equals the clip processed at once.
        """


def pictures_for(filler: Filler, reference: Reference | None) -> Reference | None:
    """The pictures to fill with: those that were given, as they are of the day, and those that the method has."""
    return filler.own_reference if reference is None else reference.with_more(filler.own_reference)


Fill = Callable[[Window, Any], tuple[Filling, Any]]


def fill_in_parts(fill: Fill, window: Window, state: Any) -> tuple[Filling, Any]:
    """`Filler.fill`, where a window that does not fit into the device's memory is halved, down to single frames."""
    try:
        return fill(window, state)
    except OutOfMemory:
        length = len(window.frames)
        if length == 1:
            raise
    first, state = fill_in_parts(fill, window.part(0, length // 2), state)
    second, state = fill_in_parts(fill, window.part(length // 2, length), state)
    return Filling.joined(first, second), state
