"""A face's motion as bytes: packets for a network, and a file of them. The layout is in docs/telepresence.md.

Every number is a whole count of small steps. A key packet holds them all; the packets after it hold what has changed
since that key. So a lost packet harms no other one, but for a lost key, which the next key makes good.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..driving.eye_tracking import EyeTracking
from ..errors import InputError
from ..files import written_whole
from ..tracking.track import FrameStatus, TrackedFace
from .animate_motion import FILE as SHAPES_FILE
from .animate_motion import Motion, Neutral, shipped_shapes

VERSION = 1
# Steps: about a fifth of a pixel each where a head is 300 pixels wide, which landmarks do not tell either.
TURN, PLACE, GROWTH, SHAPE = np.radians(0.1), 0.01, 0.001, 0.02  # radians, cm, logarithm, cm
OPENNESS, GAZE = 0.04, np.radians(1.0)  # by the neutral eye, radians
KEY_EVERY = 25  # frames from one key to the next: so long waits at most who joins, or has lost a key
NEUTRAL_SECONDS = 1.0  # of the driver, in which the neutral look is measured
RESTARTED = 1.0  # seconds by which time falls back where a sender has begun anew: no network is that late

# The most that a motion may hold, either way: beyond what a head in a picture does, and within what can be drawn.
MOST_TURN, MOST_PLACE, MOST_GROWTH, MOST_SHAPE = 4.0, 200.0, 2.0, 10.0  # radians, cm, logarithm, cm
MOST_OPENNESS, MOST_GAZE = 2.0, 2.0  # by the neutral eye, radians

KEY, CHANGE, NOBODY = range(3)
PACKET = struct.Struct("<cBBBII")  # P, version, kind, frames since its key, number of the frame, time
TICKS = 10_000  # of time, a second
SHAPES = struct.Struct("<IB")  # in a key: which shapes these are, and how many
FILE_HEAD = struct.Struct("<4sBIII")  # HMDP, version, frames, rate's numerator and denominator
LENGTH = struct.Struct("<H")  # before each packet of a file
MOST_BITS = 35  # of one varint: five bytes hold more than any count of a motion
# The largest denominator of a file's frame rate: clips of varying rate have larger ones than four bytes hold.
MOST_DENOMINATOR = 1_000_000
RATES = 0.01, 1000.0  # frames a second, which no clip is slower or faster than


@dataclass(frozen=True)
class PointsFrame:
    """One frame of a driver. number: from 0; time: seconds; motion: None where nobody was seen."""

    number: int
    time: float
    motion: Motion | None


class PointsWriter:
    """Makes a packet of each frame of a driver, in order.

    neutral: the driver's neutral look; None to measure it in the first NEUTRAL_SECONDS, during which the picture stands
    still. fps: frames a second.
    """

    def __init__(self, fps: float, neutral: Neutral | None = None) -> None:
        self._neutral, self._wanted = neutral, max(round(NEUTRAL_SECONDS * fps), 1)
        self._faces: list[TrackedFace] = []
        self._number = self._since = 0
        self._key: np.ndarray | None = None

    def push(self, time: float, face: TrackedFace, eyes: EyeTracking | None = None) -> bytes:
        """The packet of the next frame. time: seconds, not negative. eyes: tracking data brought in time with the
        frames (driving.timing.at_frames), of which the row of this frame counts, the last one where there are fewer."""
        row = 0 if eyes is None else min(self._number, len(eyes.times) - 1)
        return self.push_motion(time, self._motion(face, eyes, row))

    def push_motion(self, time: float, motion: Motion | None) -> bytes:
        """The packet of a motion that is known, None where nobody is seen."""
        number, self._number = self._number, self._number + 1
        ticks = round(time * TICKS) % 2**32
        if motion is None:
            return PACKET.pack(b"P", VERSION, NOBODY, 0, number, ticks)
        steps = _steps(motion)
        if self._key is None or number - self._since >= KEY_EVERY:
            self._key, self._since = steps, number
            head = PACKET.pack(b"P", VERSION, KEY, 0, number, ticks)
            return head + SHAPES.pack(shapes_id(), len(motion.shape)) + _varints(steps)
        head = PACKET.pack(b"P", VERSION, CHANGE, number - self._since, number, ticks)
        return head + _varints(steps - self._key)

    def _motion(self, face: TrackedFace, eyes: EyeTracking | None, row: int) -> Motion | None:
        if face.status == FrameStatus.MISSING:
            return None
        if self._neutral is None:
            self._faces.append(face)
            if len(self._faces) < self._wanted:
                return Motion.none()
            self._neutral = Neutral.of(self._faces)
        return self._neutral.motion(face, eyes, row)


class PointsReader:
    """Reads packets, in whatever order they come: one by one, as a network hands them on."""

    def __init__(self) -> None:
        self._key: np.ndarray | None = None
        self._number, self._time = -1, 0.0  # of that key

    def feed(self, packet: bytes) -> list[PointsFrame]:
        """The frame that a packet holds; none where the key that it needs was lost.

        Raises InputError where it is no packet, or one of another version, or of other face shapes.
        """
        if len(packet) < PACKET.size or packet[:1] != b"P":
            raise InputError(f"Expected a packet of face points, got {len(packet)} bytes of something else.")
        _, version, kind, age, number, ticks = PACKET.unpack_from(packet)
        _check_version(version)
        time = ticks / TICKS
        if kind == NOBODY:
            return [PointsFrame(number, time, None)]
        if kind not in (KEY, CHANGE):
            raise _damaged()
        body = packet[PACKET.size :]
        if kind == KEY:
            if len(body) < SHAPES.size:
                raise _damaged()
            made_with, count = SHAPES.unpack_from(body)
            if (made_with, count) != (shapes_id(), len(shipped_shapes())):
                raise InputError(
                    "These face points were made with other face shapes than this HMD Removal has: use the same "
                    "release on both machines."
                )
            steps = _plausible(_counts(body[SHAPES.size :]))
            if number >= self._number or self._restarted(number, time):  # an older one may come late
                self._key, self._number, self._time = steps, number, time
        elif self._key is None or number - age != self._number:
            return []
        else:
            steps = _plausible(self._key + _counts(body))
        return [PointsFrame(number, time, _motion(steps))]

    def _restarted(self, number: int, time: float) -> bool:
        """Whether a key is so much older than the last one that it is of a sender that has begun anew."""
        return number < self._number - KEY_EVERY or time < self._time - RESTARTED


def write_points(path: Path, packets: Iterable[bytes], rate: Fraction) -> int:
    """Write a file of packets; it appears whole or not at all. rate: frames a second. Returns its size in bytes."""
    rate = rate.limit_denominator(MOST_DENOMINATOR)
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        file.write(b"\0" * FILE_HEAD.size)
        count = 0
        for packet in packets:
            file.write(LENGTH.pack(len(packet)) + packet)
            count += 1
        size = file.tell()
        file.seek(0)
        file.write(FILE_HEAD.pack(b"HMDP", VERSION, count, rate.numerator, rate.denominator))
    return size


@dataclass(frozen=True)
class PointsFile:
    """A file of packets. rate: frames a second; frames: all of them."""

    rate: Fraction
    frames: tuple[PointsFrame, ...]


def read_points(path: Path) -> PointsFile:
    """Read a file of packets. Raises InputError where it is missing, no such file, cut off, damaged, of another
    version, or made with other face shapes."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"The face points {path} cannot be read ({error.strerror}): check the path.") from error
    if content[:4] != b"HMDP":
        raise InputError(f"Expected face points that hmd-removal animate has written, but {path} is none.")
    if len(content) < FILE_HEAD.size:
        raise InputError(f"The face points {path} are cut off at their beginning; copy the file again.")
    _, version, count, *rate = FILE_HEAD.unpack_from(content)
    _check_version(version)
    if not rate[1] or not RATES[0] <= rate[0] / rate[1] <= RATES[1]:
        raise _damaged()
    reader, frames = PointsReader(), []
    for packet in _packets(content[FILE_HEAD.size :]):
        frames += reader.feed(packet)
    if len(frames) < count:
        raise InputError(f"The face points {path} are cut off after {len(frames)} of {count} frames; copy them again.")
    return PointsFile(Fraction(*rate), tuple(frames))


