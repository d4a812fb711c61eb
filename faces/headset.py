"""Drawn headsets: a rounded box in metric face coordinates, posed with the head and projected into the picture.

Used to simulate a headset on uncovered video and to place a mask on real footage. The shapes are as large as real
devices (width 165-190 mm, height 85-115 mm, depth 40-90 mm); `band` is the bar over the eyes of the papers.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import InputError
from .pose import pose_angles, pose_scale, transform
from .track import FaceTrack, FrameStatus, TrackedFace

EYE_LINE = -2.6  # y of the eyes in face coordinates, centimetres (canonical face)
FACE_FRONT = -5.0  # z of brow and cheek bones, where a headset's frame rests


@dataclass(frozen=True)
class Headset:
    """A rounded box in centimetres, face coordinates. `top` and `bottom` are y, relative to the eye line."""

    width: float
    top: float
    bottom: float
    depth: float
    roundness: float = 4.0  # exponent of the superellipse outline: 2 an ellipse, large a rectangle

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def outline(self, points: int = 48) -> np.ndarray:
        """(points, 2) x, y of the front's outline in face coordinates."""
        angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
        c, s = np.cos(angle), np.sin(angle)
        x = np.sign(c) * np.abs(c) ** (2 / self.roundness) * self.width / 2
        y = np.sign(s) * np.abs(s) ** (2 / self.roundness) * self.height / 2
        return np.stack([x, y + EYE_LINE + (self.top + self.bottom) / 2], axis=1)


HEADSETS = {
    "band": Headset(width=15.0, top=-2.6, bottom=2.2, depth=0.5, roundness=8),
    "quest": Headset(width=18.5, top=-5.0, bottom=4.6, depth=7.0, roundness=5),
    "psvr": Headset(width=19.0, top=-6.0, bottom=5.6, depth=9.0, roundness=4),
    "visionpro": Headset(width=17.5, top=-4.6, bottom=4.2, depth=5.0, roundness=3),
}
SHAPES = ("box", "flat", "freeform")
PLASTIC = np.array((0.13, 0.13, 0.15), np.float32)


def preset(name: str) -> Headset:
    """The headset of that name. Raises InputError for an unknown one."""
    if name not in HEADSETS:
        raise InputError(f"Expected a headset preset out of {', '.join(HEADSETS)}, got {name!r}.")
    return HEADSETS[name]


class HeadsetArtist:
    """Draws one headset on the frames of one clip.

    shape: "box" follows yaw, pitch and roll; "flat" is a rectangle in the picture plane that follows position,
    size and roll only (as the rectangle masks of the personal de-occlusion paper); "freeform" is a blob of brush
    strokes around the eyes, for masks that come from a brush or a rough segmentation. grow: margin in centimetres.
    """

    def __init__(self, headset: Headset, *, shape: str = "box", grow: float = 0.0, seed: int = 0):
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

    def mask(self, face: TrackedFace, size: tuple[int, int]) -> np.ndarray:
        """(H, W) uint8, 1 where the headset hides the picture; all 0 for a missing face. size: (H, W)."""
        mask = np.zeros(size, np.uint8)
        if face.status == FrameStatus.MISSING:
            return mask
        if self.shape == "freeform":
            scale = pose_scale(face.pose)
            middle = EYE_LINE + (self.headset.top + self.headset.bottom) / 2
            centres = np.column_stack([self._strokes[:, 0], self._strokes[:, 1] + middle])
            pixels = transform(face.pose, _at_depth(centres, FACE_FRONT))[:, :2]
            for (x, y), radius in zip(pixels, self._strokes[:, 2] * scale, strict=True):
                cv2.circle(mask, (round(x * 16), round(y * 16)), round(radius * 16), 1, -1, cv2.LINE_8, 4)
            return mask
        rear, front = self._outlines(face)
        hull = cv2.convexHull(np.concatenate([rear, front]).astype(np.float32))
        cv2.fillConvexPoly(mask, _fixed(hull[:, 0]), 1, cv2.LINE_8, 4)
        return mask

    def draw(self, frame: np.ndarray, face: TrackedFace) -> tuple[np.ndarray, np.ndarray]:
        """The frame with the headset on it, and the exact mask of the pixels that it hides.

        frame: (H, W, 3), uint8, or float32 in [0, 1]. Returns a new frame of the same type and an (H, W) uint8 mask.
        """
        mask = self.mask(face, frame.shape[:2])
        if not mask.any():
            return frame.copy(), mask
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        shade = np.ones((y1 - y0, x1 - x0), np.float32)
        if self.shape == "box":
            _, front = self._outlines(face)
            yaw, pitch, _ = pose_angles(face.pose)
            light = 1.6 + float(yaw) / 90 - float(pitch) / 120
            cv2.fillConvexPoly(shade, _fixed(front - (x0, y0)), light, cv2.LINE_8, 4)
            glossy = 1.25 - 0.5 * (np.arange(y0, y1) - front[:, 1].min()) / max(np.ptp(front[:, 1]), 1.0)
            shade *= np.clip(glossy, 0.7, 1.3).astype(np.float32)[:, None]
        colour = shade[..., None] * PLASTIC
        if frame.dtype == np.uint8:
            colour = np.round(colour * 255).astype(np.uint8)
        drawn = frame.copy()
        np.copyto(drawn[y0:y1, x0:x1], colour.astype(frame.dtype), where=mask[y0:y1, x0:x1, None] > 0)
        return drawn, mask

    def _outlines(self, face: TrackedFace) -> tuple[np.ndarray, np.ndarray]:
        """Outlines, (N, 2) pixels each, of the side on the face and of the side to the camera."""
        outline = self.headset.outline()
        if self.shape == "flat":
            scale, roll = pose_scale(face.pose), np.radians(pose_angles(face.pose)[2])
            centre = (face.points[33, :2] + face.points[263, :2]) / 2
            turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
            flat = (outline - (0, EYE_LINE)) @ turn.T + centre
            return flat, flat
        # The frame wraps around the temples, so its rear edge lies behind the cheek bones.
        rear = transform(face.pose, _at_depth(outline, FACE_FRONT + min(self.headset.depth, 3.0)))
        front = transform(face.pose, _at_depth(outline, FACE_FRONT - self.headset.depth))
        return rear[:, :2], front[:, :2]


def draw_headset(frames: np.ndarray, track: FaceTrack, artist: HeadsetArtist) -> tuple[np.ndarray, np.ndarray]:
    """HeadsetArtist.draw over a clip: (T, H, W, 3) frames to frames of the same type and (T, H, W) uint8 masks."""
    drawn = [artist.draw(frames[t], track[t]) for t in range(len(track))]
    return np.stack([f for f, _ in drawn]), np.stack([m for _, m in drawn])


def _at_depth(xy: np.ndarray, z: float) -> np.ndarray:
    return np.column_stack([xy, np.full(len(xy), z)])


def _fixed(points: np.ndarray) -> np.ndarray:
    """Sub-pixel polygon coordinates for OpenCV's `shift=4`."""
    return np.round(points * 16).astype(np.int32)
