"""The face as lines, which tells an inpainting network where eyes, brows, nose, mouth and jaw are.

EVI-HRnet (section 3.2) connects the 68 points of dlib's landmarks. Ours come from the 478-point mesh.
"""

import cv2
import numpy as np

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

SURE, GUESSED = 1.0, 0.5  # values of a line between points that are known, and of one where a point is a guess
WIDTH = 1 / 128  # of a line, by the side of the picture; at twice that, as in LGTSM, the loop of an eye closes
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
