"""Drawn headsets: metric models posed with the head, with the exact mask of what they hide.

Used to simulate a headset on uncovered video, to train on, and to place a mask on real footage.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from ..tracking.geometry import pose_angles, pose_scale, transform
from ..tracking.track import FaceTrack, FrameStatus, TrackedFace
from .look import LOOKS, Look
from .models import EYE_LINE, FACE_FRONT, HEADSETS, Headset, preset, randomised
from .painter import Painter

__all__ = [
    "EYE_LINE",
    "FACE_FRONT",
    "HEADSETS",
    "SHAPES",
    "Headset",
    "HeadsetArtist",
    "Look",
    "Rendered",
    "draw_headset",
    "preset",
    "randomised",
]

SHAPES = ("box", "flat", "freeform")
PLASTIC = np.array((0.13, 0.13, 0.15), np.float32)


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
    """Draws one headset on the frames of one clip.

    shape: "box" is the device itself, which follows yaw, pitch and roll; "flat" is a rectangle in the picture plane
    that follows position, size and roll only (as the rectangle masks of the personal de-occlusion paper); "freeform"
    is a blob of brush strokes around the eyes, for masks that come from a brush or a rough segmentation.
    grow: margin in centimetres. seed: decides brush strokes and grain. look: how the box looks, by default like the
    device that the preset is named after. Raises InputError for an unknown shape.
    """

    def __init__(
        self, headset: Headset, *, shape: str = "box", grow: float = 0.0, seed: int = 0, look: Look | None = None
    ):
        if shape not in SHAPES:
            raise InputError(f"Expected a headset shape out of {', '.join(SHAPES)}, got {shape!r}.")
        self.headset = replace(
            headset,
            width=headset.width + 2 * grow,
            top=headset.top - grow,
            bottom=headset.bottom + grow,
        )
        self.shape = shape
        rng = np.random.default_rng(seed)
        w, h = self.headset.width / 2, self.headset.height / 2
        # Brush strokes as (x, y, radius) in centimetres around the box's middle; fixed for the clip, or it flickers.
        self._strokes = np.stack(
            [rng.uniform(-0.8 * w, 0.8 * w, 14), rng.uniform(-0.5 * h, 0.5 * h, 14), rng.uniform(0.3 * h, 0.6 * h, 14)],
            axis=1,
        )
        self._painter = Painter(self.headset, look or LOOKS.get(headset.kind, Look()), seed) if shape == "box" else None

    def mask(self, face: TrackedFace, size: tuple[int, int]) -> np.ndarray:
        """(H, W) uint8, 1 where the headset, or a hand that holds it, hides the picture. size: (H, W).

        All 0 for a missing face. Equals the mask of `draw`.
        """
        if face.status == FrameStatus.MISSING:
            return np.zeros(size, np.uint8)
        if self.shape == "box":
            return self._painter.hidden(face, size)
        return self._strokes_mask(face, size) if self.shape == "freeform" else self._flat_mask(face, size)

    def draw(self, frame: np.ndarray, face: TrackedFace) -> tuple[np.ndarray, np.ndarray]:
        """The frame with the headset on it, and the exact mask of the pixels that it, or a hand, hides.

        frame: (H, W, 3), uint8, or float32 in [0, 1]. Returns a new frame of the same type and an (H, W) uint8 mask.
        """
        rendered = self.render(frame, face)
        return rendered.picture, rendered.hidden

    def render(self, frame: np.ndarray, face: TrackedFace) -> Rendered:
        """The frame with the headset on it; frame as in `draw`. A missing face leaves it as it is."""
        if self.shape == "box" and face.status != FrameStatus.MISSING:
            return Rendered(*self._painter.paint(frame, face))
        mask = self.mask(face, frame.shape[:2])
        plastic = np.round(PLASTIC * 255) if frame.dtype == np.uint8 else PLASTIC
        drawn = frame.copy()
        drawn[mask > 0] = plastic.astype(frame.dtype)
        return Rendered(drawn, mask, mask)

    def _strokes_mask(self, face: TrackedFace, size: tuple[int, int]) -> np.ndarray:
        mask = np.zeros(size, np.uint8)
        scale = pose_scale(face.pose)
        centres = self._strokes * (1, 1, 0) + (0, self.headset.middle, FACE_FRONT)
        pixels = transform(face.pose, centres)[:, :2]
        for (x, y), radius in zip(pixels, self._strokes[:, 2] * scale, strict=True):
            cv2.circle(mask, (round(x * 16), round(y * 16)), round(radius * 16), 1, -1, cv2.LINE_8, 4)
        return mask

    def _flat_mask(self, face: TrackedFace, size: tuple[int, int]) -> np.ndarray:
        mask = np.zeros(size, np.uint8)
        scale, roll = pose_scale(face.pose), np.radians(pose_angles(face.pose)[2])
        centre = (face.points[33, :2] + face.points[263, :2]) / 2
        turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        outline = replace(self.headset, nose_gap=0.0).outline()
        pixels = (outline - (0, EYE_LINE)) @ turn.T + centre
        cv2.fillConvexPoly(mask, np.round(pixels * 16).astype(np.int32), 1, cv2.LINE_8, 4)
        return mask


def draw_headset(frames: np.ndarray, track: FaceTrack, artist: HeadsetArtist) -> tuple[np.ndarray, np.ndarray]:
    """HeadsetArtist.draw over a clip: (T, H, W, 3) frames to frames of the same type and (T, H, W) uint8 masks."""
    drawn = [artist.draw(frames[t], track[t]) for t in range(len(track))]
    return np.stack([f for f, _ in drawn]), np.stack([m for _, m in drawn])
