"""From video file to video file, window by window: memory does not grow with the length."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from queue import Empty, Full, Queue
from typing import TypeVar

import numpy as np
import torch

from ..driving.alignment import in_time_with_clip
from ..driving.eye_tracking import EyeTracking, TrackingData
from ..driving.natural import natural
from ..driving.seen_face import WATCHED
from ..errors import InputError
from ..headset.sources import Covered, DetectedHeadset, FrameSource, GivenMask, MaskSource, empty_mask_error
from ..headset.wearers import Everyone, cover_everyone
from ..tracking.follow import LARGEST_FACE, Wearer, beside, copied
from ..tracking.reference import Reference
from ..tracking.track import FrameStatus, TrackedFace, ranges, status_summary
from ..video import QUALITIES, VideoReader, VideoWriter
from ..video.info import VideoInfo
from ..video.reader import Frame
from ..video.source import Source
from ..video.views import FLAT, View, stereo_layout, views_of
from .engine import EYES, Deoccluder, check_eyes
from .filler import Filler, pictures_for
from .paste import check_opacity, half_there, left_in_front
from .registry import filler_of

Item = TypeVar("Item")


@contextmanager
def ahead(items: Iterator[Item], count: int, idle: Callable[[], None] = lambda: None) -> Iterator[Iterator[Item]]:
    """Take from `items` in a thread of its own, at most `count` items before they are asked for.

    idle: called every 0.1 seconds while the next item is waited for. What `items` raises is raised where they are asked
    for. Leaving the block stops the thread, after the item that it is at, and waits for it.
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
            try:
                item, error = queue.get(timeout=0.1)  # on Windows Ctrl-C cannot end a wait without an end
            except Empty:
                idle()
                continue
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
WRITTEN_LATER = 2  # frames


@dataclass(frozen=True)
class VideoReport:
    """What was done. path: of the file that was written, which is another than the one asked for where that is open in
    a player. status: (frames,) uint8 FrameStatus of the face that was followed. filled: (frames,) bool, a hole
    was. remarks: what else a user should know."""

    path: Path
    frames: int
    status: np.ndarray
    filled: np.ndarray
    remarks: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """How many frames have a face, which ones have a hole, and the remarks, in words."""
        parts = [status_summary(self.status)]
        if self.filled.any() and not self.filled.all():
            frames = ranges(np.flatnonzero(self.filled))
            parts.append(f"A headset was removed in frames {frames}; the others are as they came.")
        return " ".join((*parts, *self.remarks))


