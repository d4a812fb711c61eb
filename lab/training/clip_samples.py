"""What an inpainting network sees in a training step: windows out of takes."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from ...errors import InputError
from ...personal.sample_store import FILM, Take, TakeStore
from ...restore.network_inputs import contour_image
from ...tracking.geometry import mirrored_points
from ..evaluation.driven import driven_points

DRIVEN = 0.3  # share of windows in which the headset's own cameras tell what lids and brows do
FILMED = 0.6  # share of windows of people who were filmed, where there are moved photographs as well
UNKNOWN = 0.1  # share of windows without any hidden point


@dataclass(frozen=True)
class Clips:
    """B windows of T frames. frames, truth, reference: (B, T, 3, S, S) uint8; hole: (B, T, 1, S, S) uint8; contour:
    (B, T, 1, S, S) float32; points: (B, T, 478, 2) float32 pixels of the true face."""

    frames: torch.Tensor
    truth: torch.Tensor
    reference: torch.Tensor
    hole: torch.Tensor
    contour: torch.Tensor
    points: torch.Tensor

    @classmethod
    def stack(cls, clips: "list[Clips]") -> "Clips":
        return cls(**{name: torch.cat([vars(clip)[name] for clip in clips]) for name in vars(clips[0])})


@dataclass(frozen=True)
class Given:
    """Clips as networks take them: float32, pictures in [0, 1]."""

    frames: torch.Tensor
    truth: torch.Tensor
    reference: torch.Tensor
    hole: torch.Tensor
    contour: torch.Tensor
    points: torch.Tensor

    @classmethod
    def of(cls, clips: Clips, device: str) -> "Given":
        frames, truth, reference = (x.to(device).float() / 255 for x in (clips.frames, clips.truth, clips.reference))
        hole, contour, points = (x.to(device).float() for x in (clips.hole, clips.contour, clips.points))
        return cls(frames, truth, reference, hole, contour, points)

    def composite(self, picture: torch.Tensor) -> torch.Tensor:
        """The truth with a picture in its hole, float32."""
        return torch.lerp(self.truth, picture.float(), self.hole)


class ClipSamples(Dataset):
    """Batch k of a training run, the same whatever was drawn before.

    store: the takes. side: pixels of the crops, no more than the takes have. batch: windows of a step.
    """

    def __init__(
        self,
        store: TakeStore,
        *,
        side: int,
        frames: int,
        batch: int,
        steps: int,
        seed: int,
    ):
        about = {name: store.about(name) for name in store.names()}
        long_enough = [name for name, a in about.items() if int(a["frames"]) >= frames]
        people = sorted({(about[name]["kind"], about[name]["person"]) for name in long_enough})
        self._by_person = [
            [name for name in long_enough if (about[name]["kind"], about[name]["person"]) == person]
            for person in people
        ]
        # Whoever is filmed for long is seen more often, but not in proportion; and a moved photograph is never as much
        # unlike its reference as film is.
        counts = np.sqrt([len(names) for names in self._by_person])
        filmed = np.array([kind == FILM for kind, _ in people])
        for group, share in ((filmed, FILMED), (~filmed, 1 - FILMED)):
            counts[group] *= share / max(counts[group].sum(), 1)
        self._chances = counts / counts.sum()
        self._store, self._side, self._frames = store, side, frames
        self._batch, self._steps, self._seed = batch, steps, seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Clips:
        return Clips.stack([self._draw(np.random.default_rng((self._seed, step, i))) for i in range(self._batch)])

    def _draw(self, rng: np.random.Generator) -> Clips:
        names = self._by_person[int(rng.choice(len(self._chances), p=self._chances))]
        take = self._store.open(names[int(rng.integers(len(names)))])
        start = int(rng.integers(len(take) - self._frames + 1))
        chance, mirrored = rng.random(), rng.random() < 0.5
        landmarks = "driven" if chance < DRIVEN else "none" if chance < DRIVEN + UNKNOWN else "as they are"
        part = shrunk(take, slice(start, start + self._frames), self._side)
        return window(part, landmarks=landmarks, mirrored=mirrored)


def shrunk(take: Take, frames: slice, side: int) -> Take:
    """Some frames of a take in crops of `side` pixels. Raises InputError where they would have to be enlarged."""
    before = take.truth.shape[1]
    if side > before:
        raise InputError(f"Expected takes with crops of at least {side} pixels, got {before}; prepare larger ones.")
    part = Take(**{name: value if name == "reference" else value[frames] for name, value in vars(take).items()})
    if side == before:
        return part
    size, scale = (side, side), side / before

    def small(pictures: np.ndarray) -> np.ndarray:
        return np.stack([cv2.resize(np.asarray(p), size, interpolation=cv2.INTER_AREA) for p in pictures])

    return replace(
        part,
        **{name: small(getattr(part, name)) for name in ("truth", "covered", "warped")},
        hole=(small(part.hole * np.uint8(255)) > 0).astype(np.uint8),
        points=(part.points + 0.5) * scale - 0.5,
        seen=(part.seen + 0.5) * scale - 0.5,
        reference=small(part.reference[None])[0],
    )


def window(take: Take, *, landmarks: str = "as they are", mirrored: bool = False) -> Clips:
    """A take as the network sees it, B = 1. landmarks: "as they are"; "driven", the shape of lids, brows and irises is
    known too, though not quite where they are; or "none", without the lines in the hole."""
    side = take.truth.shape[1]
    points, seen, known = (np.array(a) for a in (take.points, take.seen, take.known))
    reference = np.broadcast_to(take.reference, take.truth.shape)
    pictures = {"frames": take.covered, "truth": take.truth, "reference": reference}
    pictures = {name: np.asarray(a) for name, a in pictures.items()}
    hole = np.asarray(take.hole)
    if landmarks == "driven":
        seen, known = driven_points(points, seen, known)
    if mirrored:
        swap = mirrored_points()
        points, seen = (p[:, swap] * (-1, 1) + (side - 1, 0) for p in (points, seen))
        known, hole = known[:, swap], hole[:, :, ::-1]
        pictures = {name: picture[:, :, ::-1] for name, picture in pictures.items()}
    contour = np.stack([contour_image(p, side, k) for p, k in zip(seen, known, strict=True)])
    if landmarks == "none":
        contour = np.where(hole > 0, 0, contour).astype(np.float32)
    return Clips(
        **{name: torch.from_numpy(picture.transpose(0, 3, 1, 2).copy())[None] for name, picture in pictures.items()},
        hole=torch.from_numpy(hole.copy())[None, :, None],
        contour=torch.from_numpy(contour)[None, :, None],
        points=torch.from_numpy(points.astype(np.float32))[None],
    )
