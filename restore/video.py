"""From video file to video file, window by window: memory does not grow with the length."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice, tee
from pathlib import Path
from queue import Full, Queue
from typing import TypeVar

import numpy as np

from ..errors import InputError
from ..headset.sources import Covered, MaskSource, SimulatedHeadset, empty_mask_error
from ..tracking.calibration import PersonalCalibration
from ..tracking.follow import Wearer, first_of, follow, visible_detector
from ..tracking.head_search import Box
from ..tracking.reference import Reference
from ..tracking.track import TrackedFace, status_summary
from ..video import VideoReader, VideoWriter
from ..video.source import Source
from .clip import check_landmarks
from .engine import Deoccluder
from .filler import Filler
from .registry import filler_of

Item = TypeVar("Item")


@contextmanager
def ahead(items: Iterator[Item], count: int) -> Iterator[Iterator[Item]]:
    """Take from `items` in a thread of its own, at most `count` items before they are asked for.

    What `items` raises is raised where they are asked for. Leaving the block stops the thread, after the item that it
    is at, and waits for it.
    """
    queue: Queue[tuple[Item | None, BaseException | None]] = Queue(count)
    stop = threading.Event()

    def offer(entry: tuple[Item | None, BaseException | None]) -> None:
        while not stop.is_set():
            try:
                return queue.put(entry, timeout=0.1)
            except Full:
                continue

    def work() -> None:
        try:
            for item in items:
                offer((item, None))
                if stop.is_set():
                    return
            offer((None, StopIteration()))
        except BaseException as error:  # handed on, not swallowed: it belongs to whoever asks next
            offer((None, error))

    def taken() -> Iterator[Item]:
        while True:
            item, error = queue.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()


LOOKED_AT_AHEAD = 4  # frames
SMALLEST = 64  # pixels; below that no landmark is worth its name


@dataclass(frozen=True)
class VideoReport:
    """What was done. status: (frames,) uint8 FrameStatus of the face that was followed."""

    frames: int
    status: np.ndarray

    @property
    def summary(self) -> str:
        return status_summary(self.status)


def deocclude_video(
    source: Source,
    target: str | Path,
    *,
    mask: MaskSource,
    reference: Reference | None,
    method: str | Filler = "warp",
    landmarks: str = "visible",
    face: int = 0,
    on_missing: str = "interpolate",
    detector: str = "auto",
    face_box: Box | None = None,
    covered_target: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VideoReport:
    """Remove the headset from a video file.

    source: a file, or a BytesIO of one. target: the MP4 to write, with all frames, timestamps and sound of the source;
    it appears whole or not at all. method: a name out of restore.registry, or a filler. landmarks: "visible", or
    "oracle" where the headset is a simulated one. face, on_missing, detector, face_box: whom to follow and how, see
    tracking.follow.Wearer. covered_target: where to write the input as the method sees it, which for a simulated
    headset is a video that exists nowhere else. Raises InputError; whatever `progress` raises passes.
    """
    check_landmarks(landmarks)
    if landmarks == "oracle" and not isinstance(mask, SimulatedHeadset):
        raise InputError("Oracle landmarks exist only for a simulated headset; use visible landmarks for real footage.")
    filler = filler_of(method, reference)
    engine = Deoccluder(filler, reference)
    reader = VideoReader(source)
    info = reader.info
    if min(info.width, info.height) < SMALLEST:
        raise InputError(
            f"Expected frames of at least {SMALLEST} x {SMALLEST} pixels, got {info.width} x {info.height}; "
            "enlarge the video."
        )
    note = {"comment": f"The face under the headset was reconstructed by HMD Removal (method: {filler.name})."}
    status: list[int] = []
    holes = 0

    def writer(path: str | Path, **metadata: object) -> VideoWriter:
        return VideoWriter(
            path,
            width=info.width,
            height=info.height,
            fps=info.fps,
            time_base=reader.time_base,
            audio_from=source,
            sample_aspect_ratio=info.sample_aspect_ratio,
            **metadata,
        )

    wearer = Wearer(face, on_missing, detector, face_box)
    with ExitStack() as stack:
        result = stack.enter_context(writer(target, metadata=note))
        covered = None if covered_target is None else stack.enter_context(writer(covered_target))
        shown, pixels = tee(iter(reader))
        covers = stack.enter_context(closing(mask.cover((f.pixels for f in pixels), wearer)))
        faces = stack.enter_context(closing(with_faces(covers, landmarks, wearer, reference)))
        # Looking at the next frames and filling this one keep two cores busy.
        followed = stack.enter_context(ahead(zip(shown, faces, strict=True), LOOKED_AT_AHEAD))
        while window := list(islice(followed, filler.window)):
            filled = engine.process(
                [c.pixels for _, (c, _) in window], [c.mask for _, (c, _) in window], [f for _, (_, f) in window]
            )
            for (frame, (cover, tracked)), picture in zip(window, filled, strict=True):
                result.write(picture, frame.pts)
                if covered is not None:
                    covered.write(cover.pixels, frame.pts)
                status.append(int(tracked.status))
                holes += bool(cover.mask.any())
                if progress is not None:
                    progress(len(status), info.frame_count)
        if not holes:
            raise empty_mask_error()
    return VideoReport(len(status), np.array(status, np.uint8))


def with_faces(
    frames: Iterator[Covered], landmarks: str, wearer: Wearer, reference: Reference | None
) -> Iterator[tuple[Covered, TrackedFace]]:
    """Each covered frame with the face that is seen in it, or with the true one in oracle mode.

    landmarks: "visible" or "oracle". reference: on whom what is seen is calibrated, or None.
    """
    if landmarks == "oracle":
        yield from ((c, c.truth) for c in frames)
        return
    calibration = None if reference is None else PersonalCalibration(reference)
    for cover, face in _followed(frames, wearer):
        calibrated = face if calibration is None else calibration.push(cover.pixels, face, cover.mask)
        yield cover, calibrated.covered_by(cover.mask)


def _followed(frames: Iterator[Covered], wearer: Wearer) -> Iterator[tuple[Covered, TrackedFace]]:
    """Each covered frame with the face as the detector sees it."""
    first, frames = first_of(frames)
    if any(c.seen is not None for c in first):
        yield from ((c, c.seen) for c in frames)
        return
    shown, seen = tee(frames)
    with closing(visible_detector([c.pixels for c in first], wearer, masked=True)) as detector:
        yield from zip(shown, follow(((c.pixels, c.mask) for c in seen), detector, wearer, masked=True), strict=True)
