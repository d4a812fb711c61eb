"""Everyone in the picture who wears a headset: told apart, numbered from left to right, and each with their mask."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import numpy as np

from ..tracking.follow import HELD, SceneCuts, Wearer, copied, with_upcoming
from ..tracking.heads import HeadDetector
from ..tracking.reference import Reference
from ..tracking.track import USUAL_RATE, Face
from .sources import Covered, DetectedHeadset

LOOKED_AT = 1.0  # seconds of somebody that are looked at before they get a number: one frame alone may be wrong
WORN = 0.5  # share of the frames in that time from which they wear a headset


@dataclass(frozen=True)
class Everyone:
    """One frame. covers: for each reference the person whom it shows. others: whether somebody else wears a headset."""

    covers: tuple[Covered, ...]
    others: bool = False


def cover_everyone(
    source: DetectedHeadset, frames: Iterator[np.ndarray], wearer: Wearer, references: Sequence[Reference]
) -> Iterator[Everyone]:
    """The frames of one clip in order. frames: (H, W, 3) uint8. wearer: how they are followed. references: one for each
    of those who wear a headset, by their number, see `numbered`; who never comes has an empty mask.
    """
    wearer = replace(wearer, face=0, box=None, required=False)
    with ExitStack() as stack:
        seen, *copies = copied(frames, 1 + len(references))
        people = stack.enter_context(closing(numbered(seen, wearer.fps)))
        mine, *theirs = copied(people, 1 + len(references))
        covers = [
            stack.enter_context(closing(source.cover(copy, wearer, reference, _OneOf(faces, number))))
            for number, (copy, faces, reference) in enumerate(zip(copies, theirs, references, strict=True))
        ]
        for faces, *covered in zip(mine, *covers, strict=True):
            others = any(face.wears_device for number, face in faces.items() if number >= len(references))
            yield Everyone(tuple(covered), others)


def numbered(frames: Iterable[np.ndarray], fps: float = USUAL_RATE) -> Iterator[dict[int, Face]]:
    """For each (H, W, 3) uint8 frame of a clip, in order, the faces of those who wear a headset, by number.

    Numbers go from left to right, as people are when they are first seen with a headset; who comes later gets the next
    one. They keep it with the headset off, and until the next cut. Late by LOOKED_AT seconds.
    """
    cuts, people = SceneCuts(), _People()
    with closing(HeadDetector("covered", fps=fps)) as detector:
        for frame, _, upcoming in with_upcoming((frame, None) for frame in frames):
            if cuts(frame):
                yield from people.rest()
                detector.restart()
                people = _People()
            people.push(detector.detect(frame, None, upcoming, others=True))
            if people.waiting > min(LOOKED_AT * fps, HELD / frame.nbytes):
                yield people.next()
        yield from people.rest()


@dataclass(eq=False)
class _Person:
    """face: as it was seen last. number: None for who has not been seen with a headset."""

    face: Face
    number: int | None = None


class _People:
    """Those who are seen in one scene."""

    def __init__(self) -> None:
        self._known: list[_Person] = []
        self._frames: deque[list[tuple[_Person, Face]]] = deque()

    @property
    def waiting(self) -> int:
        """How many frames have been pushed that were not asked for yet."""
        return len(self._frames)

    def push(self, faces: Sequence[Face]) -> None:
        """The faces in the scene's next frame; each is of whoever was nearest, within the size of a face."""
        apart = [
            (float(np.linalg.norm(face.centre - person.face.centre)) / max(face.size, person.face.size), i, person)
            for i, face in enumerate(faces)
            for person in self._known
        ]
        whose: dict[int, _Person] = {}
        for distance, i, person in sorted(apart, key=lambda pair: pair[0]):
            if distance < 1 and i not in whose and person not in whose.values():
                whose[i] = person
        seen = []
        for i, face in enumerate(faces):
            person = whose.get(i)
            if person is None:
                person = _Person(face)
                self._known.append(person)
            person.face = face
            seen.append((person, face))
        self._frames.append(seen)

    def next(self) -> dict[int, Face]:
        """The faces with a number in the frame that waits longest."""
        present = self._frames[0]
        new = [person for person, _ in sorted(present, key=lambda one: one[1].centre[0]) if person.number is None]
        taken = sum(person.number is not None for person in self._known)
        for person in new:
            if self._wears(person):
                person.number, taken = taken, taken + 1
        self._frames.popleft()
        return {person.number: face for person, face in present if person.number is not None}

    def rest(self) -> Iterator[dict[int, Face]]:
        """The same of all frames that wait."""
        while self._frames:
            yield self.next()

    def _wears(self, person: _Person) -> bool:
        worn = [face.wears_device for frame in self._frames for one, face in frame if one is person]
        return float(np.mean(worn)) > WORN


class _OneOf:
    """Stands in for a HeadDetector where everybody has been found already: shows one of them."""

    def __init__(self, everyone: Iterator[dict[int, Face]], number: int):
        self._everyone, self._number = everyone, number

    def detect(self, *_: object, **__: object) -> list[Face]:
        """That person's face in the next frame."""
        face = next(self._everyone).get(self._number)
        return [] if face is None else [face]

    def restart(self) -> None:
        """At a cut; which whoever found them has seen to."""
