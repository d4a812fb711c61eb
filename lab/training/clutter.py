"""What drawn scenes lack and real footage has: lamps of several colours, hoods, hats and scarves, hair over the device,
arms before the head."""

import cv2
import numpy as np

from ...headset.hand import UNKNOWN_SKIN, limb_strokes
from ...tracking.geometry import FACE_OVAL, pose_scale, transform

HAIRLINE = np.array((0.0, -10.5, 0.5))  # face coordinates, centimetres
STRANDS = 26  # of a lock of hair


def coloured_lamps(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture, (H, W, 3) float32 in [0, 1], under two lamps of unlike colours, one at either side of it.

    Under coloured light little is left of what things' own colours are, so part of them goes first.
    """
    height, width = picture.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    steep = rng.uniform(1.0, 5.0)
    ramp = 1 / (1 + np.exp(-steep * (np.cos(angle) * x + np.sin(angle) * y - rng.normal(0, 0.3))))
    ramp = ramp[..., None].astype(np.float32)
    one, other = _lamp(rng), _lamp(rng)
    grey = picture.mean(axis=2, keepdims=True)
    faded = grey + (picture - grey) * rng.uniform(0, 0.8)
    lit = faded ** rng.uniform(0.9, 1.8) * (ramp * one + (1 - ramp) * other)
    return (lit + rng.uniform(0, 0.08) * (one + other) / 2).astype(np.float32)


def _lamp(rng: np.random.Generator) -> np.ndarray:
    """(3,) float32: a colour, from nearly white to pure, and its brightness; dark now and then."""
    hue = rng.uniform(0, 1)
    pure = np.clip(np.abs((hue * 6 + np.array((0.0, 4.0, 2.0))) % 6 - 3) - 1, 0, 1)
    strength = rng.uniform(0.1, 0.95)
    brightness = rng.uniform(0.12, 0.4) if rng.random() < 0.3 else rng.uniform(0.4, 1.5)
    return (brightness * (1 - strength + strength * pure)).astype(np.float32)


def hair_over(picture: np.ndarray, pose: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Locks of hair that hang from the hairline over whatever is there; and (H, W) uint8, 1 where they are.

    picture: (H, W, 3) uint8; pose: (4, 4) centimetres to pixels. The hair has the colour that is seen above the
    forehead, or any colour of hair.
    """
    height, width = picture.shape[:2]
    x, y = transform(pose, HAIRLINE)[:2].astype(int)
    own = picture[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(np.float32)
    colour = own if rng.random() < 0.6 else np.array((1.0, 0.75, 0.5)) * rng.uniform(10, 220)
    out = picture.copy()
    share = np.linspace(0, 1, 12)[:, None]
    for _ in range(int(rng.integers(1, 4))):
        side = rng.choice([-1, 1])
        root = HAIRLINE + (rng.uniform(0, 7) * side, rng.uniform(-1, 2), 0)
        tip = np.array((side * rng.uniform(2, 10), rng.uniform(-5, 10), -rng.uniform(2, 12)))
        bend = (root + tip) / 2 + (side * rng.normal(0, 3), rng.normal(0, 2), -rng.uniform(2, 6))
        for _ in range(int(STRANDS * rng.uniform(0.3, 1.5))):
            shift = rng.normal(0, 0.6, 3)
            loose = rng.uniform(0.3, 2.0)
            start, middle, end = root + shift, bend + shift * loose, tip + shift * loose
            curve = (1 - share) ** 2 * start + 2 * share * (1 - share) * middle + share**2 * end
            places = [np.round(transform(pose, curve)[:, :2] * 16).astype(np.int32)]
            shade = np.clip(colour * rng.uniform(0.6, 1.5), 0, 255).tolist()
            cv2.polylines(out, places, False, shade, 1, cv2.LINE_AA, 4)
    return out, (out != picture).any(2).view(np.uint8)


def headwear(
    picture: np.ndarray, points: np.ndarray, pose: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A hood, a hat or a scarf, which hides how wide and how high the face is; and (H, W) uint8, 1 where it is.

    picture: (H, W, 3) uint8; points: (478, 3) pixels; pose: (4, 4) centimetres to pixels. To be drawn before a headset.
    """
    size, kind = picture.shape[:2], rng.choice(["hood", "hat", "scarf"], p=(0.5, 0.25, 0.25))
    worn = np.zeros(size, np.uint8)

    def fill(outline: np.ndarray, value: int) -> None:
        cv2.fillPoly(worn, [np.round(outline * 16).astype(np.int32)], value, cv2.LINE_8, 4)

    if kind == "hood":
        oval = points[list(FACE_OVAL), :2]
        middle = transform(pose, np.array((0.0, -1.0, 0.0)))[:2]
        ragged = 1 + rng.uniform(0, 0.06) * rng.standard_normal((len(oval), 1))
        fill(middle + (oval - middle) * rng.uniform(1.5, 2.4, 2), 1)
        fill(middle + (oval - middle) * ragged * rng.uniform((0.78, 0.85), (1.15, 1.2)), 0)
    else:
        angle = np.linspace(0, np.pi, 24)
        wide, edge = rng.uniform(8, 12), rng.uniform(-8.5, -4.5) if kind == "hat" else rng.uniform(1.5, 8.0)
        high = -rng.uniform(6, 12) if kind == "hat" else rng.uniform(5, 12)
        brim = np.stack([np.linspace(-wide, wide, 24), edge + rng.uniform(-2, 2) * np.sin(angle)], 1)
        far = np.stack([wide * np.cos(angle), edge + high * np.sin(angle)], 1)
        fill(transform(pose, np.column_stack([np.concatenate([brim, far]), np.zeros(48)]))[:, :2], 1)
    grain = rng.uniform(0.6, 4.0, 2)
    noise = cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), grain[0], sigmaY=grain[1])
    folds = cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), rng.uniform(6, 14))
    shade = 1 + rng.uniform(0, 0.35) * noise / noise.std() + rng.uniform(0, 0.3) * folds / folds.std()
    cloth = rng.uniform(5, 240) * (1 + rng.uniform(0, 0.6) * rng.uniform(-1, 1, 3))
    share = cv2.GaussianBlur(worn * np.float32(1), (0, 0), rng.uniform(0.5, 1.5))[..., None]
    out = picture + share * (np.clip(cloth * shade[..., None], 0, 255) - picture)
    return np.round(out).astype(np.uint8), worn


def arm_before(
    picture: np.ndarray, pose: np.ndarray, skin: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A hand held up near the head, with its fingers and a sleeve or none; and (H, W) uint8, 1 where it is.

    picture: (H, W, 3) uint8; pose: (4, 4) centimetres to pixels. skin: (3,) RGB in [0, 1] of the person.
    """
    scale = pose_scale(pose)
    head = transform(pose, np.zeros(3))[:2]
    side = rng.choice([-1, 1])
    palm = head + scale * np.array((side * rng.uniform(8, 17), rng.uniform(-10, 12)))
    elbow = palm + scale * np.array((side * rng.uniform(0, 14), rng.uniform(14, 26)))
    colour = skin if rng.random() < 0.7 else UNKNOWN_SKIN * rng.uniform(0.3, 1.3)
    light = rng.normal(0, 0.6, 2).clip(-0.7, 0.7)
    sleeve = rng.uniform(0.03, 0.9, 3)
    limbs = [(elbow, palm, (4.0, 2.6), colour)]
    if rng.random() < 0.7:
        limbs.append((elbow, palm + 0.3 * (elbow - palm), (4.6, 3.8), sleeve))
    pointing = np.arctan2(*(palm - elbow)[::-1]) + rng.normal(0, 0.3)
    limbs.append((palm, palm + scale * 4 * np.array((np.cos(pointing), np.sin(pointing))), (3.4, 3.8), colour))
    for across in np.linspace(-0.5, 0.5, 4) * rng.uniform(0.6, 1.6):
        angle, base = (
            pointing + across,
            palm + scale * 5 * np.array((np.cos(pointing + 0.9 * across), np.sin(pointing + 0.9 * across))),
        )
        tip = base + scale * rng.uniform(2, 8) * np.array((np.cos(angle), np.sin(angle)))
        limbs.append((base, tip, (0.95, 0.75), colour))
    out = picture.copy()
    for start, end, radii, tone in limbs:
        for outline, brightness in limb_strokes(start, end, (radii[0] * scale, radii[1] * scale), light):
            shade = np.clip(255 * np.asarray(tone) * brightness, 0, 255).tolist()
            cv2.fillConvexPoly(out, np.round(outline * 16).astype(np.int32), shade, cv2.LINE_AA, 4)
    return out, (out != picture).any(2).view(np.uint8)


def back_of_head(picture: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture, (S, S, 3) uint8, with hair where the face is: no face, but all that is around one.

    points: (478, 3) pixels of the face.
    """
    side = len(picture)
    middle = points[:, :2].mean(0)
    outline = middle + (points[:, :2] - middle) * rng.uniform(1.1, 1.3)
    head = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(head, cv2.convexHull(np.round(outline).astype(np.int32)), 255, cv2.LINE_AA)
    noise = rng.normal(0, 1, (side, side)).astype(np.float32)
    streaks = cv2.GaussianBlur(noise, (0, 0), sigmaX=rng.uniform(0.6, 1.5), sigmaY=rng.uniform(3, 12))
    shade = 1 + rng.uniform(0.1, 0.4) * streaks / streaks.std()
    colour = np.array((1.0, rng.uniform(0.7, 0.9), rng.uniform(0.45, 0.8))) * rng.uniform(8, 200)
    share = cv2.GaussianBlur(head, (0, 0), 1.5)[..., None] / np.float32(255)
    hair = np.clip(colour * shade[..., None], 0, 255)
    return np.round(picture + share * (hair - picture)).astype(np.uint8)
