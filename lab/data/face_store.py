"""Faces to train on: square crops around uncovered heads with their landmarks, kept in one folder.

A data folder holds pictures and videos; INDEX.tsv in it (columns path, kind, person, split at least) says whose they
are and what they may be used for. Without an INDEX.tsv each file is a person, and every twelfth is for validation.
"""

import csv
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...errors import InputError
from ...files import written_whole
from ...learning.scenes import RUN, upright
from ...models.covered_landmarks import CROP_CENTIMETRES, CROP_CENTRE
from ...tracking.geometry import head_pose, pose_scale, transform
from ...tracking.heads import HeadDetector
from ...tracking.track import Face
from ...tracking.uncovered import require_mediapipe

log = logging.getLogger(__name__)

SIDE = 320  # pixels of a stored crop: 7 a centimetre, as fine as most portraits are
CENTIMETRES = 46.0  # of the world that it shows, at the face's distance
SMALLEST_FACE = 48.0  # pixels; smaller faces teach blur
ELSEWHERE_SIDE, EACH = 128, 4  # pixels of a square without a head, and how many of a picture
HALF_A_HEAD = 0.33  # sides of a head's crop from its middle to where nothing of the head is left, no chin either
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
VIDEOS = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".mpg", ".mpeg"}


@dataclass(frozen=True)
class Footage:
    """One file of a data folder."""

    path: Path
    is_video: bool
    person: str
    split: str
    session: str = ""


@dataclass(frozen=True)
class FaceStore:
    """N faces. images: (N, SIDE, SIDE, 3) uint8. points: (N, 478, 3) float32 in its pixels. inside: (N, 4) the
    rectangle (x0, y0, x1, y1) of the crop that the picture fills. person: (N,) whose face it is, numbered from 0.
    session: (N,) on which day of which person, numbered from 0, -1 where that is not known. clip, frame: (N,) out of
    which file, and which frame of it: RUN of them follow each other. elsewhere: (M, 128, 128, 3) uint8, other parts of
    the same pictures, where there is no head."""

    images: np.ndarray
    points: np.ndarray
    inside: np.ndarray
    person: np.ndarray
    session: np.ndarray
    clip: np.ndarray
    frame: np.ndarray
    elsewhere: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of_photographs(
        cls, images: np.ndarray, points: np.ndarray, inside: np.ndarray, person: np.ndarray, elsewhere: np.ndarray
    ) -> "FaceStore":
        """Each a file of its own, of days that nobody knows."""
        count = len(images)
        unknown = np.full(count, -1)
        return cls(images, points, inside, person, unknown, np.arange(count), np.zeros(count, int), elsewhere)


def list_footage(data: Path, split: str) -> list[Footage]:
    """The files of one split, "train" or "val". Raises InputError when there are none."""
    index = data / "INDEX.tsv"
    if index.is_file():
        with index.open(newline="") as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if row["split"] == split]
        found = [
            Footage(data / r["path"], r["kind"] == "video", r["person"] or r["path"], split, r.get("session") or "")
            for r in rows
        ]
    else:
        files = sorted(p for p in data.rglob("*") if p.suffix.lower() in PICTURES | VIDEOS)
        found = [
            Footage(p, p.suffix.lower() in VIDEOS, str(p), "train" if i % 12 else "val") for i, p in enumerate(files)
        ]
        found = [footage for footage in found if footage.split == split]
    if not found:
        raise InputError(
            f"Expected pictures or videos for the split {split!r} in {data}, but there are none; "
            "give the folder that holds them (with an INDEX.tsv, its column split says what is for what)."
        )
    return found


def open_store(
    folder: Path, data: Path, split: str, *, frames_per_clip: int = 24, frames_per_person: int = 480
) -> FaceStore:
    """The store of a split, made on first use; files without a usable face are logged and left out.

    Raises InputError for a store of an earlier version."""
    made = folder / split
    if not (made / "faces.npz").is_file():
        _make(made, list_footage(data, split), frames_per_clip, frames_per_person)
    with np.load(made / "faces.npz") as faces:
        if "session" not in faces:
            raise InputError(
                f"The faces in {made} were made by an earlier version; remove the folder to make them anew."
            )
        images, elsewhere = (np.load(made / f"{name}.npy", mmap_mode="r") for name in ("images", "elsewhere"))
        return FaceStore(images, **faces, elsewhere=elsewhere)