def deocclude_video(
    source: Source,
    target: str | Path,
    *,
    mask: MaskSource,
    reference: Reference | Sequence[Reference] | None,
    method: str | Filler = "warp",
    wearer: Wearer = LARGEST_FACE,
    quality: str = QUALITIES[0],
    stereo: str = FLAT,
    covered_target: str | Path | None = None,
    device: torch.device | None = None,
    tracking: TrackingData | None = None,
    eyes: str = EYES[0],
    opacity: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> VideoReport:
    """Remove the headset from a video file.

    source: a file, or a BytesIO of one. target: the MP4 to write, with all frames, timestamps and sound of the source;
    it appears whole or not at all. reference: pictures of the wearer; a sequence of them, of which each shows another
    person, is for everyone who wears a headset, by their number (headset.wearers). method: a name out of
    restore.registry, or a filler. wearer: whom to follow and how. quality: of the file, see video.VideoWriter. stereo:
    out of video.views.STEREO: the views of one frame, each filled as a clip of its own. covered_target: where to write
    the input as the method sees it, which for a simulated headset is a video that exists nowhere else. device: where to
    calculate, see Deoccluder. tracking: what moves the eyes; eyes: out of EYES, how they move without. opacity: of the
    device over the restored face, 0 gone, 1 as filmed. Raises InputError; whatever `progress` raises passes.
    """
    check_opacity(opacity)
    everyone = not isinstance(reference, Reference | None)
    people = tuple(reference) if everyone else (reference,)
    filler = filler_of(method, people[0])
    if everyone:
        _check_everyone(filler, mask, tracking)
    pictures = [pictures_for(filler, one) for one in people]
    if filler.needs_alignment:
        wanted = _wanted_eyes(source, tracking, eyes, mask, wearer, stereo, pictures)
    else:
        wanted = _unmoved(filler, len(people), moved=tracking is not None or eyes != EYES[0])
    how = f"method: {filler.name}; eyes: {wanted.origin}"
    if opacity:
        how += f"; opacity of the headset: {opacity:g}"
    note = {"comment": f"The face under the headset was reconstructed by HMD Removal ({how})."}
    status: list[int] = []
    covered_frames: list[bool] = []
    filled_frames: list[list[bool]] = []  # of each person
    others: list[bool] = []
    hands: list[bool] = []
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(source))
        info = reader.info
        views = views_of(stereo, (info.height, info.width), info.sample_aspect_ratio)
        sources: list[FrameSource] = [mask] * len(views)
        remarks = source_remarks(info) + [remark for shown in pictures if shown is not None for remark in shown.remarks]
        remarks += wanted.remarks
        if isinstance(mask, GivenMask):
            sources = mask.fit(reader.times, (info.height, info.width), [view.take for view in views])
            remarks += sources[0].frames.remarks
        if stereo == FLAT and (layout := stereo_layout(next(iter(reader)).pixels)) is not None:
            remarks.append(
                f"The picture looks like stereo ({layout}), of which one view alone was filled: choose that layout."
            )

        def writer(path: str | Path, **metadata: object) -> VideoWriter:
            return VideoWriter(
                path,
                width=info.width,
                height=info.height,
                fps=info.fps,
                time_base=reader.time_base,
                audio_from=source,
                sample_aspect_ratio=info.sample_aspect_ratio,
                quality=quality,
                **metadata,
            )

        result = stack.enter_context(writer(target, metadata=reader.tags | note))
        covered = None if covered_target is None else stack.enter_context(writer(covered_target))

        rate = float(info.fps)
        engines = [
            [
                Deoccluder(filler, shown, device, rate, tracking=rows)
                for shown, rows in zip(pictures, wanted.rows, strict=True)
            ]
            for _ in views
        ]
        wearers = [_in_view(wearer, view, info) for view in views]

        def covers(frames: Iterator[Frame]) -> Iterator[tuple[Everyone, ...]]:
            copies = copied((frame.pixels for frame in frames), len(views))
            taken = (map(view.take, copy) for view, copy in zip(views, copies, strict=True))
            with ExitStack() as covering:

                def of(source: FrameSource, part: Iterator[np.ndarray], meant: Wearer) -> Iterator[Everyone]:
                    if everyone:
                        return covering.enter_context(closing(cover_everyone(source, part, meant, pictures)))
                    covers = covering.enter_context(closing(source.cover(part, meant, pictures[0])))
                    return (Everyone((covered,)) for covered in covers)

                yield from zip(*map(of, sources, taken, wearers), strict=True)

        shown = stack.enter_context(closing(beside(reader, covers)))
        # Looking at the next frames, filling these and encoding those before keep several cores busy.
        upcoming = stack.enter_context(ahead(shown, LOOKED_AT_AHEAD))
        done = stack.enter_context(ahead(_filled(upcoming, views, engines, filler.window, opacity), WRITTEN_LATER))
        for frame, parts, picture in done:
            result.write(picture, frame.pts)
            if covered is not None:
                shown_parts = [part.covers[0].pixels for part in parts]
                covered.write(_together(frame.pixels, views, shown_parts), frame.pts)
            status.append(int(min(one.face.status for part in parts for one in part.covers)))
            covered_frames.append(any(one.mask.any() for part in parts for one in part.covers))
            filled_frames.append(
                [any(map(_is_filled, each)) for each in zip(*(part.covers for part in parts), strict=True)]
            )
            others.append(any(part.others for part in parts))
            hands.append(any(one.front is not None for part in parts for one in part.covers))
            if progress is not None:
                progress(len(status), info.frame_count)
        if not any(covered_frames):
            raise empty_mask_error()
    if result.path != Path(target):
        remarks.append(
            f"'{Path(target).name}' cannot be replaced, as while a player has it open; "
            f"the result is '{result.path.name}'."
        )
    filled = np.array(filled_frames)
    if opacity:
        remarks.append(f"The headset was left over the face with an opacity of {opacity:g}.")
    if any(hands):
        remarks.append(f"A hand before the headset was left in frames {ranges(np.flatnonzero(hands))}.")
    if everyone:
        remarks += _remarks_on_everyone(filled, np.array(others))
    return VideoReport(result.path, len(status), np.array(status, np.uint8), filled.any(1), tuple(remarks))


