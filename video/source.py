"""Opening a video file (or one held in memory) with errors that a user can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
from av.container import InputContainer
from av.format import Flags as FormatFlags
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import InputError
from .webp import HEAD, is_animated_webp, unpacked

Source = str | Path | BytesIO

# Tags in an old AVI are often not UTF-8; they must not stop the video. PyAV up to 18 has to be told so; 19 keeps such
# bytes by itself, and no longer takes the argument.
_LENIENT_TAGS = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}

# What decoders and demuxers raise for damaged data (full disks, interrupts and lack of memory are others).
UNDECODABLE = (
    av.error.InvalidDataError,
    av.error.PatchWelcomeError,
    av.error.ExternalError,
    av.error.UnknownError,
    av.error.classes[errno.EINVAL],
)


def readable(source: Source) -> Source:
    """The source itself, or what FFmpeg can read in its place, in memory. Raises InputError, see video.webp."""
    if isinstance(source, BytesIO):
        content = source.getbuffer()
        return unpacked(bytes(content), describe(source)) if is_animated_webp(bytes(content[:HEAD])) else source
    path = Path(source)
    if not path.is_file():
        return source
    with path.open("rb") as file:
        if not is_animated_webp(file.read(HEAD)):
            return source
    return unpacked(path.read_bytes(), describe(source))


def describe(source: Source) -> str:
    """How messages name a source: the file's name, or "the video in memory"."""
    return "the video in memory" if isinstance(source, BytesIO) else f"'{Path(source).name}'"


@contextmanager
def open_source(source: Source) -> Iterator[InputContainer]:
    """Open a source for reading; each call reads from the start and shares no position with another.

    Raises:
        InputError: the file is missing, empty, unreadable, cut off or no media file.
    """
    name = describe(source)
    if isinstance(source, BytesIO):
        # A second BytesIO over the same bytes shares the memory but has its own position.
        file: str | BytesIO = BytesIO(source.getvalue())
        head = file.read(12)
        file.seek(0)
    else:
        path = Path(source)
        if not path.is_file():
            raise InputError(f"There is no video file {name} in '{path.parent}': check the path.")
        # An absolute path, so that FFmpeg never takes a name such as "a:b.mp4" for a protocol.
        file = str(path.absolute())
        try:
            with path.open("rb") as stream:
                head = stream.read(12)
        except OSError as error:
            raise InputError(f"{name} cannot be read ({error.strerror}): check its permissions.") from error
    if not head:
        raise InputError(f"{name} is empty (0 bytes): copy or record the video again.")
    try:
        container = av.open(file, mode="r", **_LENIENT_TAGS)
    except av.error.FFmpegError as error:
        if head[4:8] == b"ftyp":
            raise InputError(
                f"{name} is cut off or damaged: an MP4 without a readable index (moov) cannot be played, "
                "so copy or record it again."
            ) from error
        raise InputError(
            f"{name} is not a video that FFmpeg can read ({error.strerror}): use MP4, MOV, MKV, WebM or AVI."
        ) from error
    with container:
        yield container


def moving_pictures(container: InputContainer) -> list[VideoStream]:
    """The video streams that are no cover pictures."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The first stream of moving pictures.

    Raises:
        InputError: there is none, or FFmpeg has no decoder for it.
    """
    streams = moving_pictures(container)
    if not streams:
        found = "only sound" if container.streams.audio else "no video stream"
        raise InputError(f"A video was expected, but {name} holds {found}: choose a file with pictures.")
    if streams[0].codec_context is None:
        raise InputError(f"There is no decoder for the video in {name}: convert it to H.264 first.")
    return streams[0]


def time_origin(container: InputContainer) -> Fraction:
    """The moment, in seconds on the container's clock, that this package calls zero.

    Transport and programme streams start their clock anywhere, so there it is the earliest stream's start.
    Elsewhere it is the container's own zero, unless the video starts before it: MP4, which the writer makes,
    hides what lies before zero.
    """
    streams = [s for s in container.streams if s.start_time is not None]
    if container.format.flags & FormatFlags.ts_discont.value:
        return min((s.start_time * s.time_base for s in streams), default=Fraction(0))
    return min([Fraction(0), *(s.start_time * s.time_base for s in streams if s.type == "video")])
