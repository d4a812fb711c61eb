"""What the nodes that fill holes share: making the method's filler, and filling a clip with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from comfy import model_management
from comfy_api.latest import io

from ..errors import InputError
from ..restore.filler import Filler
from ..restore.registry import make_filler
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .networks import managed
from .progress import progress_bar

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
    *,
    method: str,
    **options: Any,
) -> io.NodeOutput:
    """A filling node's work: IMAGE, MASK, FACE_TRACK and HMD_REFERENCE to IMAGE. options: as of `managed_filler`."""
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
        progress=progress,
    )
    return io.NodeOutput(restored)
