"""Following one person through a clip: the one place where that is done, for whole clips, streams and training."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from typing import TypeVar

import cv2
import numpy as np

from ..errors import InputError
from .calibration import PersonalCalibration
from .head_search import HIDDEN, MOST, Box
from .heads import MODES, HeadDetector
from .reference import Reference
from .smoothing import FaceSmoother
from .track import USUAL_RATE, Face, FaceTrack, FrameStatus, TrackedFace, hidden_share

TOGETHER = 8  # frames that are looked at together: more of them take as long for each
MAX_GAP = 1.6  # seconds; a longer absence is no blink of the detector: the person has left or turned away
# Seconds for which a face that is followed causally stays where it was: nobody knows yet whether the person has left.
HELD_BRIEFLY = 0.4
HELD = 1e9  # bytes of frames that may wait for what comes after a gap, which shortens it in very large pictures
ON_MISSING = ("interpolate", "hold", "untouched", "error")
SMALLEST = 64  # pixels of a frame's shorter side; below that no landmark is worth its name

THUMBNAIL = (16, 9)  # pixels, width and height: movement of a person or of the camera changes little in it
CUT = 28.0  # mean difference of two thumbnails, of 255, from which there is a cut

Item, Made = TypeVar("Item"), TypeVar("Made")
Picture = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Wearer:
    """The person to follow, and how.

    face: which one where several are in the picture, in the first frame that has so many: 0 the largest, 1 the next
    largest and so on; with masks, whoever is behind them. on_missing: what to do where the face is not found.
    "interpolate": gaps of up to MAX_GAP seconds are bridged linearly (held at a scene's ends), longer ones are missing;
    "hold": the last position stays; "untouched": the frame is missing; "error": InputError. detector: one of
    tracking.heads.MODES. box: (x, y, width, height) in pixels around that person's head in the first frame, or None.
    wearing: whoever has a device before the eyes, where the one followed has none. fps: frames a second. required:
    whether it is an error if they are nowhere seen. causal: whether no frame waits for later ones, as in live use: what
    is interpolated otherwise is held.

    Raises InputError for an unknown name.
    """

    face: int = 0
    on_missing: str = "interpolate"
    detector: str = "auto"
    box: Box | None = None
    wearing: bool = False
    fps: float = USUAL_RATE
    required: bool = True
    causal: bool = False

    def __post_init__(self) -> None:
        if self.on_missing not in ON_MISSING:
            raise InputError(
                f"The policy for frames without a face must be one of {', '.join(ON_MISSING)}, not {self.on_missing!r}."
            )
        if self.detector not in MODES:
            raise InputError(f"Expected a detector mode out of {', '.join(MODES)}, got {self.detector!r}.")


LARGEST_FACE = Wearer()


def follow(
    pictures: Iterable[Picture],
    wearer: Wearer = LARGEST_FACE,
    *,
    masked: bool = False,
    reference: Reference | None = None,
    detector: HeadDetector | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray | None, TrackedFace]]:
    """Each frame with its mask and the wearer's face, steady in time; with a delay of at most MAX_GAP seconds, or none
    for a `wearer` that is followed causally.

    pictures: (frame, mask) pairs: (H, W, 3) uint8 RGB, and (H, W), over 0.5 where something covers the picture, or
    None. masked: every frame has a mask, of what covers the wearer's face: it says whom to follow, and that the face is
    covered. The mask marks no point as hidden (TrackedFace.covered_by does). reference: the uncovered person, on whom
    the landmarks of the covered face are calibrated, or whose own landmarker finds them. detector: in place of one that
    suits the wearer; it stays open.

    A cut, or an absence of more than MAX_GAP seconds, ends a scene: nothing is carried over it, and the choice of the
    person is made anew where nobody is at that person's place.

    Raises InputError for frames that are too small, and when no frame has a face.
    """
    mode = "covered" if masked and wearer.detector == "auto" else wearer.detector
    smoother = FaceSmoother(wearer.fps)
    net = None if reference is None else reference.landmarker
    # A landmarker that knows the person needs no calibration.
    calibration = None if reference is None or net is not None else PersonalCalibration(reference, fps=wearer.fps)
    most = MOST if masked or wearer.wearing else wearer.face + 1
    own = None if detector is not None else HeadDetector(mode, box=wearer.box, most=most, net=net, fps=wearer.fps)
    try:
        tracked = partial(_tracked, detector=detector or own, wearer=wearer, masked=masked)
        for (frame, mask), face in beside(pictures, tracked):
            face = smoother.push(face)
            yield frame, mask, face if calibration is None else calibration.push(frame, face, mask)
    finally:
        if own is not None:
            own.close()


def beside(items: Iterable[Item], made_of: Callable[[Iterator[Item]], Iterator[Made]]) -> Iterator[tuple[Item, Made]]:
    """Each item with what is made of it. made_of: from the items to as many others, looking ahead as it likes.

    Holds just the items in between; itertools.tee lets go of them 57 at a time, which of large frames is half a GB.
    """
    held: deque[Item] = deque()

    def passing() -> Iterator[Item]:
        for item in items:
            held.append(item)
            yield item

    with closing(made_of(passing())) as made:
        for one in made:
            yield held.popleft(), one


def copied(items: Iterator[Item], count: int) -> list[Iterator[Item]]:
    """The same items for several readers. What all have read is let go of; itertools.tee keeps 57 of them, even for one
    reader, which of large frames is a GB."""
    if count == 1:
        return [items]
    waiting: list[deque[Item]] = [deque() for _ in range(count)]

    def reader(own: deque[Item]) -> Iterator[Item]:
        while True:
            if not own:
                try:
                    item = next(items)
                except StopIteration:
                    return
                for other in waiting:
                    other.append(item)
            yield own.popleft()

    return [reader(own) for own in waiting]


def track_clip(
    frames: Iterable[np.ndarray],
    size: tuple[int, int],
    wearer: Wearer = LARGEST_FACE,
    *,
    masks: Iterable[np.ndarray] | None = None,
    reference: Reference | None = None,
    detector: HeadDetector | None = None,
) -> FaceTrack:
    """`follow` through a whole clip. frames: (H, W, 3) uint8 each; size: (H, W); masks: (H, W) for each frame."""
    pictures = zip(frames, repeat(None) if masks is None else masks, strict=False)
    followed = follow(pictures, wearer, masked=masks is not None, reference=reference, detector=detector)
    with closing(followed):
        return FaceTrack.stack((face for _, _, face in followed), size)


def box_of(text: str) -> Box | None:
    """A box written as "x, y, width, height" in pixels; None for an empty text. Raises InputError for anything else."""
    if not text.strip():
        return None
    try:
        x, y, width, height = box = tuple(float(part) for part in text.split(","))
    except ValueError:
        box = (np.nan,)
    if not np.isfinite(box).all():
        raise InputError(f"Expected a box around the head as x, y, width, height in pixels, got {text!r}.")
    return x, y, width, height


class SceneCuts:
    """Tells for each frame of a clip, fed in order, whether it starts a new scene. The first frame does not."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def __call__(self, frame: np.ndarray) -> bool:
        """frame: (H, W, 3) uint8."""
        step = max(min(frame.shape[:2]) // 72, 1)  # every pixel of a large frame would be more than the eye needs
        thumbnail = cv2.resize(frame[::step, ::step], THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._before = self._before, thumbnail
        return before is not None and float(np.abs(thumbnail - before).mean()) > CUT


def _tracked(
    pictures: Iterable[Picture], detector: HeadDetector, wearer: Wearer, *, masked: bool
) -> Iterator[TrackedFace]:
    """One TrackedFace for every frame, as it is found; see `follow`."""
    cuts = SceneCuts()
    index = 0 if masked else wearer.face
    previous: Face | None = None
    scene = count = most_faces = 0
    absent = 0  # frames since `previous`, or since the scene's start
    pending = 0  # of those, how many have not been decided yet
    found_any = waiting = False
    together = 1 if wearer.causal else TOGETHER
    for count, (frame, mask, upcoming) in enumerate(with_upcoming(pictures, together), 1):
        _check_size(frame)
        longest_gap = _longest_gap(frame, wearer.fps)
        cut = cuts(frame)
        if cut:
            yield from _held(previous, pending, scene)
            detector.restart()
            scene, absent, pending = scene + 1, 0, 0
        faces = detector.detect(frame, mask, upcoming, others=waiting)
        waiting = _somebody_else_is_meant(faces, mask, wearer, most_faces)
        if masked:
            faces = _behind(faces, mask)
        most_faces = max(most_faces, len(faces))
        if cut:
            found = _choose_after_cut(faces, previous, index)
            previous = None
        else:
            found = _choose(faces, previous, index)
        wearing = [face for face in faces if face.wears_device] if wearer.wearing else []
        followed = found or previous
        if wearing and followed is not None and not followed.wears_device:
            if previous is not None:  # all that was measured before was somebody else's
                yield from _held(previous, pending, scene)
                scene, absent, pending, previous = scene + 1, 0, 0, None
            found = max(wearing, key=lambda face: face.size)
        if found is not None:
            if absent > longest_gap and found_any:
                scene += 1
            yield from _bridge(previous, found, pending, scene)
            yield TrackedFace.of(found, FrameStatus.FOUND, scene)
            previous, absent, pending, found_any = found, 0, 0, True
            continue
        absent += 1
        if wearer.on_missing == "error":
            raise InputError(
                f"Expected a face in every frame, but frame {count - 1} has none; trim the clip, or choose another "
                "policy for frames without a face."
            )
        briefly = wearer.causal and wearer.on_missing == "interpolate" and absent <= HELD_BRIEFLY * wearer.fps
        if wearer.on_missing == "hold" or briefly:
            yield from _held(previous, 1, scene)
        elif wearer.causal or wearer.on_missing == "untouched" or absent > longest_gap + 1:
            yield TrackedFace.missing(previous, scene)
        else:
            pending += 1
            if pending > longest_gap:
                yield from (TrackedFace.missing(previous, scene) for _ in range(pending))
                pending = 0
    if not found_any and wearer.required:
        if most_faces:
            raise InputError(
                f"Face {wearer.face} was asked for, counted from 0, but no frame shows more than {most_faces}; "
                "choose a lower number."
            )
        raise InputError(
            f"No face was found in any of the {count} frames; use footage in which the head can be made out, or give a "
            "box around it."
        )
    yield from _held(previous, pending, scene)


def with_upcoming(
    pictures: Iterable[Picture], together: int = TOGETHER
) -> Iterator[tuple[np.ndarray, np.ndarray | None, list[np.ndarray]]]:
    """Each picture with the frames after it, as far as they are looked at together."""
    pictures = iter(pictures)
    while some := list(islice(pictures, together)):
        frames = [frame for frame, _ in some]
        for i, (frame, mask) in enumerate(some):
            yield frame, mask, frames[i + 1 :]


def _somebody_else_is_meant(faces: list[Face], mask: np.ndarray | None, wearer: Wearer, most_faces: int) -> bool:
    """Whether none of the faces seen is the one that is meant, who may still come: who is behind the mask, who wears
    a device, or a second one where that was asked for."""
    if mask is not None:
        return bool(mask.any()) and all(hidden_share(face.points, mask) <= HIDDEN for face in faces)
    if wearer.wearing:
        return not any(face.wears_device for face in faces)
    return max(len(faces), most_faces) <= wearer.face


def _longest_gap(frame: np.ndarray, fps: float) -> int:
    """Frames of a gap that is bridged."""
    return max(round(min(MAX_GAP * fps, HELD / frame.nbytes)), 1)


def _check_size(frame: np.ndarray) -> None:
    height, width = frame.shape[:2]
    if min(height, width) < SMALLEST:
        raise InputError(
            f"Expected frames of at least {SMALLEST} x {SMALLEST} pixels, got {width} x {height}; "
            "enlarge them before detecting faces."
        )


def _behind(faces: list[Face], mask: np.ndarray) -> list[Face]:
    """The face that the mask hides most, if it hides any; else all of them."""
    if not faces:
        return faces
    hidden = [hidden_share(face.points, mask) for face in faces]
    best = int(np.argmax(hidden))
    return [faces[best]] if hidden[best] > HIDDEN else faces


def _choose(faces: list[Face], previous: Face | None, index: int) -> Face | None:
    if not faces:
        return None
    if previous is None:
        return sorted(faces, key=lambda f: -f.size)[index] if index < len(faces) else None
    nearest = min(faces, key=lambda f: float(np.linalg.norm(f.centre - previous.centre)))
    moved = float(np.linalg.norm(nearest.centre - previous.centre))
    # Another person elsewhere in the picture must not take over while ours is out of sight.
    return nearest if moved < max(previous.size, nearest.size) else None


def _choose_after_cut(faces: list[Face], previous: Face | None, index: int) -> Face | None:
    near = _choose(faces, previous, index) if previous is not None else None
    return near if near is not None or not faces else _choose(faces, None, min(index, len(faces) - 1))


def _bridge(before: Face | None, after: Face, count: int, scene: int) -> Iterator[TrackedFace]:
    for i in range(1, count + 1):
        between = after if before is None else _mix(before, after, i / (count + 1))
        yield TrackedFace.of(between, FrameStatus.INTERPOLATED, scene)


def _mix(before: Face, after: Face, a: float) -> Face:
    def mixed(x: np.ndarray | None, y: np.ndarray | None) -> np.ndarray | None:
        return None if x is None or y is None else (1 - a) * x + a * y

    return Face(
        (1 - a) * before.points + a * after.points,
        mixed(before.visibility, after.visibility),
        mixed(before.deviation, after.deviation),
    )


def _held(last: Face | None, count: int, scene: int) -> Iterator[TrackedFace]:
    for _ in range(count):
        if last is None:
            yield TrackedFace.missing(scene=scene)
        else:
            yield TrackedFace.of(last, FrameStatus.INTERPOLATED, scene)
