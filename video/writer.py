"""Writing an MP4 that appears whole or not at all."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame

from ..errors import InputError
from .colour import Bt709Encoder
from .soundtrack import Soundtrack
from .source import Source

log = logging.getLogger(__name__)

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_FINEST_TIMESCALE = 10_000_000  # ticks per second; more only bloats the file's tables
# AVColorSpace, AVColorPrimaries and AVColorTransferCharacteristic; AVColorRange
_RGB, _BT709, _LIMITED, _FULL = 0, 1, 1, 2

HIGH, SMALL, LOSSLESS = QUALITIES = ("high", "small", "lossless")
_CRF = {HIGH: 16, SMALL: 23, LOSSLESS: 0}  # H.264's constant rate factor: 16 is visually lossless, 23 x264's default
_PRESET = "veryfast"  # x264's trade of speed for size


class VideoWriter:
    """Writes frames as H.264 in MP4, with the sound of another file.

    The file plays in browsers (8-bit 4:2:0, index in front). H.264 has 4:2:0 only for even sizes, so that a
    picture with an odd width or height is stored as 4:4:4, at its exact size; some players (Firefox, Safari,
    phones) do not show that. Colours are BT.709, limited range, and tagged so. There are no B-frames:
    decoding order is display order, and every timestamp is stored as given. In the quality "lossless" every pixel is
    kept as it is, as RGB: FFmpeg and video editors open that, browsers do not.

    Use it as a context manager. Frames go to a temporary file in the same folder. Leaving the block finishes it and
    moves it to `path`, or to a name beside it where a player has that file open (`path` then says so); leaving the
    block by any exception removes it and does not touch `path`.

    Args:
        path: of the file to make; a missing folder is made.
        width, height: of the frames in pixels.
        fps: average frame rate, which fixes how long the last frame lasts.
        time_base: seconds per tick of the pts given to `write`; None for 1/fps.
        audio_from: file whose sound tracks are carried over (see Soundtrack), on the same clock as a
            VideoReader of it.
        metadata: tags for the file; values that are no strings are stored as JSON.
        sample_aspect_ratio: width over height of one pixel.
        quality: out of QUALITIES.

    Raises:
        InputError: an impossible size, a folder that cannot be made or written to, an unreadable
            `audio_from`, a frame of another size, pts that do not increase, no frame at all, or a full disk.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        width: int,
        height: int,
        fps: Fraction,
        time_base: Fraction | None = None,
        audio_from: Source | None = None,
        metadata: Mapping[str, Any] | None = None,
        sample_aspect_ratio: Fraction = Fraction(1),
        quality: str = QUALITIES[0],
    ) -> None:
        if quality not in QUALITIES:
            raise InputError(f"Expected a quality out of {', '.join(QUALITIES)}, got {quality!r}.")
        if width < 1 or height < 1 or fps <= 0:
            raise InputError(f"A video needs a size and a rate above 0, but got {width}x{height} at {fps} fps.")
        self.path = Path(path)
        self._make_folder()
        self._temporary = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}.part")
        self._shape = (height, width, 3)
        self._fps = Fraction(fps)
        self._time_base = Fraction(time_base or 1 / self._fps)
        # Ticks fine enough for every timestamp and, where possible, for the length of a frame.
        exact = math.lcm(self._time_base.denominator, self._fps.numerator)
        self._timescale = exact if exact <= _FINEST_TIMESCALE else self._time_base.denominator
        self._audio_from = audio_from
        self._metadata = dict(metadata or {})
        self._pixel_aspect = sample_aspect_ratio
        self._lossless = quality == LOSSLESS
        self._pix_fmt = "rgb24" if self._lossless else "yuv444p" if width % 2 or height % 2 else "yuv420p"
        self._options = {"crf": str(_CRF[quality]), "preset": _PRESET, "bf": "0"}
        self._to_yuv = None if self._lossless else Bt709Encoder(self._pix_fmt)
        self._output: OutputContainer | None = None
        self._soundtrack: Soundtrack | None = None
        self._held: Packet | None = None
        self._count = self._first_pts = self._last_pts = 0

    def __enter__(self) -> VideoWriter:
        try:
            self._open()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        try:
            if exception_type is None:
                with self._room_errors():
                    self._finish()
        finally:
            self._discard()

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """Add a frame.

        Args:
            pixels: (H,W,3) uint8 RGB.
            pts: when it is shown, in ticks of `time_base`; not negative and larger than the one before.
        """
        if pixels.shape != self._shape or pixels.dtype != np.uint8:
            raise InputError(
                f"A frame should be an array of {self._shape} uint8, but is {pixels.shape} {pixels.dtype}: "
                "make the writer with the size of the frames."
            )
        if pts < 0 or (self._count and pts <= self._last_pts):
            raise InputError(f"Timestamps must increase from 0 on, but {pts} follows {self._last_pts}.")
        if not self._count:
            self._first_pts = pts
        self._count += 1
        self._last_pts = pts
        frame = VideoFrame.from_ndarray(pixels, format="rgb24") if self._to_yuv is None else self._to_yuv(pixels)
        frame.pts, frame.time_base = self._ticks(pts), Fraction(1, self._timescale)
        with self._room_errors():
            for packet in self._stream.encode(frame):
                self._mux(packet)

    def _open(self) -> None:
        options = {
            "movflags": "faststart+use_metadata_tags",
            "video_track_timescale": str(self._timescale),
        }
        self._output = av.open(str(self._temporary.absolute()), "w", format="mp4", container_options=options)
        for key, value in self._metadata.items():
            self._output.metadata[key] = value if isinstance(value, str) else json.dumps(value)
        self._stream = self._output.add_stream(
            "libx264rgb" if self._lossless else "libx264",
            rate=self._fps.limit_denominator(1_000_000),
            options=self._options,
            width=self._shape[1],
            height=self._shape[0],
            pix_fmt=self._pix_fmt,
            time_base=Fraction(1, self._timescale),
        )
        context = self._stream.codec_context
        context.thread_type = "AUTO"  # PyAV's default cuts pictures into slices, which costs quality
        context.sample_aspect_ratio = self._pixel_aspect
        context.color_primaries = context.color_trc = _BT709
        context.colorspace, context.color_range = (_RGB, _FULL) if self._lossless else (_BT709, _LIMITED)
        if self._audio_from is not None:
            self._soundtrack = Soundtrack(self._audio_from, self._output)
        # The clock on which MP4 notes that a track starts late: exact for pictures and sound.
        rates = self._soundtrack.sample_rates if self._soundtrack is not None else []
        exact = math.lcm(self._timescale, *rates)
        self._output.container_options["movie_timescale"] = str(exact if exact < 2**31 else self._timescale)

    def _mux(self, packet: Packet) -> None:
        """Write the packet before this one, because only the very last one needs its duration set."""
        held, self._held = self._held, packet
        if held is not None:
            self._mux_now(held)

    def _mux_now(self, packet: Packet) -> None:
        time = packet.pts * packet.time_base
        self._output.mux(packet)
        if self._soundtrack is not None:
            self._soundtrack.feed(time)

    def _finish(self) -> None:
        if not self._count:
            raise InputError(f"No frame was written, so there is no '{self.path.name}'.")
        for packet in self._stream.encode(None):
            self._mux(packet)
        self._held.duration = self._last_duration()
        self._mux_now(self._held)
        if self._soundtrack is not None:
            self._soundtrack.feed()
        self._output.close()
        self._settle()

    def _settle(self) -> None:
        """Give the finished file its name; on Windows one that a player has open cannot be taken from it."""
        try:
            os.replace(self._temporary, self.path)
        except PermissionError:
            free = (self.path.with_stem(f"{self.path.stem} ({number})") for number in count(2))
            other = next(path for path in free if not path.exists())
            os.replace(self._temporary, other)
            log.warning("'%s' cannot be replaced, as while a player has it open: see '%s'.", self.path.name, other.name)
            self.path = other

    def _last_duration(self) -> int:
        """Ticks of the timescale, so that frame count over duration is the frame rate."""
        span = self._ticks(self._last_pts) - self._ticks(self._first_pts)
        usual = self._timescale / self._fps
        rest = round(self._count * usual - span)
        # Far off, the rate was not that of these frames (for example of a part of a variable-rate video).
        return rest if 0 < rest <= 10 * usual else max(1, round(usual))

    def _ticks(self, pts: int) -> int:
        return int(pts * self._time_base * self._timescale)

    def _make_folder(self) -> None:
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror
            raise InputError(f"The folder '{folder}' cannot be made ({reason}): choose another one.") from error
        if self.path.is_dir() or not os.access(folder, os.W_OK):
            raise InputError(f"'{self.path}' cannot be written: choose a file in a folder you may write to.")

    @contextmanager
    def _room_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            folder = self.path.absolute().parent
            written = self._temporary.stat().st_size if self._temporary.exists() else 0
            free = shutil.disk_usage(folder).free
            raise InputError(
                f"There is no room to write '{self.path.name}' in '{folder}': the disk took "
                f"{written / 1e6:.1f} MB of it and has {free / 1e6:.1f} MB free; free some space or choose "
                "another folder."
            ) from error

    def _discard(self) -> None:
        """Close everything; a temporary file that is still there was not wanted."""
        if self._soundtrack is not None:
            self._soundtrack.close()
        # Closing writes the index, which may fail in a file that is thrown away.
        if self._output is not None:
            with suppress(av.error.FFmpegError):
                self._output.close()
        self._temporary.unlink(missing_ok=True)
