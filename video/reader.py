"""Reading a video frame by frame, with memory that does not grow with its length."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from weakref import WeakSet

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import InputError
from .colour import RgbDecoder
from .hdr import TRANSFERS
from .info import Orientation, VideoInfo, frame_rate, index_packets, stated_rate
from .source import UNDECODABLE, Source, describe, open_source, readable, time_origin, video_stream
from .spatial import is_spatial

log = logging.getLogger(__name__)

# What belongs to the footage rather than to its encoding, and by what editors order and align it.
KEPT_TAGS = {
    "creation_time",
    "timecode",
    "location",
    "com.apple.quicktime.creationdate",
    "com.apple.quicktime.location.ISO6709",
}


@dataclass(frozen=True)
class Frame:
    """One upright picture.

    Attributes:
        pixels: (H,W,3) uint8 RGB, contiguous, owned by the caller.
        pts: when it is shown, in the reader's time base; strictly increasing.
        time: the same in seconds since the video's first frame.
    """

    pixels: np.ndarray
    pts: int
    time: Fraction


class VideoReader:
    """Streams a video's frames.

    Every iteration opens the source afresh, so several may run at once. Interlaced video is deinterlaced (by FFmpeg's
    bwdif, from the frames beside), HDR is tone-mapped. Frames that cannot be decoded are left out, logged once per
    iteration and counted.

    Attributes:
        info: the video's properties (see VideoInfo).
        time_base: seconds per tick of `Frame.pts`.
        times: (frame_count,) when each frame is shown, seconds since the first one.
        tags: when and where it was filmed, as far as the file says (KEPT_TAGS).
        damaged: packets that could not be decoded in the latest pass over the video.

    Raises:
        InputError: missing, empty or cut-off file, no video in it, or no frame that can be decoded.
    """

    info: VideoInfo
    time_base: Fraction
    damaged: int

    def __init__(self, source: Source) -> None:
        self._name = describe(source)
        self._source = source = readable(source)
        self._iterations: WeakSet[Iterator[Frame]] = WeakSet()
        self.damaged = 0
        with open_source(source) as container:
            stream = video_stream(container, self._name)
            first = next(self._decode(container, stream), None)
            if first is None:
                raise InputError(f"No frame of {self._name} can be decoded: convert or record it again.")
            self.time_base = stream.time_base
            self._origin = round(time_origin(container) / self.time_base)
            self._orientation = Orientation.of(first)
            stated = stated_rate(stream)
            self._frame_ticks = max(1, round(1 / (stated * self.time_base)))
            self.tags = {k: v for k, v in (container.metadata | stream.metadata).items() if k in KEPT_TAGS}
            has_audio = bool(container.streams.audio)
            aspect = Fraction(stream.sample_aspect_ratio or 1)
            codec, pix_fmt = stream.codec_context.name, first.format.name
            hdr, interlaced = TRANSFERS.get(int(stream.codec_context.color_trc)), bool(first.interlaced_frame)
        self._first_pts = next(pts for _, pts in self._timed(iter([first])))
        with open_source(source) as container:
            index = index_packets(container, video_stream(container, self._name))
        self._pts = index.pts
        pts = self._pts_by_decoding() if index.pts is None else index.pts
        self.times = (pts - pts[0]) * float(self.time_base)
        fps, varies = frame_rate(stated, pts, index.last_duration, self.time_base)
        width, height = first.width, first.height
        if self._orientation.transpose:
            width, height, aspect = height, width, 1 / aspect
        self.info = VideoInfo(
            width=width,
            height=height,
            fps=fps,
            frame_count=len(pts),
            duration=float(len(pts) / fps),
            has_audio=has_audio,
            variable_frame_rate=varies,
            rotation=self._orientation.degrees,
            codec=codec,
            pix_fmt=pix_fmt,
            sample_aspect_ratio=aspect,
            hdr=hdr,
            interlaced=interlaced,
            spatial=codec == "hevc" and is_spatial(source),
        )

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End every running iteration, which closes the file."""
        for iteration in list(self._iterations):
            iteration.close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(
        self, start: int = 0, length: int | None = None, every_nth: int = 1, max_side: int = 0, channels: str = "rgb"
    ) -> Iterator[Frame]:
        """Stream a part of the video.

        Args:
            start: number of the first frame, counted from 0.
            length: how many frames to yield at most; None or 0 for all.
            every_nth: yield every n-th frame from `start` on.
            max_side: shrink so that the longer side has at most this many pixels (aspect kept); 0 keeps the
                size.
            channels: of the pixels: "rgb", or "rgba" (255 = opaque; HDR has no transparency and stays "rgb").

        Raises:
            InputError: a negative or zero argument where none is possible, or a start behind the last frame.
        """
        length = length or 0
        if start < 0 or length < 0 or every_nth < 1 or max_side < 0:
            raise InputError(
                "start, length and max_side must not be negative and every_nth must be at least 1, "
                f"but they are {start}, {length}, {max_side} and {every_nth}."
            )
        if start >= self.info.frame_count:
            raise InputError(
                f"Reading should start at frame {start}, but {self._name} has only "
                f"{self.info.frame_count} frames: choose a smaller start."
            )
        iteration = self._frames(start, length, every_nth, max_side, channels)
        self._iterations.add(iteration)
        return iteration

    def size(self, max_side: int = 0) -> tuple[int, int]:
        """(width, height) of the frames that `frames(max_side=max_side)` yields."""
        width, height = self.info.width, self.info.height
        if not 0 < max_side < max(width, height):
            return width, height
        scale = Fraction(max_side, max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _frames(self, start: int, length: int, every_nth: int, max_side: int, channels: str) -> Iterator[Frame]:
        width, height = self.size(max_side)
        shrinking = (width, height) != (self.info.width, self.info.height)
        if self._orientation.transpose:
            width, height = height, width
        to_pixels = RgbDecoder(width, height, shrinking=shrinking, channels=channels, hdr=self.info.hdr)
        self.damaged = 0
        yielded = 0
        try:
            for number, (frame, pts) in enumerate(self._from(start)):
                if number % every_nth:
                    continue
                pixels = self._orientation.apply(to_pixels(frame))
                yield Frame(pixels, pts - self._origin, (pts - self._first_pts) * self.time_base)
                yielded += 1
                if yielded == length:
                    break
        finally:
            if self.damaged:
                log.warning("%s: %d damaged frames are left out.", self._name, self.damaged)

    def _from(self, start: int) -> Iterator[tuple[VideoFrame, int]]:
        """Decoded frames with their pts, from frame number `start` on."""
        if start and self._pts is not None:
            # Seeking is exact because the wanted frame is known by its timestamp; where a container cannot
            # seek in front of it, everything from the first frame on is decoded instead.
            target = int(self._pts[start])
            with open_source(self._source) as container:
                stream = video_stream(container, self._name)
                frames = self._timed(self._whole(stream, self._seek(container, stream, target)))
                first = next(frames, None)
                if first is not None and first[1] <= target:
                    if first[1] == target:
                        yield first
                    yield from (timed for timed in frames if timed[1] >= target)
                    return
        with open_source(self._source) as container:
            stream = video_stream(container, self._name)
            frames = self._timed(self._whole(stream, self._decode(container, stream)))
            for number, timed in enumerate(frames):
                if number >= start:
                    yield timed

    def _seek(self, container: InputContainer, stream: VideoStream, pts: int) -> Iterator[VideoFrame]:
        try:
            container.seek(pts, stream=stream)
        except av.error.FFmpegError:  # this container cannot seek
            return
        yield from self._decode(container, stream)

    def _timed(self, frames: Iterator[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
        """Give every frame a pts, strictly increasing, also where the file gives none or the same twice."""
        previous: int | None = None
        for frame in frames:
            pts = frame.dts if frame.pts is None else frame.pts
            if previous is None:
                pts = self._origin if pts is None else pts
            elif pts is None:
                pts = previous + self._frame_ticks
            else:
                pts = max(pts, previous + 1)
            previous = pts
            yield frame, pts

    def _whole(self, stream: VideoStream, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames of interlaced video made of both fields, at the same times; others as they are."""
        if not self.info.interlaced:
            yield from frames
            return
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=stream),
            graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            graph.add("buffersink"),
        ).configure()
        for frame in chain(frames, (None,)):
            graph.push(frame)
            while True:
                try:
                    whole = graph.pull()
                except (BlockingIOError, EOFError):  # it wants the next frame first
                    break
                if whole.pts is not None:
                    whole.pts, whole.time_base = round(whole.pts * whole.time_base / self.time_base), self.time_base
                yield whole

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        stream.thread_type = "AUTO"
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except UNDECODABLE:  # the container is damaged from here on
                self.damaged += 1
                return
            if packet is None:
                return
            try:
                decoded = packet.decode()
            except UNDECODABLE:
                self.damaged += 1
                continue
            yield from decoded

    def _pts_by_decoding(self) -> np.ndarray:
        with open_source(self._source) as container:
            frames = self._decode(container, video_stream(container, self._name))
            return np.fromiter((pts for _, pts in self._timed(frames)), np.int64)


def probe(source: Source) -> VideoInfo:
    """A video's properties; see VideoReader for the errors."""
    with VideoReader(source) as reader:
        return reader.info
