"""From an enrolment to takes: each piece of footage behind several headsets, next to pictures of the rest of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..headset.draw import HEADSETS, HeadsetArtist, Look, randomised
from ..learning.photometry import relight
from ..models.personal_deocclusion import SIDE
from ..tracking.reference import Reference
from .enrolment import Enrolment, Piece, reference_of
from .sample_store import FILM, MODES, TakeStore, make_take

HELD_OUT = 0.12  # share of the pieces, the last ones, by which the training is measured
VARIANTS = 2  # headsets for each piece
SHOWN = 6  # pictures of a take's reference, each out of another piece where there are so many


def make_personal_takes(
    enrolment: Enrolment,
    learning: TakeStore,
    held_out: TakeStore,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill the two stores; takes that are there already stay as they are. progress: called with (done, in all)."""
    pieces = enrolment.pieces
    last = len(pieces) - max(round(HELD_OUT * len(pieces)), 1)
    for k, piece in enumerate(pieces):
        store = learning if k < last else held_out
        others = pieces[:last] if k >= last else [p for i, p in enumerate(pieces[:last]) if i != k] or pieces
        for variant in range(VARIANTS):
            name = f"{k:03}-{variant}"
            rng = np.random.default_rng((seed, k, variant))
            if name not in store:
                _make(store, name, piece, _reference(others, rng), MODES[(k + variant) % len(MODES)], rng)
        if progress is not None:
            progress(k + 1, len(pieces))


def _reference(pieces: Sequence[Piece], rng: np.random.Generator) -> Reference:
    """Pictures of some pieces, in the light of another day."""
    chosen = rng.choice(len(pieces), min(SHOWN, len(pieces)), replace=False)
    reference = reference_of([pieces[i] for i in chosen], SHOWN)
    lamp = int(rng.integers(1 << 31))  # one day for all of them
    lit = tuple(relight(image, np.random.default_rng(lamp)) for image in reference.images)
    return replace(reference, images=lit)


def _make(store: TakeStore, name: str, piece: Piece, reference: Reference, mode: str, rng: np.random.Generator) -> None:
    kind = str(rng.choice(list(HEADSETS)))
    artist = HeadsetArtist(randomised(HEADSETS[kind], rng), seed=int(rng.integers(1 << 31)), look=Look.random(rng))
    take = make_take(piece.frames, piece.track, artist, reference, mode=mode, side=SIDE)
    if take is not None:
        about = {"person": "enrolled", "kind": FILM, "headset": kind, "landmarks": mode}
        store.add(name, take, about)
