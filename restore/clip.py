"""A whole clip in memory: the form in which ComfyUI's IMAGE and MASK sockets carry it."""

from collections.abc import Callable

import numpy as np
import torch

from ..errors import InputError
from ..headset.sources import check_size, empty_mask_error
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .engine import Deoccluder
from .filler import Filler, pictures_for
from .registry import filler_of

LANDMARKS = ("visible", "oracle")


def deocclude_clip(
    frames: torch.Tensor,
    masks: torch.Tensor,
    track: FaceTrack,
    reference: Reference | None,
    *,
    method: str | Filler = "warp",
    landmarks: str = "visible",
    progress: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """Fill the hole in every frame.

    frames: (T, H, W, 3) float32 in [0, 1]. masks: (T, H, W), or (1, H, W) for all frames, over 0.5 = hole. method: a
    name out of restore.registry, or a filler. landmarks: "visible" re-poses the points under the mask from those in
    sight; "oracle" takes the track's points under the mask for true, which they are only when the face was detected
    without the headset. Returns (T, H, W, 3) float32; pixels outside the hole and its feather are bit for bit those of
    `frames`. Raises InputError when sizes or lengths do not fit, or the mask is empty or covers everything.
    """
    masks = fitting_masks(frames, masks)
    track.require_clip(len(frames), tuple(frames.shape[1:3]))
    check_landmarks(landmarks)
    filler = filler_of(method, reference)
    engine = Deoccluder(filler, pictures_for(filler, reference))
    out = torch.empty_like(frames)
    for start in range(0, len(frames), filler.window):
        stop = min(start + filler.window, len(frames))
        window_masks = [masks[t].numpy() for t in range(start, stop)]
        faces = [track[t] for t in range(start, stop)]
        if landmarks == "visible":
            faces = [face.covered_by(mask) for face, mask in zip(faces, window_masks, strict=True)]
        window = [frames[t].contiguous().numpy() for t in range(start, stop)]
        for t, filled in enumerate(engine.process(window, window_masks, faces), start):
            out[t] = torch.from_numpy(filled)
            if progress is not None:
                progress(t + 1, len(frames))
    return out


def fitting_masks(frames: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """(T, H, W) masks for (T, H, W, 3) frames; a single mask serves for all. Raises InputError if they do not fit."""
    if len(masks) not in (1, len(frames)):
        raise InputError(
            f"Expected one mask for all frames or one for each of the {len(frames)}, got {len(masks)}; "
            "use the mask of the same clip."
        )
    for mask in masks:
        check_size(np.asarray(mask), tuple(frames.shape[1:3]))
    if not (masks > 0.5).any():
        raise empty_mask_error()
    return masks.expand(len(frames), -1, -1)


def check_landmarks(mode: str) -> None:
    """Raise InputError for an unknown landmark mode."""
    if mode not in LANDMARKS:
        raise InputError(f"Expected a landmark mode out of {', '.join(LANDMARKS)}, got {mode!r}.")
