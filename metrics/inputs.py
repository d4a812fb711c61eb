"""What can be scored: frames, mask and landmarks that fit each other; one sentence if they do not."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .image import WINDOW


def check_frames(result: Tensor, truth: Tensor) -> None:
    """Raise InputError unless both are (T,H,W,3), alike, of at least one frame and 11 px a side."""
    for name, clip in (("result", result), ("truth", truth)):
        if clip.ndim != 4 or clip.shape[-1] != 3:
            shape = tuple(clip.shape)
            raise InputError(f"The {name} must be RGB frames (T,H,W,3), but its shape is {shape}; drop alpha.")
    if result.shape != truth.shape:
        raise InputError(
            "The result and the truth must have the same length and size, but the result is "
            f"{_describe(result)} and the truth {_describe(truth)}; trim or resize one of them."
        )
    if not len(truth) or min(truth.shape[1:3]) < WINDOW:
        raise InputError(
            f"Metrics need at least one frame of {WINDOW}x{WINDOW} pixels, but got {_describe(truth)}; "
            "use larger frames or a longer clip."
        )


def clip_mask(mask: Tensor, truth: Tensor) -> Tensor:
    """The mask as (T,H,W), where (1,H,W) or (H,W) stands for every frame; InputError if it does not fit."""
    frames, height, width = truth.shape[:3]
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3:
        raise InputError(f"The mask must be (T,H,W), but its shape is {tuple(mask.shape)}.")
    if tuple(mask.shape[1:]) != (height, width):
        raise InputError(
            f"The mask must have the size of the frames, {width}x{height}, "
            f"but it is {mask.shape[2]}x{mask.shape[1]}; make it from the same frames or resize it."
        )
    if len(mask) not in (1, frames):
        raise InputError(
            f"The mask must have one frame or as many as the clip, {frames}, but it has {len(mask)}; "
            "make it from the same frames or trim it."
        )
    return mask.expand(frames, height, width)


def clip_points(points: Tensor | np.ndarray, truth: Tensor) -> Tensor:
    """The landmarks as a float32 tensor (T,N,2 or more); InputError if they are not those of this clip."""
    points = torch.as_tensor(points, dtype=torch.float32)
    if points.ndim != 3 or len(points) != len(truth) or points.shape[2] < 2:
        raise InputError(
            f"The face landmarks must be (T,478,2) or (T,478,3) with T = {len(truth)} like the frames, "
            f"but their shape is {tuple(points.shape)}; detect them on the truth's frames."
        )
    return points


def finite_frames(clip: Tensor, start: int, stop: int, name: str) -> Tensor:
    """Frames start..stop of `clip` as float32 on the CPU; InputError where a pixel is NaN or infinite."""
    frames = clip[start:stop].to("cpu", torch.float32)
    broken = ~frames.isfinite().all(-1).all(-1).all(-1)
    if broken.any():
        raise InputError(
            f"The {name} must hold finite values, but frame {start + int(broken.nonzero()[0])} "
            "has NaN or infinite pixels; look for the step that made them."
        )
    return frames


def _describe(clip: Tensor) -> str:
    frames, height, width = clip.shape[:3]
    return f"{frames} frames of {width}x{height}"
