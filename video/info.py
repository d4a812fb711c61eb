"""What a video is: size, rate, exact frame count, orientation."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .source import UNDECODABLE

# Codecs whose every packet gives exactly one shown frame, so that packets can be counted instead of frames.
_ONE_FRAME_PER_PACKET = frozenset(
    {"h264", "hevc", "av1", "libdav1d", "vp9", "mjpeg", "png", "prores", "qtrle", "ffv1", "dnxhd", "dvvideo"}
)
_ROUNDING = Fraction(1, 1000)  # seconds; the coarsest clock of common containers (Matroska, WebM, FLV)
_DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True)
class VideoInfo:
    """A video as the reader hands it out.

    Attributes:
        width, height: pixels of the upright picture.
        fps: average frame rate; frame_count / duration.
        frame_count: frames that reading yields. Packets are counted, which costs no decoding, and where they
            give reason for doubt the frames are decoded and counted once. Only damage inside a packet goes
            unseen: reading such a file yields fewer frames (`VideoReader.damaged` says so).
        duration: seconds from the first frame to the end of the last one.
        has_audio: there is at least one sound track.
        variable_frame_rate: some frame is more than a millisecond away from a constant rate.
        rotation: degrees clockwise by which the stored picture was turned to be upright (0, 90, 180, 270).
        codec, pix_fmt: FFmpeg's names for the video's codec and pixel format.
        sample_aspect_ratio: width over height of one upright pixel; 1 for nearly every video.
        hdr: "HLG" or "PQ" where the video is HDR, else None; what is handed out is tone-mapped (see video.hdr).
        interlaced: the stored frames consist of two fields; what is handed out is deinterlaced.
        spatial: the file holds further views (Apple's spatial video, MV-HEVC); what is handed out is one of them.
    """

    width: int
    height: int
    fps: Fraction
    frame_count: int
    duration: float
    has_audio: bool
    variable_frame_rate: bool
    rotation: int
    codec: str
    pix_fmt: str
    sample_aspect_ratio: Fraction = Fraction(1)
    hdr: str | None = None
    interlaced: bool = False
    spatial: bool = False


@dataclass(frozen=True)
class Orientation:
    """How a stored picture becomes upright: first the axes are swapped, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Read a frame's display matrix, rounded to a quarter turn; without one the frame is upright."""
        side_data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
        if side_data is None:
            return cls()
        # x' = a x + c y, y' = b x + d y (libavutil/display.h; 16.16 fixed point, only the signs matter here)
        a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @property
    def degrees(self) -> int:
        """Clockwise turn to upright; a mirrored picture reports the turn without the mirror."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Turn (H,W) or (H,W,3) stored pixels into contiguous upright ones."""
        if self.transpose:
            pixels = pixels.swapaxes(0, 1)
        if self.flip_x:
            pixels = pixels[:, ::-1]
        if self.flip_y:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


@dataclass(frozen=True)
class PacketIndex:
    """What the packets say without decoding.

    Attributes:
        pts: sorted timestamps of the shown frames in the stream's time base (int64), or None when the
            packets do not say one to one which frames will come.
        last_duration: ticks that the last frame lasts, 0 when unknown.
    """

    pts: np.ndarray | None
    last_duration: int


def index_packets(container: InputContainer, stream: VideoStream) -> PacketIndex:
    """Read all packets of a stream from the container's current position, decoding nothing."""
    pts, durations, total = array("q"), array("q"), 0
    trusted = stream.codec_context.name in _ONE_FRAME_PER_PACKET
    starts_on_keyframe = None
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue
            total += 1
            if starts_on_keyframe is None:
                starts_on_keyframe = packet.is_keyframe
            if packet.pts is None or packet.is_corrupt:
                trusted = False
            elif not packet.is_discard:
                pts.append(packet.pts)
                durations.append(packet.duration or 0)
    except UNDECODABLE:
        trusted = False
    if not trusted or not pts or not starts_on_keyframe or stream.frames not in (0, total):
        return PacketIndex(None, 0)
    first_key = pts[0]
    order = np.argsort(np.frombuffer(pts, np.int64), kind="stable")
    ordered = np.frombuffer(pts, np.int64)[order]
    # Equal timestamps are fields or hidden frames; frames shown before the first key frame cannot be decoded.
    if ordered[0] < first_key or not (np.diff(ordered) > 0).all():
        return PacketIndex(None, 0)
    return PacketIndex(ordered, durations[int(order[-1])])


def stated_rate(stream: VideoStream) -> Fraction:
    """The frame rate that the container or codec claims; 25 when neither does."""
    claims = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return next((Fraction(rate) for rate in claims if rate and rate > 0), _DEFAULT_RATE)


def frame_rate(stated: Fraction, pts: np.ndarray, last_duration: int, time_base: Fraction) -> tuple[Fraction, bool]:
    """Average rate of frames shown at `pts` (sorted ticks of `time_base`), and whether the rate varies.

    A constant rate is the stated one, freed of rounding: Matroska's 19001/634 is 30000/1001.
    """
    count = len(pts)
    if count < 2:
        return stated, False
    span = int(pts[-1] - pts[0]) * time_base
    mean = (count - 1) / span
    even = pts[0] + np.arange(count) * float(1 / (mean * time_base))
    if (np.abs(pts - even) > float(_ROUNDING / time_base)).any():
        last = last_duration * time_base
        return (count / (span + last) if last else mean), True
    # Timestamps may contradict the stated rate, for example after every second frame was dropped.
    rate = stated if abs((count - 1) / stated - span) <= 2 * _ROUNDING else mean
    neighbours = (Fraction(max(1, round(rate))), Fraction(max(1, round(rate * 1001 / 1000)) * 1000, 1001))
    nearest = min(neighbours, key=lambda candidate: abs(candidate - rate))
    return (nearest if abs(count / nearest - count / rate) <= _ROUNDING else rate), False