def _check_everyone(filler: Filler, mask: MaskSource, tracking: TrackingData | None) -> None:
    """Raise InputError where not everyone can be restored at once."""
    if tracking is not None:
        raise InputError("Tracking data are of one person; with them, remove one headset after the other.")
    if not isinstance(mask, DetectedHeadset):
        raise InputError(
            "Everyone who wears a headset is restored where headsets are found by themselves; with a mask, remove one "
            "headset after the other."
        )
    if filler.own_reference is not None or not filler.needs_alignment:
        raise InputError(
            f"The method {filler.name!r} is made for one person; choose another one to restore everyone who wears a "
            "headset."
        )


def _is_filled(covered: Covered) -> bool:
    return bool(covered.mask.any()) and covered.face.status != FrameStatus.MISSING


def _remarks_on_everyone(filled: np.ndarray, others: np.ndarray) -> list[str]:
    """What was done with whom. filled: (T, N) bool of N references; others: (T,) bool, somebody else wore a headset."""
    when = [f"frames {ranges(np.flatnonzero(frames))}" if frames.any() else "nobody" for frames in filled.T]
    words = (f"reference {number}: {frames}" for number, frames in enumerate(when, 1))
    remarks = [f"Wearers of headsets, from left to right: {'; '.join(words)}."]
    if others.any():
        remarks.append(
            f"Somebody else wears a headset in frames {ranges(np.flatnonzero(others))}, who is left so, as there is no "
            "reference for them."
        )
    return remarks


@dataclass(frozen=True)
class _WantedEyes:
    """rows: for each person how the eyes are wanted in each frame, None where they stay as they are. origin: what says
    so. remarks: what a user should know of it."""

    rows: tuple[EyeTracking | None, ...]
    origin: str
    remarks: tuple[str, ...] = ()


def _wanted_eyes(
    source: Source,
    tracking: TrackingData | None,
    eyes: str,
    mask: MaskSource,
    wearer: Wearer,
    stereo: str,
    pictures: Sequence[Reference | None],
) -> _WantedEyes:
    """By the tracking data, else as `eyes` says. Where nothing but the mouth tells the data's time, the video is gone
    through once before."""
    check_eyes(eyes)
    if tracking is None and eyes == EYES[0]:
        return _WantedEyes((None,) * len(pictures), EYES[0])
    with VideoReader(source) as reader:
        times, fps = reader.times, float(reader.info.fps)
        if tracking is None:
            return _WantedEyes(tuple(natural(times, seed=number) for number in range(len(pictures))), eyes)
        faces = _faces_of(reader, mask, wearer, stereo, pictures[0])
        rows, said = in_time_with_clip(tracking, times, reader.tags, fps, faces)
    return _WantedEyes((rows,), "tracking", (said,))


def _unmoved(filler: Filler, people: int, *, moved: bool) -> _WantedEyes:
    """Of a method that shows no picture of the person. moved: whether eyes were to be moved."""
    remark = f"The method {filler.name!r} draws eyes of its own, which are not moved."
    return _WantedEyes((None,) * people, filler.name, (remark,) if moved else ())


