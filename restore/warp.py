"""The method "warp": the aligned reference, its colours matched to the frame, moved to meet what is around the hole."""

from dataclasses import dataclass

import torch

from .align import Aligned
from .filler import TOGETHER, Filling, Window, fill_in_parts
from .grid import grown, membrane, moved
from .rim import Evidence, matching_tint, registered

SEAM = 1  # cells around a hole whose colours the device's edge has touched


class WarpFiller:
    """The aligned reference, its colours matched to the frame, moved to meet what is around the hole."""

    name = "warp"
    needs_alignment = True
    needs_memory = False
    own_reference = None
    device = None
    window = TOGETHER

    def fill(self, window: Window, state: Evidence | None) -> tuple[Filling, Evidence]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: Evidence | None) -> tuple[Filling, Evidence]:
        fitted, state = fitted_reference(window, state)
        return fitted.filling, state


@dataclass(frozen=True)
class Fitted:
    """The aligned reference where it belongs. filling: how to show it; pictures: (T, 3, S, S) in [0, 1], what it shows
    on the grid."""

    filling: Filling
    pictures: torch.Tensor


def fitted_reference(window: Window, state: Evidence | None) -> tuple[Fitted, Evidence]:
    """The aligned reference with its colours matched to each frame and moved to meet it.

    Where it shows nothing the hole is closed from its surroundings, or bits of the device would remain. state: what the
    call for the frames before returned, None at a scene's start.
    """
    return fitted(window.aligned, window.frames, window.holes, state, pace=window.pace)


def fitted(
    aligned: Aligned,
    frames: torch.Tensor,
    holes: torch.Tensor,
    state: Evidence | None,
    scenes: int = 1,
    pace: float = 1.0,
) -> tuple[Fitted, Evidence]:
    """`fitted_reference` of as many frames of each of some scenes, scene by scene. frames: (N, 3, S, S) in [0, 1];
    holes: (N, 1, S, S). pace: see Window."""
    shown = (aligned.kind > 0).float()
    tint = matching_tint(aligned.colours, frames, holes, aligned.kind)
    matched = torch.lerp(frames, (aligned.colours + tint).clamp(0, 1), shown)
    ground = closed(torch.where(shown > 0, matched, frames), holes * (1 - shown))
    by_scene = (x.unflatten(0, (scenes, -1)) for x in (frames, ground, holes, aligned.kind))
    steps, state = registered(*by_scene, state, pace)
    # Everything is taken from where it was before the step; places of cells without any do not count.
    known, places, tint, ground = moved(
        torch.cat([shown, aligned.places * shown, aligned.tint + tint, ground], 1), steps.flatten(0, 1)
    ).split((1, 2, 3, 3), 1)
    filling = Filling(ground, aligned.shown, places / known.clamp(min=1e-3), known, tint)
    return Fitted(filling, ground), state


def closed(pictures: torch.Tensor, gaps: torch.Tensor) -> torch.Tensor:
    """(T, 3, S, S) pictures with the gaps, (T, 1, S, S) over 0, spanned by a membrane."""
    if not gaps.any():
        return pictures
    known = (~grown(gaps, SEAM)).float()
    return torch.where(gaps > 0, membrane(pictures, known), pictures)
