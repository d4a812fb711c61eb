"""The face as lines, which tells an inpainting network where eyes, brows, nose, mouth and jaw are.

EVI-HRnet (section 3.2) connects the 68 points of dlib's landmarks. Ours come from the 478-point mesh.
"""

import cv2
import numpy as np
import torch
from einops import rearrange

from ..models.recall import GUESSED
from .filler import Window

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


MOST_CHANNELS = 4  # that OpenCV shrinks at once


def resized(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """(T, C, S, S) float32 to (T, C, side, side), averaged where they shrink, as what the networks are trained on."""
    before = pictures.shape[-1]
    if side == before:
        return pictures
    how = cv2.INTER_AREA if side < before else cv2.INTER_LINEAR
    parts = []
    for part in pictures.split(MOST_CHANNELS, 1):
        images = rearrange(part, "t c h w -> t h w c").numpy()
        small = np.stack([cv2.resize(image, (side, side), interpolation=how) for image in images])
        parts.append(small.reshape(*small.shape[:3], -1))
    return rearrange(torch.from_numpy(np.concatenate(parts, 3)), "t h w c -> t c h w")


def known_whole(memory: torch.Tensor) -> torch.Tensor:
    """A shrunk (..., 5, S, S) memory without the pixels of which only a part is known."""
    return memory * (memory[..., 3:4, :, :] > 1 - 1e-3)


def contours(window: Window, side: int) -> torch.Tensor:
    """The faces' lines in pictures of another size, (T, 1, side, side), see restore.network_inputs."""
    points = (window.points[..., :2] + 0.5) * (side / window.crops.shape[-1]) - 0.5
    lines = [contour_image(p, side, known) for p, known in zip(points, window.visibility, strict=True)]
    return torch.from_numpy(np.stack(lines))[:, None]


def memory_of(window: Window) -> torch.Tensor:
    """(T, 5, S, S): what each place showed when it was last in sight, black where it never was; 1 where it was; and how
    far the face has moved since, in sides of the crop."""
    return torch.cat([window.remembered * window.in_memory, window.in_memory.float(), window.moved], 1)
