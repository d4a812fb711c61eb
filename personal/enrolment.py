"""The footage that a personal model learns from: read, looked over, and cut into pieces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..models.face_embedding import FaceEmbedding
from ..tracking.crop import Crop
from ..tracking.follow import Wearer, track_clip
from ..tracking.geometry import eye_openness, head_pose, pose_angles
from ..tracking.reference import OPEN_EYES, Reference, has_bare, make_reference, score_frames
from ..tracking.track import FaceTrack, FrameStatus
from ..video import VideoReader
from ..video.source import Source
from ..weights import WeightsMissing

MOST = 1500  # frames: neighbours are alike, and more of them are spread over longer footage
PIECE = 50  # consecutive frames
SIDE = 512  # pixels at most that are kept of a frame: one that is made smaller is blurred
MARGIN = 2.6  # of the square that is kept, in sizes of the face: the engine's crop lies within
FEWEST, ENOUGH = 75, 500  # frames with open eyes: without which nothing is learnt, and which are no longer a few
YAWS, PITCHES = 20.0, 10.0  # degrees from one side to the other that are no longer little
SAME_PERSON = 0.93  # cosine of two mean descriptors: of one person in two recordings 0.96 at least, see FaceEmbedding
PICTURES = 20  # that a model has of the person; which one is shown is decided frame by frame (restore.align)
EMBEDDED = 5  # frames of a piece whose descriptor is taken


@dataclass(frozen=True)
class Piece:
    """Consecutive frames of one clip, cut to the face: (T, S, S, 3) uint8, and their track. clip: which one, from 0."""

    frames: np.ndarray
    track: FaceTrack
    clip: int


@dataclass(frozen=True)
class Enrolment:
    """pieces: in the order of the footage. identity: (128,) of length 1, the mean descriptor of the face, None where
    the network that tells it is not at hand. advice: what is missing, in sentences; empty where nothing is. digest: of
    all that was read, by which footage can be told from other footage."""

    pieces: tuple[Piece, ...]
    reference: Reference
    identity: np.ndarray | None
    advice: tuple[str, ...]
    digest: str

    @property
    def frames(self) -> int:
        return sum(len(piece.frames) for piece in self.pieces)


def enrol(clips: Sequence[Source], progress: Callable[[int, int], None] | None = None) -> Enrolment:
    """Read the footage of one person without a headset, and look it over.

    clips: files, or BytesIO of them. progress: called with (pieces done, pieces in all). Raises InputError where there
    is too little to learn from, or two people are shown.
    """
    if not clips:
        raise InputError("Expected at least one clip of the uncovered face, got none.")
    plan = _plan([_length(clip) for clip in clips])
    pieces, digest = [], sha256()
    for done, (number, start, length) in enumerate(plan, 1):
        with VideoReader(clips[number]) as reader:
            frames = np.stack([frame.pixels for frame in reader.frames(start, length)])
        digest.update(frames[len(frames) // 2].tobytes())
        if (piece := _cut_to_face(frames, number)) is not None:
            pieces.append(piece)
        if progress is not None:
            progress(done, len(plan))
    _check_eyes(pieces)
    identity = _one_person(pieces, clips)
    return Enrolment(tuple(pieces), reference_of(pieces), identity, tuple(_advice(pieces)), digest.hexdigest()[:16])


def reference_of(pieces: Sequence[Piece], count: int = PICTURES) -> Reference:
    """Pictures with open eyes out of some pieces, spread over all of them. Those that show more than the bare face are
    left out where there are others, as in `pick_frames`. Raises InputError where no eyes are open."""
    parts = -(-count // len(pieces))
    scores = [score_frames(list(piece.frames), piece.track) for piece in pieces]
    only_bare = has_bare([score for of_piece in scores for score in of_piece])
    best = []
    for piece, of_piece in zip(pieces, scores, strict=True):
        for part in np.array_split(np.arange(len(of_piece)), parts):
            serving = [of_piece[t] for t in part if of_piece[t].serves(only_bare)]
            if serving:
                chosen = max(serving, key=lambda score: score.score)
                t = chosen.frame
                best.append((piece.frames[t], piece.track.points[t], chosen.headset(piece.track)))
    if not best:
        raise InputError("The reference needs a face with open eyes, but the eyes look shut in all pictures.")
    spread = sorted(set(np.linspace(0, len(best) - 1, min(count, len(best))).round().astype(int).tolist()))
    images, points, devices = zip(*(best[i] for i in spread), strict=True)
    return make_reference(images, np.stack(points), devices)


def _length(clip: Source) -> int:
    with VideoReader(clip) as reader:
        return reader.info.frame_count


def _plan(lengths: list[int]) -> list[tuple[int, int, int]]:
    """(clip, first frame, frames) of the pieces to read, evenly spread where there are too many."""
    every = [
        (clip, start, min(PIECE, length - start))
        for clip, length in enumerate(lengths)
        for start in range(0, length, PIECE)
        if min(PIECE, length - start) >= PIECE // 5
    ]
    most = MOST // PIECE
    if len(every) <= most:
        return every
    return [every[i] for i in np.linspace(0, len(every) - 1, most).round().astype(int)]


def _cut_to_face(frames: np.ndarray, clip: int) -> Piece | None:
    """None where no face is found."""
    try:
        track = track_clip(frames, frames.shape[1:3], Wearer(detector="uncovered"))
    except InputError:
        return None
    square = Crop.of_clip(track, MARGIN).on_pixels()
    side = int(min(square.side, SIDE))
    points = square.to_crop(track.points, side).astype(np.float32)
    cut_track = replace(
        track,
        points=points,
        pose=np.stack([head_pose(p) for p in points]),
        devices=tuple(device and device.moved(square.matrix(side)) for device in track.devices),
        size=(side, side),
    )
    return Piece(np.stack([square.take(frame, side) for frame in frames]), cut_track, clip)


def _check_eyes(pieces: Sequence[Piece]) -> None:
    seen = sum(int((piece.track.status == FrameStatus.FOUND).sum()) for piece in pieces)
    usable = _open_eyed(pieces)
    if usable < FEWEST:
        raise InputError(
            f"Expected at least {FEWEST} frames in which the face is seen with open eyes, got {usable} "
            f"({seen} with a face); record a minute or two without the headset, in good light."
        )


def _open_eyed(pieces: Sequence[Piece]) -> int:
    return sum(
        int(((eye_openness(p.track.points) >= OPEN_EYES) & (p.track.status == FrameStatus.FOUND)).sum()) for p in pieces
    )


def _one_person(pieces: Sequence[Piece], clips: Sequence[Source]) -> np.ndarray | None:
    """The mean descriptor. Raises InputError where a clip shows somebody else than the others."""
    try:
        network = FaceEmbedding.pretrained()
    except WeightsMissing:
        return None
    found: dict[int, list[torch.Tensor]] = {}
    for piece in pieces:
        seen = np.flatnonzero(piece.track.status == FrameStatus.FOUND)
        chosen = seen[np.linspace(0, len(seen) - 1, min(EMBEDDED, len(seen))).round().astype(int)]
        frames = torch.from_numpy(piece.frames[chosen]).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            found.setdefault(piece.clip, []).append(network.embed(frames, torch.from_numpy(piece.track.points[chosen])))
    means = {clip: torch.nn.functional.normalize(torch.cat(those).mean(0), dim=0) for clip, those in found.items()}
    person = torch.nn.functional.normalize(torch.stack(list(means.values())).median(0).values, dim=0)
    for clip, mean in means.items():
        if (likeness := float(mean @ person)) < SAME_PERSON:
            name = clips[clip] if isinstance(clips[clip], (str, Path)) else f"clip {clip + 1}"
            raise InputError(
                f"Expected clips of one and the same person, but {name} seems to show somebody else (likeness "
                f"{likeness:.2f}, at least {SAME_PERSON} of one person); leave it out."
            )
    return person.numpy()


def _advice(pieces: Sequence[Piece]) -> list[str]:
    """What is missing, in sentences."""
    advice = []
    if (usable := _open_eyed(pieces)) < ENOUGH:
        advice.append(f"There are only {usable} frames with open eyes; {ENOUGH} or more, half a minute, are better.")
    angles = np.concatenate([pose_angles(p.track.pose)[p.track.status == FrameStatus.FOUND] for p in pieces])
    yaw, pitch = (float(np.subtract(*np.percentile(angles[:, axis], (95, 5)))) for axis in (0, 1))
    if yaw < YAWS:
        advice.append(f"The head turns by {yaw:.0f} degrees only; look slowly to the left and to the right as well.")
    if pitch < PITCHES:
        advice.append(f"The head nods by {pitch:.0f} degrees only; look slowly up and down as well.")
    shut = 1 - usable / max(sum(int((p.track.status == FrameStatus.FOUND).sum()) for p in pieces), 1)
    if shut < 0.005:
        advice.append("The eyes never shut; blink now and then.")
    return advice
