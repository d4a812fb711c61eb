"""Where a live picture goes: a file, a stream, a window, or a virtual camera."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from av.container import OutputContainer

from ..errors import InputError
from ..files import written_whole
from ..video.colour import Bt709Encoder
from .live_source import SOUND_RATE, Sound, unknown_protocol

WINDOW, CAMERA = "window", "virtual-camera"
FILES = {".mp4": "mp4", ".mkv": "matroska", ".ts": "mpegts"}  # FFmpeg's names
STREAMS = {"udp": "mpegts", "tcp": "mpegts", "rtmp": "flv", "rtmps": "flv"}
# Of the clock of pictures, a second. MP4 counts in 31 bits how long one lasts: 59 hours, while the source may be away.
TICKS = 10_000
# Without look-ahead in x264 either; of little more quality than a meeting shows.
ENCODER = {"preset": "veryfast", "tune": "zerolatency", "crf": "20"}
JOINED_IN = 2  # seconds after which whoever comes late to a stream sees its picture
MOST_BITS = {"maxrate": "6M", "bufsize": "3M"}  # a stream's, a second, which services and wireless networks take
PACKET = 1316  # bytes: seven MPEG-TS packets, the most that no network cuts
SENT_IN = 5.0  # seconds after which somebody who takes nothing of what is sent has gone away
GAP = 0.1  # seconds of missing sound from which silence takes its place
SILENCE = 1.0  # seconds of it at most, so that hours of it need no time: before that there is no sound at all

# Pictures wait a fifth of a second for sound that does not come; for FFmpeg's own ten they would stand still.
AT_ONCE = {"flush_packets": "1", "max_interleave_delta": "200000"}
BT709, LIMITED = 1, 1  # AVColorSpace, AVColorRange


class Target(Protocol):
    """What shows live pictures. closed: whether the user has closed it."""

    closed: bool

    def show(self, pixels: np.ndarray, time: float, sounds: Sequence[Sound]) -> None:
        """The next picture, (H, W, 3) uint8 RGB, and the sound that has come meanwhile; times as in live_source."""

    def idle(self) -> None:
        """Called now and then while no picture comes."""


@contextmanager
def open_target(
    out: str, *, size: tuple[int, int], fps: Fraction, sound: bool, metadata: Mapping[str, str]
) -> Iterator[Target]:
    """Open what `out` names: a file of FILES, a URL of STREAMS, WINDOW or CAMERA. size: (width, height), both even.
    sound: whether there is any. metadata: tags. A file appears whole, when the block ends well.

    Raises InputError where that cannot be written or shown.
    """
    if out == WINDOW:
        yield _Window()
    elif out == CAMERA:
        with _virtual_camera(size, fps) as camera:
            yield _VirtualCamera(camera)
    elif "://" in out:
        with _encoded(out, _stream_format(out), size, fps, sound, metadata, MOST_BITS) as target:
            yield target
    else:
        path = Path(out)
        if path.suffix.lower() not in FILES:
            raise InputError(
                f"Expected --out {WINDOW}, {CAMERA}, a URL of {', '.join(STREAMS)}, or a file of "
                f"{', '.join(FILES)}, got {out}."
            )
        with written_whole(path) as unfinished:
            name = str(unfinished.absolute())
            with _encoded(name, FILES[path.suffix.lower()], size, fps, sound, metadata, {}) as target:
                yield target


def _stream_format(url: str) -> str:
    scheme = url.partition("://")[0]
    if scheme not in STREAMS:
        raise InputError(f"Expected a URL of {', '.join(STREAMS)} to send to, got {url}.")
    return STREAMS[scheme]


@contextmanager
def _encoded(
    address: str,
    format: str,
    size: tuple[int, int],
    fps: Fraction,
    sound: bool,
    metadata: Mapping[str, str],
    rate: Mapping[str, str],
) -> Iterator["_Encoded"]:
    try:
        with av.open(_with_limits(address), "w", format=format, container_options=dict(AT_ONCE)) as output:
            output.metadata.update(metadata)
            target = _Encoded(output, size, fps, sound, rate)
            yield target
            target.finish()
    except av.error.ProtocolNotFoundError as error:
        raise unknown_protocol(address) from error
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"What is restored cannot be written to {address} ({error.strerror}): check that it is reachable and that "
            "there is room."
        ) from error


def _with_limits(address: str) -> str:
    """The address with what its protocol needs: UDP the size of packets, the others a time in which they are taken.

    PyAV hands on no options to protocols, and RTMP's URLs take none: FFmpeg's protocol `tee` sets them.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return address
    if scheme == "udp":
        return address if "pkt_size=" in address else f"{address}{'&' if '?' in address else '?'}pkt_size={PACKET}"
    escaped = re.sub(r"([\\'|])", r"\\\1", address)
    return f"tee:[rw_timeout={round(1e6 * SENT_IN)}]{escaped}"