def cut(frame: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a frame to one stored crop: the picture, its points, and the rectangle that the frame fills."""
    crop = upright(points, CENTIMETRES)
    matrix = crop.matrix(SIDE)
    corners = np.array([[0, 0], [frame.shape[1], frame.shape[0]]]) @ matrix[:, :2].T + matrix[:, 2]
    rectangle = np.clip(corners, 0, SIDE).ravel().astype(np.float32)
    return crop.shrunk(frame, SIDE), crop.to_crop(points, SIDE).astype(np.float32), rectangle


def _make(folder: Path, footage: list[Footage], per_clip: int, per_person: int) -> None:
    require_mediapipe()
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {person: i for i, person in enumerate(sorted({f.person for f in footage}))}
    clips = {p: sum(f.is_video and f.person == p for f in footage) for p in numbers}
    sessions = {day: i for i, day in enumerate(sorted({(f.person, f.session) for f in footage if f.session}))}
    images, elsewhere, bad = [], [], []
    about: dict[str, list] = {name: [] for name in ("points", "inside", "person", "session", "clip", "frame")}
    rng = np.random.default_rng(0)
    with closing(HeadDetector("uncovered", most=1)) as detector:
        for number, item in enumerate(tqdm(footage, desc=f"faces ({footage[0].split})", unit="file")):
            most = max(min(per_clip, per_person // max(clips[item.person], 1)), 2) if item.is_video else 1
            before = len(images)
            detector.restart()
            for t, frame in _pictures_of(item, most, bad):
                face = largest_face(frame, detector)
                if face is None:
                    continue
                picture, moved, rectangle = cut(frame, face.points)
                images.append(picture)
                day = sessions.get((item.person, item.session), -1)
                row = (moved, rectangle, numbers[item.person], day, number, t)
                for name, value in zip(about, row, strict=True):
                    about[name].append(value)
                if len(images) % RUN == 1 or not item.is_video:
                    elsewhere += _elsewhere(frame, face, rng)
            if len(images) == before:
                bad.append(f"{item.path}: no face of at least {SMALLEST_FACE:.0f} pixels")
    for line in bad:
        log.warning("left out %s", line)
    if not images:
        raise InputError(f"None of the {len(footage)} files shows a face of at least {SMALLEST_FACE:.0f} pixels.")
    _write(folder / "images.npy", lambda file: np.save(file, np.stack(images)))
    none = np.zeros((0, ELSEWHERE_SIDE, ELSEWHERE_SIDE, 3), np.uint8)
    _write(folder / "elsewhere.npy", lambda file: np.save(file, np.stack(elsewhere) if elsewhere else none))
    arrays = {name: np.stack(values) for name, values in about.items()}
    _write(folder / "faces.npz", lambda file: np.savez(file, **arrays))


def _pictures_of(item: Footage, most: int, bad: list[str]) -> Iterator[tuple[int, np.ndarray]]:
    """The picture, or about `most` frames spread over the clip in runs, each with its number; files that cannot be read
    are noted in `bad`."""
    if not item.is_video:
        picture = cv2.imread(str(item.path))
        if picture is None:
            bad.append(f"{item.path}: cannot be read")
        else:
            yield 0, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return
    from ...video import VideoReader  # a machine that only trains may lack it

    try:
        with VideoReader(item.path) as reader:
            every = max(reader.info.frame_count // max(most // RUN, 1), RUN)
            last = max(most // RUN, 1) * every
            for t, frame in enumerate(reader.frames()):
                if t >= last:
                    return
                if t % every < RUN:
                    yield t, frame.pixels
    except InputError as error:
        bad.append(f"{item.path}: {error}")


def largest_face(picture: np.ndarray, detector: HeadDetector) -> Face | None:
    """The largest face of an (H, W, 3) uint8 picture; None where it is too small to learn from. detector: for uncovered
    faces."""
    face = max(detector.detect(picture), key=lambda face: face.size, default=None)
    return face if face is not None and face.size >= SMALLEST_FACE else None


def _elsewhere(frame: np.ndarray, face: Face, rng: np.random.Generator) -> list[np.ndarray]:
    """Up to EACH squares of the picture that a search for heads would look at, and which hold none."""
    pose = head_pose(face.points)
    head, side = transform(pose, np.array(CROP_CENTRE))[:2], CROP_CENTIMETRES * pose_scale(pose)
    height, width = frame.shape[:2]
    found: list[np.ndarray] = []
    for _ in range(8 * EACH):
        square = int(side * np.exp(rng.uniform(np.log(0.3), np.log(1.3))))
        if square > min(height, width) or square < 24:
            continue
        x, y = int(rng.integers(width - square + 1)), int(rng.integers(height - square + 1))
        if np.abs(head - (x + square / 2, y + square / 2)).max() > HALF_A_HEAD * side + square / 2:
            part = frame[y : y + square, x : x + square]
            found.append(cv2.resize(part, (ELSEWHERE_SIDE, ELSEWHERE_SIDE), interpolation=cv2.INTER_AREA))
        if len(found) == EACH:
            break
    return found


def _write(path: Path, save) -> None:
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        save(file)
