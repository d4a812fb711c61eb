"""What a personal model learns from: frames out of the takes of one person."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from ..errors import InputError
from ..learning.photometry import relight
from ..models.personal_deocclusion import SIDE
from .sample_store import Take, TakeStore

# How a frame is turned, scaled and moved, with its truth. 3FabRec turns by up to 45 degrees and mirrors; a person's two
# halves are not alike, and the engine's crops stand upright.
TURN, SCALE, SHIFT = 8.0, 0.05, 0.035  # degrees, share, share of the side: largest
RELIT = 0.7  # share of frames in another light: sessions differ by that more than by anything else


@dataclass(frozen=True)
class Frames:
    """B frames. covered, truth, warped: (B, 3, 256, 256) uint8, with the headset, without, and what the method "warp"
    makes of it; hole: (B, 1, 256, 256) uint8."""

    covered: torch.Tensor
    truth: torch.Tensor
    warped: torch.Tensor
    hole: torch.Tensor

    @classmethod
    def stack(cls, frames: "list[tuple[np.ndarray, ...]]") -> "Frames":
        """Of (256, 256, 3) pictures and (256, 256) holes, in the order above."""
        *pictures, hole = (torch.from_numpy(np.stack(one)) for one in zip(*frames, strict=True))
        return cls(*(picture.permute(0, 3, 1, 2) for picture in pictures), hole[:, None])


class PersonalSamples(Dataset):
    """Batch k of a run, `batch` frames, the same whatever was drawn before.

    Raises InputError for takes of another size than 256.
    """

    def __init__(self, store: TakeStore, *, batch: int, steps: int, seed: int):
        for name in store.names():
            if (side := store.open(name).truth.shape[1]) != SIDE:
                raise InputError(f"Expected takes with crops of {SIDE} pixels, got {side}.")
        # Takes are opened one at a time: each maps a dozen files, and a process may not have that many for hundreds.
        self._store = store
        self._frames = store.frames()
        self._batch, self._steps, self._seed = batch, steps, seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Frames:
        rng = np.random.default_rng((self._seed, step))
        return Frames.stack([self._draw(rng) for _ in range(self._batch)])

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """One frame, moved and lit at random."""
        name, t = self._frames[int(rng.integers(len(self._frames)))]
        take = self._store.open(name)
        matrix = _wobble(rng)
        lamp = int(rng.integers(1 << 31)) if rng.random() < RELIT else None
        return _varied(take, t, matrix, lamp)


def _varied(take: Take, t: int, matrix: np.ndarray, lamp: int | None) -> tuple[np.ndarray, ...]:
    *pictures, hole = (
        cv2.warpAffine(np.asarray(p[t]), matrix, (SIDE, SIDE), flags=how, borderMode=cv2.BORDER_REFLECT)
        for p, how in (
            (take.covered, cv2.INTER_LINEAR),
            (take.truth, cv2.INTER_LINEAR),
            (take.warped, cv2.INTER_LINEAR),
            (take.hole, cv2.INTER_NEAREST),
        )
    )
    if lamp is not None:
        pictures = [relight(picture, np.random.default_rng(lamp)) for picture in pictures]
    return *pictures, hole


def _wobble(rng: np.random.Generator) -> np.ndarray:
    """(2, 3): a small similarity around the middle of the crop."""
    turn, scale = rng.uniform(-TURN, TURN), 1 + rng.uniform(-SCALE, SCALE)
    matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), turn, scale)
    matrix[:, 2] += rng.uniform(-SHIFT, SHIFT, 2) * SIDE
    return matrix
