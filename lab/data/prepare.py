"""From a folder of clips and portraits to samples: `hmd-removal lab prepare-data`."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from tqdm import tqdm

from ...errors import InputError
from ...files import written_whole
from ...headset.draw import HEADSETS, HeadsetArtist, Look, randomised
from ...learning.photometry import relight
from ...personal.sample_store import FILM, MODES, PHOTOGRAPH, SHORTEST, TakeStore, make_take
from ...tracking.enrol import reference_from_frames
from ...tracking.follow import Wearer, track_clip
from ...tracking.heads import HeadDetector
from ...tracking.reference import Reference, make_reference
from ...tracking.track import FaceTrack, FrameStatus
from ...tracking.uncovered import require_mediapipe
from ...video import VideoReader
from .face_store import SMALLEST_FACE, Footage, largest_face, list_footage
from .moving_portraits import Motion, motion_of, moving_portrait

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

PIECE = 75  # frames of a take at most
APART = 25  # frames that a reference is away from its take where both come from one clip
LOOKED_AT = 40  # frames in which a reference is looked for
PORTRAIT_SIDE, PORTRAIT_FRAMES = 360, 16  # pixels and frames of a moving portrait
TOO_SMALL = f"no face of at least {SMALLEST_FACE:.0f} pixels"


@dataclass(frozen=True)
class Preparation:
    """How takes are made. side: pixels of the crops; variants: takes of each piece of footage; seed: what chance;
    workers: processes, 1 for this one alone."""

    side: int = 256
    variants: int = 2
    seed: int = 0
    workers: int = 1


@dataclass(frozen=True)
class Prepared:
    """What came of one file: why parts of it were left out, and the motion of a face that is in sight all the time."""

    left_out: tuple[str, ...] = ()
    motion: Motion | None = None


def prepare(data: Path, out: Path, split: str, how: Preparation = Preparation()) -> TakeStore:
    """Make the takes of one split; those that are there already stay as they are.

    Clips that cannot be used are listed in `out`/left_out.txt and in the log. A portrait takes the motion of a filmed
    person. Raises InputError when nothing could be used.
    """
    require_mediapipe()
    store = TakeStore(out)
    footage = list_footage(data, split)
    films = [f for f in footage if f.is_video]
    before = [None, *films]
    pairs = [(f, b if b is not None and b.person == f.person else None) for f, b in zip(films, before, strict=False)]
    filmed = _each(partial(_film, store, data, how), pairs, how.workers, f"clips ({split})")
    motions = [done.motion for done in filmed if done.motion is not None]
    portraits = [f for f in footage if not f.is_video] if motions else []
    taken = _each(partial(_portrait, store, data, how, motions), portraits, how.workers, f"portraits ({split})")
    left_out = [line for done in (*filmed, *taken) for line in done.left_out]
    with written_whole(out / "left_out.txt") as unfinished:
        unfinished.write_text("".join(f"{line}\n" for line in left_out))
    for line in left_out:
        log.warning("left out %s", line)
    if not store.names():
        raise InputError(f"None of the {len(footage)} files of the split {split!r} in {data} could be used.")
    return store


def _each(work: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str) -> list[Result]:
    """The work on every item, in order, in so many processes."""
    # Forked processes would inherit threads of OpenCV, PyTorch and MediaPipe that are not running in them.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _alone) if workers > 1 and items else nullcontext()
    with pool:
        done = map(work, items) if isinstance(pool, nullcontext) else pool.map(work, items)
        return list(tqdm(done, total=len(items), desc=title, unit="file"))


def _alone() -> None:
    """One thread a process: they are as many as there are cores."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _film(store: TakeStore, data: Path, how: Preparation, pair: tuple[Footage, Footage | None]) -> Prepared:
    """The takes of one clip; the clip before, of the same person, shows the reference."""
    film, previous = pair
    try:
        frames = _read(film)
        track = track_clip(frames, frames.shape[1:3], Wearer(detector="uncovered"))
    except InputError as error:
        return Prepared((f"{film.path}: {error}",))
    if np.median(np.ptp(track.points[..., :2], axis=1).max(1)) < SMALLEST_FACE:
        return Prepared((f"{film.path}: {TOO_SMALL}",))
    elsewhere = None
    if previous is not None:
        try:
            elsewhere = _read(previous)
        except InputError:  # said when it was its own turn
            previous = None
    left_out = []
    length = PIECE if previous is not None else min(PIECE, max((len(frames) - APART) // 2, SHORTEST))
    for start in range(0, len(frames), length):
        part = range(start, min(start + length, len(frames)))
        shown = elsewhere if elsewhere is not None else frames[[t for t in range(len(frames)) if _apart(t, part)]]
        try:
            every = max(len(shown) // LOOKED_AT, 1)
            reference = reference_from_frames(list(shown[::every]))[0]
        except InputError as error:
            left_out.append(f"{film.path}, frames from {start}: no reference: {error}")
            continue
        piece = FaceTrack.stack([track[t] for t in part], track.size)
        _variants(store, f"{_name(film, data)}_{start}", frames[part.start : part.stop], piece, reference, film, how)
    steady = len(track) >= PORTRAIT_FRAMES and (track.status == FrameStatus.FOUND).all()
    return Prepared(tuple(left_out), motion_of(track) if steady else None)


def _portrait(store: TakeStore, data: Path, how: Preparation, motions: list[Motion], portrait: Footage) -> Prepared:
    """The takes of a photograph that is moved as somebody who was filmed."""
    name = _name(portrait, data)
    if f"{name}-{how.variants - 1}" in store:
        return Prepared()
    picture = cv2.imread(str(portrait.path))
    if picture is None:
        return Prepared((f"{portrait.path}: cannot be read",))
    image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    with closing(HeadDetector("uncovered", most=1)) as detector:
        face = largest_face(image, detector)
    if face is None:
        return Prepared((f"{portrait.path}: {TOO_SMALL}",))
    rng = np.random.default_rng((how.seed, *name.encode()))
    motion = motions[int(rng.integers(len(motions)))]
    start = int(rng.integers(len(motion) - PORTRAIT_FRAMES + 1))
    frames, track = moving_portrait(image, face.points, motion.part(start, start + PORTRAIT_FRAMES), PORTRAIT_SIDE)
    reference = make_reference([image], face.points[None])
    _variants(store, name, frames, track, reference, portrait, how)
    return Prepared()


def _variants(
    store: TakeStore,
    name: str,
    frames: np.ndarray,
    track: FaceTrack,
    reference: Reference,
    footage: Footage,
    how: Preparation,
) -> None:
    """The same footage behind several headsets, with either kind of landmarks."""
    for k in range(how.variants):
        if f"{name}-{k}" in store:
            continue
        rng = np.random.default_rng((how.seed, k, *name.encode()))
        # With a single variant, half the footage has either kind; with more, each piece has both.
        kind, mode = str(rng.choice(list(HEADSETS))), MODES[(k + sum(name.encode())) % len(MODES)]
        seed = int(rng.integers(1 << 31))
        artist = HeadsetArtist(randomised(HEADSETS[kind], rng), seed=seed, look=Look.random(rng))
        lit = Reference(tuple(relight(image, rng) for image in reference.images), reference.points, reference.angles)
        take = make_take(frames, track, artist, lit, mode=mode, side=how.side)
        if take is not None:
            made_from = FILM if footage.is_video else PHOTOGRAPH
            about = {"person": footage.person, "kind": made_from, "headset": kind, "landmarks": mode}
            store.add(f"{name}-{k}", take, about)


def _read(film: Footage) -> np.ndarray:
    with VideoReader(film.path) as reader:
        frames: Iterator[np.ndarray] = (frame.pixels for frame in reader)
        return np.stack(list(frames))


def _apart(t: int, part: range) -> bool:
    return min(abs(t - part.start), abs(t - part.stop + 1)) >= APART and t not in part


def _name(footage: Footage, data: Path) -> str:
    return str(footage.path.relative_to(data).with_suffix("")).replace("/", "-")
