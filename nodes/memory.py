"""Saying no to clips that do not fit into memory, before decoding them."""

from __future__ import annotations

import psutil

from ..errors import InputError

BYTES_PER_PIXEL = 3 * 4  # IMAGE holds RGB as float32
KEPT_FREE = 0.1  # share of the free memory left to everything else


LOAD_LESS = (
    "connect the video to Deocclude Video, which works piece by piece, or load less of it with length, every_nth or "
    "max_side"
)


def require_memory(frames: int, width: int, height: int, advice: str = LOAD_LESS) -> None:
    """Raise InputError, with advice, if an IMAGE of so many frames of that size does not fit into the free memory."""
    needed = frames * width * height * BYTES_PER_PIXEL
    available = psutil.virtual_memory().available
    if needed > (1 - KEPT_FREE) * available:
        raise InputError(
            f"{frames} frames of {width} x {height} take {needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB "
            f"are free: {advice}."
        )
