"""Between the frame path and the networks: what they are given, and what is made of their answer.

The face as lines tells an inpainting network where eyes, brows, nose, mouth and jaw are. EVI-HRnet (section 3.2)
connects the 68 points of dlib's landmarks. Ours come from the 478-point mesh.
"""

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from ..models.aligned_generator import UNLIKE, Generated
from ..models.box import coarse
from ..models.recall import GUESSED
from .filler import Filling, Window
from .grid import blurred, grown, membrane, moved
from .rim import EDGE, FEWEST_TINTED, ring_around
from .warp import SEAM, Fitted

# dlib's 68 points (the iBUG 300-W scheme) in MediaPipe's mesh, in dlib's order. At the cheeks MediaPipe's oval runs
# somewhat outside dlib's jaw line; the others mean the same spots.
DLIB_68 = (
    127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # nose: bridge, base
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # lips, outside
    78, 82, 13, 312, 308, 317, 14, 87,  # lips, inside
)  # fmt: skip

# First and last of the 68 points of each line, and whether it is closed. Eyes and lips are loops, so that a shut eye is
# a thin loop and an open one a wide one.
LINES = (
    (0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False),
    (36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True),
)  # fmt: skip

SURE = 1.0  # value of a line between points that are known
WIDTH = 1 / 128  # of a line, by the side of the picture; at twice that, as in LGTSM, the loop of an eye closes
# Share of what is drawn on the face that gives way to the photo's own eyes and skin, as a drawing is softer. Chosen on
# `val` photos of another day: slopes in the hole are 0.87 of the truth's without it, 0.96 with it, which costs 0.3 dB.
KEPT_FACE = 0.5
# Root mean squares of the difference on the face around the hole up to which a reference is right as it is, and from
# which all is corrected. What is off by less is of the same day and light, of which the generator has seen too little.
# Chosen on 38 `val` clips behind `quest` with a reference of their own first second: nearer to the truth than warp by
# 0.4 dB so, and by 0.2 correcting always.
FITTING, FAR_OFF = 4 / 255, 7 / 255
_FRACTION = 4  # bits of a pixel's fraction that OpenCV draws with


def contour_image(points: np.ndarray, side: int, known: np.ndarray | None = None) -> np.ndarray:
    """The face's lines in a square picture, (side, side) float32 in [0, 1], anti-aliased.

    points: (478, 2 or 3) pixels of the picture. known: (478,) how far each point can be relied upon, over 0.5 = known;
    all are if it is not given. A line from or to a point that is not known is drawn half as bright. At full brightness
    the lines have the value 1: LGTSM's code divides them by 255 once more than it should and hardly shows them.
    """
    chosen = points[list(DLIB_68), :2]
    sure = np.ones(len(DLIB_68), bool) if known is None else known[list(DLIB_68)] > 0.5
    ends = np.array(_segments())
    fixed = np.round(chosen * (1 << _FRACTION)).astype(np.int32)
    both = sure[ends].all(1)
    width = max(round(side * WIDTH), 1)
    picture = np.zeros((side, side), np.uint8)
    # Guesses first: what is known is drawn over them.
    for segments, value in ((ends[~both], GUESSED), (ends[both], SURE)):
        cv2.polylines(picture, list(fixed[segments]), False, round(255 * value), width, cv2.LINE_AA, _FRACTION)
    return picture.astype(np.float32) / 255


def _segments() -> list[tuple[int, int]]:
    """Pairs of the 68 points that a line joins."""
    pairs = []
    for first, last, closed in LINES:
        pairs += [(i, i + 1) for i in range(first, last)]
        if closed:
            pairs.append((last, first))
    return pairs


def contours(window: Window, side: int | None = None) -> torch.Tensor:
    """The faces' lines, (T, 1, side, side); the window's own size if none is given."""
    own = window.frames.shape[-1]
    points = window.points[..., :2] * ((side or own) / own)
    lines = [contour_image(p, side or own, known) for p, known in zip(points, window.visibility, strict=True)]
    return torch.from_numpy(np.stack(lines))[:, None].to(window.frames.device)


