"""Pictures and words that show what was found: landmarks on a frame, the chosen reference frames."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from .geometry import FACE_OVAL
from .reference import FrameScore, Reference
from .track import FrameStatus, TrackedFace, ranges

SEEN, HIDDEN, GUESSED = (70, 230, 120), (255, 140, 30), (80, 160, 255)
INK, PAPER = (235, 238, 242), (30, 34, 40)
STATUS_WORDS = {
    FrameStatus.FOUND: "found",
    FrameStatus.INTERPOLATED: "interpolated",
    FrameStatus.MISSING: "no face",
}
# Closed outlines by point number: the oval, lips, eyes, brows and irises.
OUTLINES = (
    FACE_OVAL,
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    (469, 470, 471, 472),
    (474, 475, 476, 477),
)
# Points whose uncertainty is drawn: ends of brows, corners of eyes and mouth, nose, cheeks, chin.
WEIGHED = (70, 107, 300, 336, 33, 133, 362, 263, 1, 50, 280, 61, 291, 152)
DEVICE = HIDDEN
TILE, CAPTION, COLUMNS = 256, 66, 5  # of the reference sheet: pixels, pixels, tiles in a row


def draw_face(frame: np.ndarray, face: TrackedFace, number: int) -> np.ndarray:
    """The frame with the outlines of the face's features, and its number and status in the corner.

    frame: (H, W, 3) uint8 RGB. Lines are SEEN, HIDDEN where something covers them, or GUESSED in an interpolated
    frame. Circles around some points have their standard deviation as radius, where it is known. Returns a new picture.
    """
    out = frame.copy()
    if face.status != FrameStatus.MISSING:
        lines = outline_segments()
        hidden = (face.visibility[lines] < 0.5).any(1)
        ends = np.round(face.points[lines, :2] * 16).astype(np.int32)
        sight = GUESSED if face.status == FrameStatus.INTERPOLATED else SEEN
        width = max(round(np.ptp(face.points[:, 0]) / 250), 1)
        for part, colour in ((ends[~hidden], sight), (ends[hidden], HIDDEN)):
            cv2.polylines(out, list(part), False, colour, width, cv2.LINE_AA, 4)
        for point in WEIGHED:
            if face.deviation[point] > 0:
                centre = tuple(np.round(face.points[point, :2] * 16).astype(int).tolist())
                colour = sight if face.visibility[point] >= 0.5 else HIDDEN
                cv2.circle(out, centre, round(float(face.deviation[point]) * 16), colour, 1, cv2.LINE_AA, 4)
    scale = max(frame.shape[0] / 900, 0.35)
    write(out, f"{number} {STATUS_WORDS[face.status]}", (round(14 * scale), round(32 * scale)), scale)
    return out


def draw_mask(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The (H, W, 3) uint8 RGB frame with a mask, (H, W), over 0.5 = device, tinted and outlined in DEVICE."""
    out = frame.copy()
    inside = (mask > 0.5).astype(np.uint8)
    out[inside > 0] = (0.6 * frame[inside > 0] + 0.4 * np.array(DEVICE)).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(out, outlines, -1, DEVICE, max(frame.shape[0] // 400, 1))
    return out


def describe_masks(masks: np.ndarray) -> str:
    """A line on how many of the (T, H, W) masks, over 0.5 = device, show one, and how much of the picture it takes."""
    share = (masks > 0.5).mean((1, 2))
    found = share > 0
    where = f", where it takes {100 * share[found].mean():.0f} % of the picture" if found.any() else ""
    which = f" ({ranges(np.flatnonzero(found))})" if found.any() and not found.all() else ""
    return f"A headset was found in {found.sum()} of {len(masks)} frames{which}{where}."


def reference_sheet(reference: Reference, scores: Sequence[FrameScore]) -> np.ndarray:
    """The faces of a reference side by side, captioned with the scores of its frames, one for each; (H, W, 3) uint8."""
    tiles = [_tile(*parts) for parts in zip(reference.images, reference.points, scores, strict=True)]
    columns = min(COLUMNS, len(tiles))
    blank = np.full_like(tiles[0], PAPER)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def describe_scores(scores: Sequence[FrameScore], chosen: Sequence[int]) -> str:
    """A line on how many frames were chosen, and one on each of them."""
    lines = [f"{len(chosen)} of {len(scores)} frames chosen."]
    for score in (scores[t] for t in chosen):
        lines.append(
            f"Frame {score.frame}: yaw {score.yaw:+.0f} and pitch {score.pitch:+.0f} degrees, "
            f"eyes open {score.openness:.2f}, sharpness {score.sharpness:.0f}"
            f"{''.join(f', with {thing}' for thing in score.besides)}."
        )
    return "\n".join(lines)


@lru_cache(maxsize=1)
def outline_segments() -> np.ndarray:
    """(N, 2) point numbers of the ends of every line in OUTLINES."""
    return np.concatenate([np.column_stack([ring, np.roll(ring, -1)]) for ring in OUTLINES])


def face_tile(image: np.ndarray, points: np.ndarray, side: int) -> np.ndarray:
    """The picture cut to the face, (side, side, 3) uint8. image: (H, W, 3) uint8; points: (478, 2 or 3) pixels."""
    oval = points[list(FACE_OVAL), :2]
    centre, reach = (oval.min(0) + oval.max(0)) / 2, 0.75 * float(np.ptp(oval, axis=0).max())
    scale = side / (2 * reach)
    matrix = np.array([[scale, 0, side / 2 - scale * centre[0]], [0, scale, side / 2 - scale * centre[1]]])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=PAPER)


def _tile(image: np.ndarray, points: np.ndarray, score: FrameScore) -> np.ndarray:
    """One reference picture, cut to the face, above its caption: (TILE + CAPTION, TILE, 3) uint8."""
    caption = np.full((CAPTION, TILE, 3), PAPER, np.uint8)
    lines = (
        f"frame {score.frame}",
        f"yaw {score.yaw:+.0f}, pitch {score.pitch:+.0f}",
        f"eyes {score.openness:.2f}, sharpness {score.sharpness:.0f}",
    )
    for row, line in enumerate(lines):
        write(caption, line, (8, 18 + 20 * row), 0.45)
    return np.vstack([face_tile(image, points, TILE), caption])


def write(picture: np.ndarray, text: str, corner: tuple[int, int], scale: float) -> None:
    """Put text on a picture, outlined so that it is legible on any background; corner: left end of the base line."""
    x, y = corner
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        cv2.putText(picture, text, (x + dx, y + dy), cv2.FONT_HERSHEY_SIMPLEX, scale, PAPER, 1, cv2.LINE_AA)
    cv2.putText(picture, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 1, cv2.LINE_AA)
