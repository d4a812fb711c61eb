"""Drawn headsets: metric models posed with the head, with the exact mask of what they hide.

Used to simulate a headset on uncovered video, to train on, and to mask by hand what is not detected.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..tracking.track import FaceTrack, FrameStatus, TrackedFace
from .look import LOOKS, Look
from .models import EYE_LINE, FACE_FRONT, HEADSETS, Headset, preset, randomised
from .painter import Painter

__all__ = [
    "EYE_LINE",
    "FACE_FRONT",
    "HEADSETS",
    "Headset",
    "HeadsetArtist",
    "Look",
    "Rendered",
    "draw_headset",
    "preset",
    "randomised",
]


@dataclass(frozen=True)
class Rendered:
    """One frame with a headset.

    picture: (H, W, 3) of the frame's type. mask: (H, W) uint8, 1 where the device shows. hidden: (H, W) uint8, 1
    where the device or a hand hides the frame; no other pixel differs from it.
    """

    picture: np.ndarray
    mask: np.ndarray
    hidden: np.ndarray


class HeadsetArtist:
    """Draws one headset on the frames of one clip: the device itself, which follows yaw, pitch and roll.

    grow: margin in centimetres. seed: decides its grain. look: how it looks, by default like the device that the preset
    is named after.
    """

    def __init__(self, headset: Headset, *, grow: float = 0.0, seed: int = 0, look: Look | None = None):
        self.headset = replace(
            headset,
            width=headset.width + 2 * grow,
            top=headset.top - grow,
            bottom=headset.bottom + grow,
        )
        self._painter = Painter(self.headset, look or LOOKS.get(headset.kind, Look()), seed)

    def mask(self, face: TrackedFace, size: tuple[int, int]) -> np.ndarray:
        """(H, W) uint8, 1 where the headset, or a hand that holds it, hides the picture. size: (H, W).

        All 0 for a missing face. Equals the mask of `draw`.
        """
        if face.status == FrameStatus.MISSING:
            return np.zeros(size, np.uint8)
        return self._painter.hidden(face, size)

    def draw(self, frame: np.ndarray, face: TrackedFace) -> tuple[np.ndarray, np.ndarray]:
        """The frame with the headset on it, and the exact mask of the pixels that it, or a hand, hides.

        frame: (H, W, 3), uint8, or float32 in [0, 1]. Returns a new frame of the same type and an (H, W) uint8 mask.
        """
        rendered = self.render(frame, face)
        return rendered.picture, rendered.hidden

    def render(self, frame: np.ndarray, face: TrackedFace) -> Rendered:
        """The frame with the headset on it; frame as in `draw`. A missing face leaves it as it is."""
        if face.status == FrameStatus.MISSING:
            nothing = np.zeros(frame.shape[:2], np.uint8)
            return Rendered(frame.copy(), nothing, nothing)
        return Rendered(*self._painter.paint(frame, face))


def draw_headset(frames: np.ndarray, track: FaceTrack, artist: HeadsetArtist) -> tuple[np.ndarray, np.ndarray]:
    """HeadsetArtist.draw over a clip: (T, H, W, 3) frames to frames of the same type and (T, H, W) uint8 masks."""
    drawn = [artist.draw(frames[t], track[t]) for t in range(len(track))]
    return np.stack([f for f, _ in drawn]), np.stack([m for _, m in drawn])