def memory_of(window: Window) -> torch.Tensor:
    """(T, 5, S, S): what each place showed when it was last in sight, black where it never was; 1 where it was; and how
    far the face has moved since, in sides of the crop. Cells of which only a part is known do not count."""
    remembered = window.remembered
    whole = (remembered.known > 1 - 1e-3).float()
    return torch.cat([remembered.pictures * whole, whole, remembered.moved * whole], 1)


def generator_inputs(frames: torch.Tensor, holes: torch.Tensor, kind: torch.Tensor, fitted: Fitted) -> torch.Tensor:
    """(N, CHANNELS, S, S): what models.aligned_generator is given of N frames. frames: (N, 3, S, S) in [0, 1]; holes:
    (N, 1, S, S), over 0 where any of a cell is hole; kind: (N, 1, S, S) of tracking.mesh."""
    # Right beside the hole the device's edge shines through.
    hole = grown(holes, SEAM).float()
    shown = 1 - hole
    unlike = UNLIKE * (frames - fitted.pictures) * shown
    around = membrane(frames, shown)
    ring, face = ((kind == value).float() for value in (1, 2))
    return torch.cat([frames * shown, hole, ring, face, fitted.pictures, unlike, around], 1)


def need(frames: torch.Tensor, holes: torch.Tensor, kind: torch.Tensor, fitted: Fitted) -> torch.Tensor:
    """How much the fitted reference is in need of correction, (N,) in [0, 1], by how far it is off on the face around
    the hole, in light or in place; NaN where next to nothing of the face is seen. As in `generator_inputs`."""
    ring = (ring_around(holes) & (kind == 2)).float()
    count = ring.sum((1, 2, 3))
    squares = ((frames - fitted.pictures).square().mean(1, keepdim=True) * ring).sum((1, 2, 3))
    off = (squares / count.clamp(min=1)).sqrt()
    return ((off - FITTING) / (FAR_OFF - FITTING)).clamp(0, 1).masked_fill(count < FEWEST_TINTED, torch.nan)


def restrained(found: Generated, kind: torch.Tensor, needed: torch.Tensor) -> Generated:
    """What of the generator's answer is done: as much as is needed, (N,), and less drawn on the face. What is drawn
    where the reference shows nothing stays."""
    by = needed[:, None, None, None]
    face = blurred((kind == 2).float(), EDGE * kind.shape[-1])
    displacement, tint, share = (x.to(by) * by for x in (found.displacement, found.tint, found.share))
    return Generated(displacement, tint, found.drawing, share * (1 - KEPT_FACE * face))


def generated(fitted: Fitted, found: Generated) -> Filling:
    """What the aligned generator makes of the fitted reference, without what is remembered."""
    filling = fitted.filling
    side = filling.places.shape[-1]
    device = filling.places.device
    smooth = torch.cat([found.displacement, found.tint], 1).to(device)
    steps, tint = F.interpolate(smooth, size=side, mode="bilinear", align_corners=False).split((2, 3), 1)
    known = filling.known
    fields = moved(torch.cat([filling.places * known, known, filling.tint, filling.drawn], 1), steps)
    places, known, before, ground = fields.split((2, 1, 3, 3), 1)
    drawn = ground + tint + found.drawing.to(device)
    places = places / known.clamp(min=1e-3)
    return Filling(drawn, filling.shown, places, known, before + tint, share=found.share.to(device))


def recalled(filling: Filling, drawing: torch.Tensor, memory: torch.Tensor, share: torch.Tensor) -> Filling:
    """What `generated` made, with what is remembered mixed in. drawing: what was drawn in it, see Generated; memory:
    see memory_of; share: (T, 1, S, S), the logit of its share."""
    seen = filling.drawn - filling.known * (1 - filling.share) * drawing.to(memory)  # as the grid shows it
    return replace(filling, recall=share, coarse=coarse(memory[:, 3:4] * (memory[:, :3] - seen)))
