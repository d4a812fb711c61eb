"""Who is shown to the aligned generator, and which other picture of them.

Three kinds of pairs: two photographs of unlike days; frames of a film, with another film or another time of the same
one; and a photograph turned, which is its own reference.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from ...errors import InputError
from ...learning.scenes import RUN, SCENE_SIDE, Drawn, Scene, behind_a_headset, face_of, scene, upright
from ..data.face_store import FaceStore
from ..data.repose import angles_of, repose, rotation
from ..training.covered_samples import SampleMaker

OTHER_DAY, FILM = 0.55, 0.25  # shares of the kinds of pairs; the rest are photographs that are their own references
TURNED = 0.5  # share of photographs of another day that are turned a little
APART = 25  # frames between a film and its reference, where both are of one file


@dataclass(frozen=True)
class Pair(Drawn):
    """And a picture of them. reference: its number in the store; same_day: whether it is of the same day."""

    reference: int
    same_day: bool


class PairMaker:
    """Draws samples from a store of faces, with nothing but the given generator's chance."""

    def __init__(self, store: FaceStore):
        self._store, self._maker = store, SampleMaker(store)
        runs = _runs(store)
        self._days: dict[int, dict[int, list[np.ndarray]]] = {}
        self._films: dict[int, list[np.ndarray]] = {}
        self._photos: list[int] = []
        for run in runs:
            person, day = int(store.person[run[0]]), int(store.session[run[0]])
            if day >= 0:
                self._days.setdefault(person, {}).setdefault(day, []).append(run)
            if len(run) == RUN:
                self._films.setdefault(person, []).append(run)
            elif store.frame[run[0]] == 0:
                self._photos.append(int(run[0]))
        self._days = {person: days for person, days in self._days.items() if len(days) > 1}
        if not self._photos:
            raise InputError("Expected photographs among the faces to learn from, but there are none, only films.")

    def people(self) -> list[int]:
        """Those who are shown on more than one day."""
        return sorted(self._days)

    def draw(self, rng: np.random.Generator) -> Pair:
        """A sample of any kind."""
        kind = rng.random()
        if kind < OTHER_DAY and self._days:
            return self.other_day(int(rng.choice(self.people())), rng)
        if kind < OTHER_DAY + FILM and self._films:
            people = sorted(self._films)
            often = np.sqrt([len(self._films[p]) for p in people])
            runs = self._films[int(rng.choice(people, p=often / often.sum()))]
            run = runs[int(rng.integers(len(runs)))]
            others = [r for r in runs if self._apart(r, run)]
            if others:
                other = others[int(rng.integers(len(others)))]
                return self._sample(run, int(rng.choice(other)), rng)
        index = int(rng.choice(self._photos))
        return self._sample(np.array([index]), index, rng)

    def other_day(self, person: int, rng: np.random.Generator) -> Pair:
        """Somebody as on one day, and a picture of another."""
        days = self._days[person]
        shown, other = rng.choice(sorted(days), 2, replace=False)
        run, of = (days[day][int(rng.integers(len(days[day])))] for day in (shown, other))
        return self._sample(run, int(rng.choice(of)), rng)

    def _apart(self, one: np.ndarray, other: np.ndarray) -> bool:
        clip, frame = self._store.clip, self._store.frame
        return clip[one[0]] != clip[other[0]] or abs(int(frame[one[0]]) - int(frame[other[0]])) >= APART

    def _sample(self, run: np.ndarray, reference: int, rng: np.random.Generator) -> Pair:
        same = reference in run
        scenes = []
        for index in map(int, run):
            if len(run) > 1 or not (same or rng.random() < TURNED):
                scenes.append(scene(self._store.images[index], self._store.points[index]))
            else:
                scenes.append(self._turned(index, rng, far=same))
        day, clip = (values[[run[0], reference]] for values in (self._store.session, self._store.clip))
        same_day = bool(clip[0] == clip[1] or day[0] == day[1] >= 0)
        return Pair(**vars(behind_a_headset(scenes, rng)), reference=reference, same_day=same_day)

    def _turned(self, index: int, rng: np.random.Generator, *, far: bool) -> Scene:
        """A photograph whose head is turned, and its expression changed where the picture is its own reference."""
        points = self._store.points[index]
        angles = angles_of(self._store, index) + rng.normal(0, (15, 10, 4) if far else (6, 5, 3))
        shape = self._maker.expression(rng) if far else None
        crop = upright(points).matrix(SCENE_SIDE)
        posed = repose(self._store.images[index], points, rotation(*angles), shape, crop, SCENE_SIDE)
        return posed.image, face_of(posed.points)


def _runs(store: FaceStore) -> list[np.ndarray]:
    """Numbers of the faces, those together that follow each other in a film, RUN at most."""
    runs: list[list[int]] = []
    for i in range(len(store)):
        follows = i and store.clip[i] == store.clip[i - 1] and store.frame[i] == store.frame[i - 1] + 1
        if follows and len(runs[-1]) < RUN:
            runs[-1].append(i)
        else:
            runs.append([i])
    return [np.array(run) for run in runs]


class Samples(Dataset):
    """Batch k of a training run, the same for the same seed whatever was drawn before."""

    def __init__(self, maker: PairMaker, *, batch: int, steps: int, seed: int):
        self._maker, self._batch, self._steps, self._seed = maker, batch, steps, seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        rngs = (np.random.default_rng((self._seed, step, i)) for i in range(self._batch))
        return collate([self._maker.draw(rng) for rng in rngs])


def collate(samples: list[Pair]) -> dict[str, torch.Tensor]:
    """Samples to a batch: as in Pair with a leading B."""
    return {name: torch.from_numpy(np.stack([vars(sample)[name] for sample in samples])) for name in vars(samples[0])}


def other_days(maker: PairMaker, count: int, seed: int = 7) -> list[dict[str, torch.Tensor]]:
    """Pairs of unlike days, `count` of each person, always the same; a batch a person.

    Raises InputError where nobody is shown on two days."""
    if not maker.people():
        raise InputError(
            "Expected people who are shown on two days or more, by the column session of INDEX.tsv; got none."
        )
    return [
        collate([maker.other_day(person, np.random.default_rng((seed, person, i))) for i in range(count)])
        for person in maker.people()
    ]
