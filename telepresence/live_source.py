"""Pictures and sound as they come: from a camera, a stream, or a file that is played at its own pace."""

import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame

from ..errors import InputError
from ..video.colour import RgbDecoder
from ..video.hdr import TRANSFERS
from ..video.info import Orientation, stated_rate
from ..video.source import UNDECODABLE, video_stream

SOUND_RATE = 48000  # samples a second of what is passed on, in stereo
OPENED_IN, READ_IN = 5.0, 2.0  # seconds after which a source that sends nothing has gone away
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each try to reach it again; the last one from then on
JUMP = 3.0  # seconds by which a stream's clock may differ from ours before it counts as another clock
PATIENCE = 0.1  # seconds of waiting after which Python looks whether it is interrupted, which on Windows it would not
IN_WORK = 2  # pictures at once: one is looked at while the one before is filled; with more they would only wait

# What a stream's first packets are looked at for: FFmpeg's own five seconds would all have to be caught up with.
QUICKLY = {"fflags": "nobuffer", "analyzeduration": "1000000", "probesize": "1000000"}

# FFmpeg asks Macs for 29.97 pictures a second, which most of their cameras refuse.
RATES = {"avfoundation": {"framerate": "30"}}
INPUTS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}  # FFmpeg's cameras by sys.platform


@dataclass(frozen=True)
class Picture:
    """pixels: (H, W, 3) uint8 RGB. time: seconds on the run's clock, on which sound lies too. arrived: time.monotonic()
    when this machine got it."""

    pixels: np.ndarray
    time: float
    arrived: float


@dataclass(frozen=True)
class Sound:
    """samples: (2, N) float32. time: of the first one, see Picture."""

    samples: np.ndarray
    time: float


@dataclass(frozen=True)
class Address:
    """What FFmpeg is to open. finite: it is a file, whose end is the end."""

    url: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    finite: bool = False

    @classmethod
    def of(cls, text: str, size: str | None = None) -> "Address":
        """A file, `camera:N` or `camera:NAME`, or any URL. size: WIDTHxHEIGHT that a camera is asked for.

        Raises InputError for a file that is not there, and a camera where none can be read.
        """
        if text.startswith("camera:"):
            url, format = _camera(text.removeprefix("camera:"))
            return cls(url, format, RATES.get(format, {}) | ({"video_size": size} if size else {}))
        if size:
            raise InputError(f"--size is what a camera is asked for, but the source is {text}; leave it out.")
        if re.match(r"\w+://", text):
            return cls(text, options=QUICKLY)
        if not Path(text).is_file():
            raise InputError(f"Expected camera:0, a URL such as udp://0.0.0.0:5000, or a file, but there is no {text}.")
        return cls(str(Path(text).absolute()), finite=True)

    def open(self) -> InputContainer:
        """Raises av.error.FFmpegError."""
        patience = None if self.finite else (OPENED_IN, READ_IN)
        return av.open(self.url, format=self.format, container_options=dict(self.options), timeout=patience)


def _camera(name: str) -> tuple[str, str]:
    """What FFmpeg calls a camera, and its input device."""
    platform = next((key for key in INPUTS if sys.platform.startswith(key)), None)
    if platform is None:
        raise InputError(f"Cameras are read on Linux, macOS and Windows, not on {sys.platform}; give a URL or a file.")
    if platform == "win32" and name.isdigit():
        raise InputError(f"On Windows a camera is called by its name, not by {name}: give camera:NAME.")
    address = {"linux": f"/dev/video{name}" if name.isdigit() else name, "darwin": name, "win32": f"video={name}"}
    return address[platform], INPUTS[platform]


Arrived = tuple[float, VideoFrame | AudioFrame]
"""A frame, and time.monotonic() when it came."""


def _words(error: av.error.FFmpegError | OSError) -> str:
    """What went wrong; FFmpeg says "immediate exit requested" where patience ran out."""
    return "nothing came in time" if isinstance(error, av.error.ExitError) else str(error.strerror)