def _faces_of(
    reader: VideoReader, mask: MaskSource, wearer: Wearer, stereo: str, pictures: Reference | None
) -> Iterator[tuple[float, np.ndarray, TrackedFace]]:
    """The seconds, the picture and the face of the frames of a video's first WATCHED seconds, in its first view."""
    info, times = reader.info, reader.times
    size = (info.height, info.width)
    view = views_of(stereo, size, info.sample_aspect_ratio)[0]
    source = mask.fit(times, size, [view.take])[0] if isinstance(mask, GivenMask) else mask
    frames = (view.take(frame.pixels) for frame in reader.frames(length=round(WATCHED * info.fps)))
    somebody = replace(_in_view(wearer, view, info), required=False)  # they may come later
    with closing(source.cover(frames, somebody, pictures)) as covers:
        for time, cover in zip(times, covers, strict=False):
            yield time, cover.pixels, cover.face


def _in_view(wearer: Wearer, view: View, info: VideoInfo) -> Wearer:
    """The wearer as they are followed in one view of a video."""
    box = wearer.box and view.box(wearer.box, (info.height, info.width))
    return replace(wearer, fps=float(info.fps), box=box)


def source_remarks(info: VideoInfo) -> list[str]:
    """What happens to a video on the way in that its maker would want to know."""
    remarks = []
    if info.hdr is not None:
        remarks.append(f"The video is HDR ({info.hdr}); the result is SDR, tone-mapped.")
    if info.sample_aspect_ratio != 1:
        remarks.append(f"The video's pixels are not square ({info.sample_aspect_ratio}), which was allowed for.")
    if info.spatial:
        remarks.append("The video is spatial (MV-HEVC), of which one view was read; the result is flat.")
    if info.interlaced:
        remarks.append("The video is interlaced; the result is progressive, each frame made of both fields.")
    return remarks


def _filled(
    pictures: Iterator[tuple[Frame, tuple[Everyone, ...]]],
    views: tuple[View, ...],
    engines: list[list[Deoccluder]],
    window: int,
    opacity: float,
) -> Iterator[tuple[Frame, tuple[Everyone, ...], np.ndarray]]:
    """Each frame with what covers the people in its views, and the same frame filled. engines: of each view, one for
    each person, who is given what the ones before filled. opacity: of the headsets, which the engines never see half
    there."""
    while some := list(islice(pictures, window)):
        filled = []
        for number, of_people in enumerate(engines):
            seen = [parts[number].covers for _, parts in some]
            pixels = filmed = [covers[0].pixels for covers in seen]
            for engine, covers in zip(of_people, zip(*seen, strict=True), strict=True):
                pixels = fill_covered(engine, pixels, covers)
            if opacity:
                pixels = [half_there(*both, opacity) for both in zip(pixels, filmed, strict=True)]
            filled.append(pixels)
        for (frame, parts), pictures_of in zip(some, zip(*filled, strict=True), strict=True):
            yield frame, parts, _together(frame.pixels, views, pictures_of)


def fill_covered(engine: Deoccluder, pixels: Sequence[np.ndarray], covers: Sequence[Covered]) -> list[np.ndarray]:
    """The next frames of a clip, (H, W, 3) uint8, filled behind what covers one person; hands before it stay."""
    done = engine.process(pixels, [c.mask for c in covers], [c.face for c in covers])
    return [
        one if c.front is None else left_in_front(one, before, c.front)
        for one, before, c in zip(done, pixels, covers, strict=True)
    ]


def _together(frame: np.ndarray, views: tuple[View, ...], filled: Sequence[np.ndarray]) -> np.ndarray:
    """The frame with its views filled."""
    if views[0].whole:
        return filled[0]
    picture = frame.copy()
    for view, fill in zip(views, filled, strict=True):
        view.put(picture, fill, view.take(frame))
    return picture
