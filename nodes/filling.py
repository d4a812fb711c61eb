"""What the nodes that fill holes share: making the method's filler, and filling a clip with it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from comfy import model_management
from comfy_api.latest import io

from ..driving.alignment import brought_in_time
from ..driving.eye_tracking import EyeTracking, TrackingData
from ..driving.natural import natural
from ..driving.seen_face import FaceWatch
from ..errors import InputError
from ..restore.engine import EYES
from ..restore.filler import Filler
from ..restore.registry import make_filler
from ..tracking.reference import Reference
from ..tracking.track import USUAL_RATE, FaceTrack
from .frames import pictures
from .networks import managed
from .progress import progress_bar

log = logging.getLogger(__name__)

WITHOUT_REFERENCE = ("telea", "personal")


def require_choice(widget: str, value: str, offered: Sequence[str], advice: str) -> None:
    """Raise InputError for a value that a widget does not offer, or no longer: not every ComfyUI looks itself."""
    if value not in offered:
        raise InputError(f"Expected a {widget} out of {', '.join(offered)}, got {value!r}; {advice}.")


def managed_filler(method: str, reference: Reference | None, **options: Any) -> Filler:
    """The method's filler, its network on the device that ComfyUI chooses. options: see restore.registry.make_filler.

    Raises InputError as that does, in the words of a graph where the reference is missing.
    """
    if reference is None and method not in WITHOUT_REFERENCE:
        raise InputError(
            f"The method {method!r} needs a reference of the uncovered face, but none is connected: connect Pick "
            "Reference Frame to reference."
        )
    return make_filler(method, reference, place=managed, **options)


def filled(
    image: torch.Tensor,
    mask: torch.Tensor,
    face_track: FaceTrack,
    reference: Reference | None,
    landmarks: str,
    eyes: EyeTracking | None = None,
    *,
    method: str,
    fps: float = USUAL_RATE,
    **options: Any,
) -> io.NodeOutput:
    """A filling node's work: IMAGE, MASK, FACE_TRACK and HMD_REFERENCE to IMAGE. eyes: how they are wanted in each
    frame. fps: frames a second. options: as of `managed_filler`."""
    from ..restore.engine import deocclude_clip

    progress = progress_bar()
    restored = deocclude_clip(
        image[..., :3].cpu(),
        mask.cpu(),
        face_track,
        reference,
        method=managed_filler(method, reference, **options),
        landmarks=landmarks,
        device=model_management.get_torch_device(),
        fps=fps,
        tracking=eyes,
        progress=progress,
    )
    return io.NodeOutput(restored)


def wanted_eyes(
    image: torch.Tensor, face_track: FaceTrack, tracking: TrackingData | None, eyes: str, fps: float
) -> EyeTracking | None:
    """How the eyes are wanted in each frame of an IMAGE, None where they stay as they are. Raises InputError where
    nothing tells when the tracking data begin."""
    require_choice("eyes", eyes, EYES, "connect tracking for other eyes")
    times = np.arange(len(image)) / fps
    if tracking is None:
        return natural(times) if eyes != EYES[0] else None
    face_track.require_clip(len(image), tuple(image.shape[1:3]))
    watch = FaceWatch()  # also where an offset is given: it tells mirrored data
    for t, frame in enumerate(pictures(image)):
        watch.look(times[t], frame, face_track[t])
    rows, said = brought_in_time(tracking, times, {}, fps, watch.seen())
    log.warning("%s", said)
    return rows
