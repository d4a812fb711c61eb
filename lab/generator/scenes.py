"""What is drawn for a training sample: somebody behind a headset, and another picture of them.

Three kinds of pairs: two photographs of unlike days; frames of a film, with another film or another time of the same
one; and a photograph turned, which is its own reference.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from ...errors import InputError
from ...headset.draw import HEADSETS, HeadsetArtist, Look, randomised
from ...models.covered_landmarks import CROP_CENTRE, INPUT_SIDE
from ...restore.grid import GRID
from ...tracking.crop import Crop, CropTrack
from ...tracking.geometry import head_pose
from ...tracking.sighting import head_crop
from ...tracking.track import FrameStatus, TrackedFace
from ..data.face_store import RUN, FaceStore
from ..data.repose import angles_of, repose, rotation
from ..training.covered_samples import SampleMaker

SIDE = 192  # pixels of a crop that is filled: 6.4 a centimetre, a little less than the store has
SCENE_SIDE, SCENE_CENTIMETRES = 320, 50.0
OTHER_DAY, FILM = 0.55, 0.25  # shares of the kinds of pairs; the rest are photographs that are their own references
TURNED = 0.5  # share of photographs of another day that are turned a little
APART = 25  # frames between a film and its reference, where both are of one file
AS_NAMED = 0.3  # share of headsets that look like the device that the preset is named after
MARGIN = 3  # pixels by which a mask is larger than the device, at most


@dataclass(frozen=True)
class Drawn:
    """T frames of somebody behind a headset. truth, covered: (T, SIDE, SIDE, 3) uint8 crops as they are filled; hole:
    (T, SIDE, SIDE) uint8, 1 where anything of a pixel is hidden. points: (T, 478, 3), the true face in cells of the
    grid. seen: (T, 128, 128, 3) uint8, the crops in which the landmarker looks; to_cells: (T, 4, 4) from those crops'
    sides to cells. reference: number of the picture in the store; same_day: whether it is of the same day."""

    truth: np.ndarray
    covered: np.ndarray
    hole: np.ndarray
    points: np.ndarray
    seen: np.ndarray
    to_cells: np.ndarray
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

    def draw(self, rng: np.random.Generator) -> Drawn:
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

    def other_day(self, person: int, rng: np.random.Generator) -> Drawn:
        """Somebody as on one day, and a picture of another."""
        days = self._days[person]
        shown, other = rng.choice(sorted(days), 2, replace=False)
        run, of = (days[day][int(rng.integers(len(days[day])))] for day in (shown, other))
        return self._sample(run, int(rng.choice(of)), rng)

    def _apart(self, one: np.ndarray, other: np.ndarray) -> bool:
        clip, frame = self._store.clip, self._store.frame
        return clip[one[0]] != clip[other[0]] or abs(int(frame[one[0]]) - int(frame[other[0]])) >= APART

    def _sample(self, run: np.ndarray, reference: int, rng: np.random.Generator) -> Drawn:
        artist = _artist(rng)
        grow = int(rng.integers(0, MARGIN + 1))
        same = reference in run
        scenes = []
        for index in run:
            if len(run) > 1 or not (same or rng.random() < TURNED):
                scenes.append(self._as_it_is(int(index)))
            else:
                scenes.append(self._turned(int(index), rng, far=same))
        jitter = rng.normal(0, (0.01, 0.01, 0.03, 1.5))
        frames = []
        for t in range(RUN):
            if t < len(scenes):
                covered, hidden = artist.draw(*scenes[t])
                if grow:
                    hidden = cv2.dilate(hidden, np.ones((2 * grow + 1,) * 2, np.uint8))
            picture, face = scenes[min(t, len(scenes) - 1)]
            frames.append(_frame(picture, covered, hidden, face, jitter + rng.normal(0, (2e-3, 2e-3, 3e-3, 0.1)), rng))
        day, clip = (values[[run[0], reference]] for values in (self._store.session, self._store.clip))
        same_day = bool(clip[0] == clip[1] or day[0] == day[1] >= 0)
        return Drawn(*(np.stack(values) for values in zip(*frames, strict=True)), reference, same_day)

    def _as_it_is(self, index: int) -> tuple[np.ndarray, TrackedFace]:
        points = self._store.points[index]
        crop = _upright(points)
        moved = crop.to_crop(points, SCENE_SIDE).astype(np.float32)
        return crop.take(self._store.images[index], SCENE_SIDE), _face(moved)

    def _turned(self, index: int, rng: np.random.Generator, *, far: bool) -> tuple[np.ndarray, TrackedFace]:
        """A photograph whose head is turned, and its expression changed where the picture is its own reference."""
        points = self._store.points[index]
        angles = angles_of(self._store, index) + rng.normal(0, (15, 10, 4) if far else (6, 5, 3))
        shape = self._maker.expression(rng) if far else None
        crop = _upright(points).matrix(SCENE_SIDE)
        posed = repose(self._store.images[index], points, rotation(*angles), shape, crop, SCENE_SIDE)
        return posed.image, _face(posed.points)


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


def _artist(rng: np.random.Generator) -> HeadsetArtist:
    headset = HEADSETS[str(rng.choice(list(HEADSETS)))]
    look = None if rng.random() < AS_NAMED else Look.random(rng)
    return HeadsetArtist(randomised(headset, rng), seed=int(rng.integers(1 << 31)), look=look)


def _upright(points: np.ndarray) -> Crop:
    around = Crop.around(head_pose(points), SCENE_CENTIMETRES, CROP_CENTRE)
    return Crop(around.x, around.y, around.side)


def _face(points: np.ndarray) -> TrackedFace:
    return TrackedFace(points, FrameStatus.FOUND, np.ones(len(points), np.float32), head_pose(points))


def _frame(
    picture: np.ndarray,
    covered: np.ndarray,
    hidden: np.ndarray,
    face: TrackedFace,
    jitter: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """The fields of Drawn of one frame. jitter: of the crop, sides right and down, log of its size, degrees."""
    crop = CropTrack().push(face).misplaced(jitter[0], jitter[1], float(np.exp(jitter[2])), jitter[3])
    looked_at = head_crop(face.pose).misplaced(
        *rng.normal(0, 0.025, 2), float(np.exp(rng.normal(0, 0.05))), float(rng.normal(0, 3))
    )
    cells = np.eye(4)
    flat = crop.matrix(GRID)
    cells[:2, :2], cells[:2, 3], cells[2, 2] = flat[:, :2], flat[:, 2], crop.scale(GRID)
    return (
        crop.shrunk(picture, SIDE),
        crop.shrunk(covered, SIDE),
        (crop.take(hidden * np.uint8(255), SIDE) > 0).astype(np.uint8),
        crop.to_crop(face.points, GRID).astype(np.float32),
        looked_at.shrunk(covered, INPUT_SIDE),
        (cells @ looked_at.to_frame()).astype(np.float32),
    )


class PairSamples(Dataset):
    """Batch k of a training run, the same for the same seed whatever was drawn before."""

    def __init__(self, maker: PairMaker, *, batch: int, steps: int, seed: int):
        self._maker, self._batch, self._steps, self._seed = maker, batch, steps, seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        rngs = (np.random.default_rng((self._seed, step, i)) for i in range(self._batch))
        return collate([self._maker.draw(rng) for rng in rngs])


def collate(samples: list[Drawn]) -> dict[str, torch.Tensor]:
    """Samples to a batch: as in Drawn with a leading B."""
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
