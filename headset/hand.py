"""A hand at the rim of a headset: tapered limbs in face coordinates, and the rounded strokes that draw them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..tracking.track import TrackedFace
from .look import Colour, Hand
from .models import Headset

SKIN_POINTS = [50, 280, 205, 425, 199, 200]  # cheeks and chin; their colour is that of the hand
UNKNOWN_SKIN = np.array((0.74, 0.56, 0.47))
STEPS = 7  # strokes from the dark rim of a finger to its lit middle


@dataclass(frozen=True)
class Limb:
    """A rounded piece from start to end, (3,) centimetres each, with a radius at either end. sleeve: None for skin."""

    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]
    sleeve: Colour | None = None


def hand_limbs(hand: Hand, headset: Headset) -> tuple[list[Limb], list[Limb]]:
    """What of the hand lies behind the device (the thumb) and what before it, each from the rear to the front."""
    a, side, size = np.radians(hand.angle), hand.side, hand.size
    inwards, down = np.array((-side * np.cos(a), -np.sin(a))), np.array((-side * np.sin(a), np.cos(a)))
    rim = np.array((side * headset.width * 0.48, headset.middle + hand.height))
    edge = float(headset.front(*rim)) + headset.bevel

    def at(along: float, across: float, z: float) -> np.ndarray:
        return np.array((*(rim + along * size * inwards + across * size * down), z))

    wrist = at(-10.0, 1.6, edge + 2.5)
    elbow = wrist + (side * 7.0, 20.0, 4.0)
    thumb = [Limb(at(-4.5, 3.6, edge + 3), at(1.2, 4.4, edge + 2.5), (1.1 * size, 0.95 * size))]
    front = [Limb(wrist + (elbow - wrist) * 0.2, elbow, (3.2 * size, 4.2 * size), hand.sleeve)]
    front.insert(0, Limb(wrist, elbow, (2.3 * size, 2.6 * size)))
    knuckles = []
    for across, longer in ((2.35, -0.9), (0.8, 0.2), (-0.8, 0.5), (-2.35, 0.0)):
        knuckle, joint = at(-3.4, across, edge + 1.0), at(-0.2, across * 0.95, edge - 1.0)
        tip = at(hand.reach + longer, across * 0.85, 0.0)
        tip[2] = float(headset.front(*tip[:2])) - 0.6
        front.append(Limb(wrist, knuckle, (1.9 * size, 1.15 * size)))
        knuckles += [Limb(knuckle, joint, (0.9 * size, 0.8 * size)), Limb(joint, tip, (0.8 * size, 0.62 * size))]
    return thumb, front + knuckles


def limb_strokes(
    start: np.ndarray, end: np.ndarray, radii: tuple[float, float], towards_light: np.ndarray
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield (N, 2) convex outlines in pixels, from the rim inwards, each with its brightness.

    start, end: (2,) pixels; radii: pixels; towards_light: (2,), at most of length 1.
    """
    for step in range(STEPS):
        share = 1 - 0.85 * step / (STEPS - 1)
        shift = (1 - share) * 0.5 * np.mean(radii) * towards_light
        yield _stadium(start + shift, end + shift, radii[0] * share, radii[1] * share), 0.66 + 0.42 * (1 - share**2)


def skin_colour(frame: np.ndarray, face: TrackedFace) -> np.ndarray:
    """(3,) RGB in [0, 1] of the face's skin. frame: (H, W, 3), uint8, or float in [0, 1]."""
    height, width = frame.shape[:2]
    x, y = np.round(face.points[SKIN_POINTS, :2]).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not inside.any():
        return UNKNOWN_SKIN
    colour = np.median(frame[y[inside], x[inside]].astype(np.float64), axis=0)
    return colour / 255 if frame.dtype == np.uint8 else colour


def _stadium(start: np.ndarray, end: np.ndarray, first: float, last: float) -> np.ndarray:
    direction = np.arctan2(*(end - start)[::-1])
    half_turn = np.linspace(np.pi / 2, 3 * np.pi / 2, 8) + direction
    near = start + first * np.stack([np.cos(half_turn), np.sin(half_turn)], axis=1)
    far = end - last * np.stack([np.cos(half_turn), np.sin(half_turn)], axis=1)
    return np.concatenate([near, far])