def unknown_protocol(url: str) -> InputError:
    """What to say where FFmpeg does not know how a URL begins."""
    return InputError(
        f"The FFmpeg inside of PyAV does not have the protocol of {url}, as it has no srt: use another one, such as "
        "udp or rtmp."
    )


def _sound(container: InputContainer) -> list[AudioStream]:
    """The first stream of sound, where there is one and it has a decoder."""
    return [stream for stream in container.streams.audio[:1] if stream.codec_context is not None]


class LiveSource:
    """The newest picture of a source, whenever one is asked for. A context manager; leaving it stops the source.

    A thread of its own reads: a picture that nobody has taken when the next one comes is dropped. A stream or camera
    that goes away is opened again, after growing pauses; a file ends. The run's clock goes on meanwhile.

    Attributes: width, height: of all pictures, even, as the first one says. fps: as the source says. has_sound.
    dropped, reconnected: how many pictures, and how often, so far.

    say: told what happens to the source. Raises InputError where it cannot be opened, or shows no picture.
    """

    def __init__(self, address: Address, say: Callable[[str], None] = lambda _: None) -> None:
        self._address, self._say = address, say
        self.dropped = self.reconnected = 0
        self._changed, self._stop = threading.Condition(), threading.Event()
        self._newest: Picture | None = None
        self._asked = self._ended = False
        self._in_work = self._tries = 0
        self._sounds: deque[Sound] = deque(maxlen=1000)  # some seconds; nobody fetches them where none is wanted
        self._failed: BaseException | None = None
        self._thread: threading.Thread | None = None
        try:
            with ExitStack() as unusable:
                self._container = unusable.enter_context(address.open())
                self._look_at_first_picture()
                unusable.pop_all()
        except av.error.ProtocolNotFoundError as error:
            raise unknown_protocol(address.url) from error
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"The source {address.url} cannot be opened, or sends nothing ({_words(error)}): check its address, "
                "that it is on, and that no other program uses it."
            ) from error

    def _look_at_first_picture(self) -> None:
        """Set what it says. A stream is read from now on; a file begins anew when its pictures are asked for."""
        stream = video_stream(self._container, f"'{self._address.url}'")
        frames = self._frames()
        first = next((frame for _, frame in frames if isinstance(frame, VideoFrame)), None)
        if first is None:
            raise InputError(f"No picture of {self._address.url} can be decoded: choose another source.")
        self._orientation = Orientation.of(first)
        self.fps, self.has_sound = stated_rate(stream), bool(_sound(self._container))
        size = first.width - first.width % 2, first.height - first.height % 2  # as H.264 in 4:2:0 wants them
        self._to_pixels = RgbDecoder(*size, hdr=TRANSFERS.get(int(stream.codec_context.color_trc)))
        self.width, self.height = size[::-1] if self._orientation.transpose else size
        if not self._address.finite:
            self._start(frames)

    def __enter__(self) -> "LiveSource":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()
        self._container.close()

    def stop(self) -> None:
        """End `pictures`, wherever it waits."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def pictures(self) -> Iterator[Picture]:
        """The newest picture, each time one is asked for and fewer than IN_WORK are not `finished` yet."""
        if self._thread is None:
            self._container.close()
            self._container = self._address.open()
            self._asked = True  # from its first picture on: none is to be missed unseen
            self._start(self._frames())
        while True:
            with self._changed:
                self._asked = True
                while not self._changed.wait_for(self._can_go_on, PATIENCE):
                    pass
                if self._newest is None or self._stop.is_set():
                    break
                picture, self._newest = self._newest, None
                self._in_work += 1
            yield picture
        if self._failed is not None:
            raise self._failed

    def finished(self) -> None:
        """One of the pictures has been worked on."""
        with self._changed:
            self._in_work -= 1
            self._changed.notify_all()

    def sounds(self) -> list[Sound]:
        """What was heard since the last call."""
        return [self._sounds.popleft() for _ in range(len(self._sounds))]

    def _can_go_on(self) -> bool:
        if self._newest is None:
            return self._ended or self._stop.is_set()
        return self._in_work < IN_WORK or self._stop.is_set()

    def _start(self, frames: Iterator[Arrived]) -> None:
        self._started, self._anchor = time.monotonic(), None
        self._thread = threading.Thread(target=self._run, args=(frames,), daemon=True)
        self._thread.start()

    def _run(self, frames: Iterator[Arrived] | None) -> None:
        try:
            while frames is not None:
                why = self._played(frames)
                frames = None if self._address.finite or self._stop.is_set() else self._again(why)
        except BaseException as error:  # handed on, not swallowed: it belongs to whoever asks for pictures
            self._failed = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _frames(self) -> Iterator[Arrived]:
        """All that the open container shows and sounds, with the moment at which it came."""
        pictures = video_stream(self._container, f"'{self._address.url}'")
        pictures.thread_type = "SLICE"  # several frames at once would each be late by the others
        for packet in self._container.demux(pictures, *_sound(self._container)):
            arrived = time.monotonic()
            try:
                decoded = packet.decode()
            except UNDECODABLE:
                continue
            yield from ((arrived, frame) for frame in decoded)

    def _played(self, frames: Iterator[Arrived]) -> str:
        """Show and sound until the container ends; why it did."""
        self._anchor = None
        self._resampler = av.AudioResampler("fltp", "stereo", SOUND_RATE)
        try:
            for arrived, frame in frames:
                if self._stop.is_set():
                    break
                if isinstance(frame, VideoFrame):
                    self._show(frame, arrived)
                else:
                    self._hear(frame, arrived)
        except (av.error.FFmpegError, OSError) as error:
            return _words(error)
        except InputError:  # of video_stream: a stream may begin with its sound
            return "it shows no picture"
        return "it ended"

    def _again(self, why: str) -> Iterator[Arrived] | None:
        """The frames of a source that has gone away, once it is back; None where nobody waits for it any more."""
        self._container.close()
        while True:
            pause = PAUSES[min(self._tries, len(PAUSES) - 1)]
            self._tries += 1
            self._say(f"The source has gone away ({why}); trying again in {pause:g} s.")
            if self._stop.wait(pause):
                return None
            try:
                self._container = self._address.open()
                return self._frames()
            except (av.error.FFmpegError, OSError) as error:
                why = _words(error)

    def _show(self, frame: VideoFrame, arrived: float) -> None:
        if frame.is_corrupt:
            return
        if self._tries:
            self._tries, self.reconnected = 0, self.reconnected + 1
            self._say("The source is back.")
        shown = self._on_the_clock(frame, arrived)
        if self._address.finite:
            if self._stop.wait(max(self._started + shown - arrived, 0)):
                return
            arrived = max(arrived, self._started + shown)
        pixels = self._orientation.apply(self._to_pixels(frame))
        with self._changed:
            self.dropped += self._newest is not None and self._asked
            self._newest = Picture(pixels, shown, arrived)
            self._changed.notify_all()

    def _hear(self, frame: AudioFrame, arrived: float) -> None:
        start = self._on_the_clock(frame, arrived)
        for part in self._resampler.resample(frame):
            samples = part.to_ndarray()
            self._sounds.append(Sound(samples, start))
            start += samples.shape[1] / SOUND_RATE

    def _on_the_clock(self, frame: VideoFrame | AudioFrame, arrived: float) -> float:
        """When a frame is shown or heard, in seconds since the start. Pictures and sound of a source have one clock,
        which is set by ours when it begins, and when it jumps."""
        now = arrived - self._started
        stamp = now if frame.time is None else frame.time
        jumped = self._anchor is not None and not self._address.finite and abs(stamp + self._anchor - now) > JUMP
        if self._anchor is None or jumped:
            self._anchor = now - stamp
        return stamp + self._anchor
