"""Footage of any size and length, made from the demo's real clip."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, cycle, islice
from pathlib import Path

import cv2
import numpy as np

from ...demo import demo_clip
from ...video import VideoReader, VideoWriter


def write_footage(path: Path, width: int, height: int, length: int) -> None:
    """Write `length` frames, width x height pixels, of the talking head at the middle of a plain picture.

    The clip runs forwards and backwards in turn, so that its loop has no cut.
    """
    with VideoWriter(path, width=width, height=height, fps=Fraction(30)) as writer:
        for t, frame in enumerate(islice(_endless(width, height), length)):
            writer.write(frame, t)


def _endless(width: int, height: int) -> Iterator[np.ndarray]:
    with VideoReader(demo_clip()) as reader:
        frames = [frame.pixels for frame in reader]
    scale = height / frames[0].shape[0]
    inner = min(round(frames[0].shape[1] * scale), width)
    for frame in cycle(chain(frames, frames[-2:0:-1])):
        picture = np.full((height, width, 3), 96, np.uint8)
        left = (width - inner) // 2
        picture[:, left : left + inner] = cv2.resize(frame, (inner, height), interpolation=cv2.INTER_CUBIC)
        yield picture
