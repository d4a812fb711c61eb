"""A person's footage behind drawn headsets."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..learning.scenes import RUN, Drawn, behind_a_headset, scene
from ..tracking.track import FrameStatus
from .enrolment import Piece


def behind_headsets(pieces: Sequence[Piece], count: int, seed: int) -> Iterator[Drawn]:
    """So many samples, each of RUN frames in which the face was found; by nothing but the seed's chance."""
    runs = [(piece, t) for piece in pieces for t in found_together(piece)]
    for number in range(count if runs else 0):
        rng = np.random.default_rng((seed, number))
        piece, start = runs[int(rng.integers(len(runs)))]
        yield behind_a_headset([scene(piece.frames[t], piece.track.points[t]) for t in range(start, start + RUN)], rng)


def found_together(piece: Piece) -> list[int]:
    """First frames of all runs in which the face was found throughout."""
    found = piece.track.status == FrameStatus.FOUND
    return [t for t in range(len(found) - RUN + 1) if found[t : t + RUN].all()]