def _packets(content: bytes) -> Iterator[bytes]:
    """The whole packets of a file's content."""
    place = 0
    while place + LENGTH.size <= len(content):
        (length,) = LENGTH.unpack_from(content, place)
        place += LENGTH.size
        if place + length > len(content):
            return
        yield content[place : place + length]
        place += length


def described(frames: int, size: int, rate: Fraction) -> str:
    """How large points are, in words. size: bytes; rate: frames a second."""
    return f"{frames} frames, {size} bytes, {size * 8 * float(rate) / frames / 1000:.1f} kbit/s"


def is_points(path: Path) -> bool:
    """Whether a file begins as one of packets does."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == b"HMDP"
    except OSError:
        return False


@lru_cache(maxsize=1)
def shapes_id() -> int:
    """Which face shapes are meant: a checksum of their file."""
    return zlib.crc32(SHAPES_FILE.read_bytes())


def _each(turn: float, place: float, growth: float, shape: float, openness: float, gaze: float) -> np.ndarray:
    """One value for each number of a motion, in the order of the packets."""
    return np.array([*[turn] * 3, *[place] * 2, growth, *[shape] * len(shipped_shapes()), *[openness] * 2, *[gaze] * 2])


@lru_cache(maxsize=1)
def _scales() -> np.ndarray:
    """The step of each number of a motion."""
    return _each(TURN, PLACE, GROWTH, SHAPE, OPENNESS, GAZE)


@lru_cache(maxsize=1)
def _most() -> np.ndarray:
    """The most steps, either way, of each number of a motion."""
    most = _each(MOST_TURN, MOST_PLACE, MOST_GROWTH, MOST_SHAPE, MOST_OPENNESS, MOST_GAZE)
    return np.round(most / _scales()).astype(np.int64)


def _steps(motion: Motion) -> np.ndarray:
    values = [*motion.turn, *motion.place, motion.growth, *motion.shape, *(motion.openness - 1), *motion.gaze]
    return np.clip(np.round(np.array(values) / _scales()).astype(np.int64), -_most(), _most())


def _plausible(steps: np.ndarray) -> np.ndarray:
    """The same. Raises InputError for what no face does: it would be drawn for minutes, or not at all."""
    if (np.abs(steps) > _most()).any():
        raise _damaged()
    return steps


def _motion(steps: np.ndarray) -> Motion:
    values = steps * _scales()
    turn, place, growth, shape, openness, gaze = np.split(values, [3, 5, 6, len(values) - 4, len(values) - 2])
    return Motion(turn, place, float(growth[0]), shape, openness + 1, gaze)


def _varints(counts: np.ndarray) -> bytes:
    """Small numbers in one byte, larger ones in more: seven bits a byte, signs last ("zigzag" of Protocol Buffers)."""
    out = bytearray()
    for count in counts.tolist():
        rest = 2 * count if count >= 0 else -2 * count - 1
        while rest > 127:
            out.append(rest & 127 | 128)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def _counts(coded: bytes) -> np.ndarray:
    """The other way round. Raises InputError unless there are as many as a motion has."""
    counts, rest, shift = [], 0, 0
    for byte in coded:
        if shift == MOST_BITS or len(counts) == len(_scales()):
            raise _damaged()
        rest |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            counts.append(rest // 2 if rest % 2 == 0 else -(rest + 1) // 2)
            rest = shift = 0
    if shift or len(counts) != len(_scales()):
        raise _damaged()
    return np.array(counts, np.int64)


def _check_version(version: int) -> None:
    if version != VERSION:
        raise InputError(
            f"These face points are of version {version}, but this HMD Removal reads version {VERSION}: use the same "
            "release on both machines."
        )


def _damaged() -> InputError:
    return InputError("These face points are damaged: a packet holds something else than a face's motion.")