class _Encoded:
    """H.264 and AAC in a file or stream, both beginning with the first picture."""

    closed = False

    def __init__(
        self, output: OutputContainer, size: tuple[int, int], fps: Fraction, sound: bool, rate: Mapping[str, str]
    ) -> None:
        self._output, self._to_yuv = output, Bt709Encoder("yuv420p")
        self._video = output.add_stream(
            "libx264",
            rate=fps.limit_denominator(1000),
            options={**ENCODER, "g": str(round(JOINED_IN * fps)), **rate},
            width=size[0],
            height=size[1],
            pix_fmt="yuv420p",
            time_base=Fraction(1, TICKS),
        )
        context = self._video.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        self._sound = output.add_stream("aac", rate=SOUND_RATE, layout="stereo") if sound else None
        output.start_encoding()  # here it shows whether the address is good
        self._start: float | None = None
        self._tick, self._sample = -1, 0  # the last one that was written, the next one

    def show(self, pixels: np.ndarray, time: float, sounds: Sequence[Sound]) -> None:
        if self._start is None:
            self._start = time
        # Sound first: it is ahead of the pictures, and who mixes both waits for whatever lags behind.
        if self._sound is not None:
            for sound in sounds:
                self._hear(sound)
        frame = self._to_yuv(pixels)
        self._tick = max(round((time - self._start) * TICKS), self._tick + 1)
        frame.pts, frame.time_base = self._tick, Fraction(1, TICKS)
        self._output.mux(self._video.encode(frame))

    def idle(self) -> None:
        """Nothing has to be done."""

    def finish(self) -> None:
        """Write what the encoders still hold."""
        if self._start is None:
            raise InputError("No picture came out, so nothing was written.")
        self._output.mux(self._video.encode(None))
        if self._sound is not None:
            self._output.mux(self._sound.encode(None))

    def _hear(self, sound: Sound) -> None:
        """Add to the sound: silence where some is missing, and nothing twice."""
        start = round((sound.time - self._start) * SOUND_RATE)
        samples = sound.samples[:, max(-start, 0) :]
        missing = max(start, 0) - self._sample
        if missing > GAP * SOUND_RATE or not self._sample:
            silence = min(missing, round(SILENCE * SOUND_RATE))
            self._sample += missing - silence
            samples = np.pad(samples, ((0, 0), (silence, 0)))
        elif missing < -GAP * SOUND_RATE:
            samples = samples[:, -missing:]
        if not samples.shape[1]:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._sample, Fraction(1, SOUND_RATE)
        self._sample += samples.shape[1]
        self._output.mux(self._sound.encode(frame))


class _Window:
    """A window on this machine's screen; q, Escape or its own button closes it."""

    _title = "HMD Removal"

    def __init__(self) -> None:
        if not cv2.currentUIFramework():
            raise InputError(
                "The OpenCV that is installed shows no windows (it is a headless one): choose a file, a URL or "
                f"{CAMERA}."
            )
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise InputError(f"This machine has no screen to open a window on: choose a file, a URL or {CAMERA}.")
        cv2.namedWindow(self._title, cv2.WINDOW_NORMAL)
        self.closed = False

    def show(self, pixels: np.ndarray, time: float, sounds: Sequence[Sound]) -> None:
        cv2.imshow(self._title, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        self.idle()

    def idle(self) -> None:
        """Draw the window, and see what the user did to it."""
        key = cv2.waitKey(1)
        self.closed |= key in (ord("q"), 27) or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1


def _virtual_camera(size: tuple[int, int], fps: Fraction) -> Any:
    """An open pyvirtualcam.Camera, which is a context manager."""
    try:
        import pyvirtualcam
    except ImportError as error:
        raise InputError("A virtual camera needs the package pyvirtualcam: pip install 'hmd-removal[live]'.") from error
    try:
        return pyvirtualcam.Camera(*size, float(fps))
    except RuntimeError as error:
        raise InputError(
            f"No virtual camera can be opened ({str(error).splitlines()[0]}): on Linux load v4l2loopback, on Windows "
            "and macOS install OBS Studio."
        ) from error


class _VirtualCamera:
    """What meeting software sees as a camera. It has no sound."""

    closed = False

    def __init__(self, camera: Any) -> None:
        self._camera = camera

    def show(self, pixels: np.ndarray, time: float, sounds: Sequence[Sound]) -> None:
        self._camera.send(pixels)

    def idle(self) -> None:
        """Nothing has to be done: it goes on showing the last picture."""
