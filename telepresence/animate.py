"""From a driver to points, and from points to a picture that moves: in one process, by a file, or live by UDP."""

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from ..driving.alignment import in_time_with_clip
from ..driving.eye_tracking import EyeTracking, TrackingData, median
from ..driving.natural import natural
from ..driving.seen_face import WATCHED
from ..errors import InputError
from ..restore.engine import WantedEyes
from ..tracking.enrol import load_reference
from ..tracking.follow import Wearer, beside, follow
from ..tracking.reference import Reference, make_reference
from ..tracking.track import FrameStatus, TrackedFace
from ..video import QUALITIES, VideoReader, VideoWriter
from .animate_motion import Motion, Neutral
from .animate_picture import DrivenPicture
from .animate_points import NEUTRAL_SECONDS, RESTARTED, TICKS, PointsFrame, PointsReader, PointsWriter
from .live_source import LiveSource, Picture
from .live_target import open_target

# As the driver's are, or with blinks and small shifts of the gaze that are made up.
EYE_SOURCES = ("driver", "natural")
LARGEST = 1920  # pixels of the longer side of a picture that is driven: more is more than a meeting shows

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Packet:
    """data: see animate_points. pts: of the frame that it is of, in the clip's time base; time: seconds."""

    data: bytes
    pts: int
    time: float


def packets_of(
    source: Path,
    *,
    reference: Reference | None = None,
    tracking: TrackingData | None = None,
    eyes: str = EYE_SOURCES[0],
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Packet]:
    """The packets of a clip's frames, in order.

    source: the driver, with a headset or without one. reference: pictures of the driver, by which landmarks behind a
    headset are better; None where they are not at hand. tracking: what moves the eyes; eyes: out of EYE_SOURCES, how
    they move without. say: told how the tracking data were brought in time. Raises InputError.
    """
    if eyes not in EYE_SOURCES:
        raise InputError(f"Expected eyes out of {', '.join(EYE_SOURCES)}, got {eyes!r}.")
    with VideoReader(source) as reader:
        fps = float(reader.info.fps)
        rows = _wanted_eyes(reader, tracking, eyes, say)
        shown: list[tuple[int, float]] = []  # pts and seconds of the frames whose faces are still to come

        def frames() -> Iterator[tuple[np.ndarray, None]]:
            for frame in reader:
                shown.append((frame.pts, float(frame.time)))
                yield frame.pixels, None

        with closing(follow(frames(), Wearer(wearing=True, fps=fps), reference=reference)) as followed:
            faces = (face for _, _, face in followed)
            first, neutral = neutral_of(faces, fps)
            writer = PointsWriter(fps, neutral)
            for number, face in enumerate(chain(first, faces)):
                pts, seconds = shown.pop(0)
                yield Packet(writer.push(seconds, face, rows), pts, seconds)
                if progress is not None:
                    progress(number + 1, reader.info.frame_count)


def live_packets(source: LiveSource, tracking: WantedEyes | None = None) -> Iterator[Packet]:
    """The packets of what a source shows, as it comes; times on the source's clock.

    tracking: what moves the eyes at this very moment; None for the driver's own. The neutral look is measured in the
    first second in which somebody is seen; until then the picture stands still. Raises InputError.
    """
    fps = float(source.fps)
    writer = PointsWriter(fps)
    wearer = Wearer(wearing=True, fps=fps, required=False, causal=True)

    def faces(pictures: Iterator[Picture]) -> Iterator[TrackedFace]:
        frames = ((picture.pixels, None) for picture in pictures)
        with closing(follow(frames, wearer)) as followed:
            yield from (face for _, _, face in followed)

    with closing(beside(source.pictures(), faces)) as followed:
        for picture, face in followed:
            source.finished()
            rows = None if tracking is None else _eyes_now(tracking)
            yield Packet(writer.push(picture.time, face, rows), round(picture.time * TICKS), picture.time)


def _eyes_now(tracking: WantedEyes) -> EyeTracking:
    """One row, whose gaze is counted from the usual one."""
    rows = tracking.rows(0, 1)
    return replace(rows, gaze=rows.gaze - (np.nan_to_num(tracking.usual_yaw), 0.0))


def neutral_of(faces: Iterator[TrackedFace], fps: float) -> tuple[list[TrackedFace], Neutral]:
    """The driver's neutral look, of the first second in which they are seen, and the faces until then."""
    wanted, first, found = max(round(NEUTRAL_SECONDS * fps), 1), [], 0
    for face in faces:
        first.append(face)
        found += face.status != FrameStatus.MISSING
        if found >= wanted:
            break
    return first, Neutral.of(first)


def _wanted_eyes(
    reader: VideoReader, tracking: TrackingData | None, eyes: str, say: Callable[[str], None]
) -> EyeTracking | None:
    """One row for each of the clip's frames; None where the eyes are the driver's own. Where nothing but the mouth
    tells the data's time, the clip is gone through once before."""
    if tracking is None:
        return natural(reader.times) if eyes != EYE_SOURCES[0] else None
    fps = float(reader.info.fps)
    frames = ((frame.pixels, None) for frame in reader.frames(length=round(WATCHED * fps)))
    with closing(follow(frames, Wearer(wearing=True, fps=fps, required=False))) as followed:
        faces = ((moment, pixels, face) for moment, (pixels, _, face) in zip(reader.times, followed, strict=False))
        rows, said = in_time_with_clip(tracking, reader.times, reader.tags, fps, faces)
    say(said)
    return from_usual(rows)


def from_usual(rows: EyeTracking) -> EyeTracking:
    """Tracking data whose gaze is counted from the usual one, which is neutral."""
    return replace(rows, gaze=rows.gaze - np.nan_to_num(median(rows.gaze)))


def picture_of(path: Path) -> Reference:
    """`to_drive` of a photo, a folder of photos or a clip. Raises InputError."""
    return to_drive(load_reference(path))


def to_drive(reference: Reference, largest: int = LARGEST) -> Reference:
    """Pictures of which the first can be driven, with even sides, as H.264 wants them. largest: pixels of the longer
    side, at most."""
    images, points = [], []
    for image, own in zip(reference.images, reference.points, strict=True):
        by = min(largest / max(image.shape[:2]), 1.0)
        if by < 1:
            image = cv2.resize(image, None, fx=by, fy=by, interpolation=cv2.INTER_AREA)
        images.append(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        points.append(own * by)
    return replace(make_reference(images, np.stack(points)), remarks=reference.remarks)


def animated(
    track: Iterable[TrackedFace],
    reference: Reference,
    fps: float,
    eyes: EyeTracking | None = None,
    neutral: Neutral | None = None,
) -> Iterator[tuple[np.ndarray, int]]:
    """Each frame of a clip in memory as its points draw it, (H, W, 3) uint8, and how many bytes these take.

    track: the driver's faces. reference: its first picture is driven. eyes: tracking data in time with the frames.
    neutral: the driver's neutral look; None for that of the first second. Raises InputError where nobody is in it.
    """
    faces: Iterable[TrackedFace] = iter(track)
    if neutral is None:
        first, neutral = neutral_of(faces, fps)
        faces = chain(first, faces)
    writer, reader, animator = PointsWriter(fps, neutral), PointsReader(), Animator(reference)
    for number, face in enumerate(faces):
        packet = writer.push(number / fps, face, eyes)
        for frame in reader.feed(packet):
            yield animator.show(frame), len(packet)


class Animator:
    """Shows a picture as frames of points say; where nobody was seen it stands as it did."""

    def __init__(self, reference: Reference) -> None:
        self.picture = DrivenPicture(reference)
        self._motion = Motion.none()

    def show(self, frame: PointsFrame) -> np.ndarray:
        """(H, W, 3) uint8."""
        self._motion = frame.motion or self._motion
        return self.picture.draw(self._motion)


def draw_clip(
    packets: Iterable[Packet], source: Path, reference: Reference, target: Path, quality: str = QUALITIES[0]
) -> int:
    """Draw the packets of a clip, with its times and its sound; the file appears whole or not at all. Returns how many
    frames."""
    animator, points, count = Animator(reference), PointsReader(), 0
    height, width = animator.picture.size
    with VideoReader(source) as reader:
        fps, time_base = reader.info.fps, reader.time_base
    with VideoWriter(
        target, width=width, height=height, fps=fps, time_base=time_base, audio_from=source, quality=quality
    ) as writer:
        for packet in packets:
            for frame in points.feed(packet.data):
                writer.write(animator.show(frame), packet.pts)
                count += 1
    return count


def draw_frames(
    frames: Iterable[PointsFrame],
    rate: Fraction,
    reference: Reference,
    target: Path,
    quality: str = QUALITIES[0],
) -> int:
    """Draw frames of points, without sound; the file appears whole or not at all. rate: frames a second. Returns how
    many. One that is no later than the frame before is left out."""
    animator, count, last = Animator(reference), 0, -1
    height, width = animator.picture.size
    with VideoWriter(
        target, width=width, height=height, fps=rate, time_base=Fraction(1, TICKS), quality=quality
    ) as writer:
        for frame in frames:
            ticks = round(frame.time * TICKS)
            if ticks <= last:
                continue
            writer.write(animator.show(frame), ticks)
            last, count = ticks, count + 1
    return count


ADDRESS = re.compile(r"udp://([^:/]*):(\d+)/?")
LARGEST_PACKET = 65536  # bytes, the most that UDP carries
MOST_AT_ONCE = 1000  # packets from one picture to the next: a flood of them must not keep it from being shown
SHOWN = Fraction(25)  # pictures a second of what is drawn live


def udp_address(text: str) -> tuple[str, int] | None:
    """(host, port) of udp://HOST:PORT, None for anything that does not begin like that. Raises InputError for a
    malformed one."""
    if not text.startswith("udp:"):
        return None
    found = ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise InputError(f"Expected an address like udp://HOST:PORT, got {text!r}.")
    return found[1], int(found[2])


def paced(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Packets of a clip at its own pace, from the first one on."""
    start = None
    for packet in packets:
        now = time.monotonic()
        start = now - packet.time if start is None else start
        time.sleep(max(start + packet.time - now, 0))
        yield packet


class PointsSender:
    """Sends packets by UDP. A context manager. count: how many, so far.

    Raises InputError for a host that is not known, or not reached.
    """

    def __init__(self, host: str, port: int) -> None:
        if not host:
            raise InputError(f"Expected a host to send points to, as in udp://HOST:{port}, got none.")
        self.count, self._to = 0, f"{host}:{port}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.connect((host, port))
        except OSError as error:
            self._socket.close()
            raise self._unreachable(error) from error

    def __enter__(self) -> "PointsSender":
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def send(self, packets: Iterable[Packet]) -> None:
        """All of them, as they come. Raises InputError where the network is gone."""
        for packet in packets:
            try:
                self._socket.send(packet.data)
            except ConnectionRefusedError:
                pass  # nobody listens yet
            except OSError as error:
                raise self._unreachable(error) from error
            self.count += 1

    def _unreachable(self, error: OSError) -> InputError:
        return InputError(
            f"Points cannot be sent to {self._to} ({error.strerror}): check the name or address of the other machine, "
            "and the network."
        )


class PointsListener:
    """Receives packets by UDP, from all that send to a port of this machine. Use it as a context manager.

    port: 0 for one that is free, see `port`. host: of the network interface, empty for all. say: told why a packet is
    passed over, of the first one. Raises InputError for a port that is taken.
    """

    def __init__(self, port: int, host: str = "", say: Callable[[str], None] = lambda _: None) -> None:
        self._points, self._newest = PointsReader(), -np.inf  # and the time of the newest frame
        self._say, self._said = say, False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            where = f"{host}:{port}" if host else str(port)
            raise InputError(f"UDP port {where} cannot be had ({error.strerror}): choose another one.") from error

    @property
    def port(self) -> int:
        return self._socket.getsockname()[1]

    def __enter__(self) -> "PointsListener":
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def newest(self, until: float) -> PointsFrame | None:
        """The newest frame that has come by then, a moment of time.monotonic(), which is waited for; None where none is
        newer than those before. One that is older by more than RESTARTED is of a sender that has begun anew."""
        newest = None
        for _ in range(MOST_AT_ONCE):
            packet = self._received(until)
            if packet is None:
                break
            for frame in self._read(packet):
                if not self._newest - RESTARTED <= frame.time <= self._newest:
                    newest, self._newest = frame, frame.time
        return newest

    def _received(self, until: float) -> bytes | None:
        self._socket.settimeout(max(until - time.monotonic(), 0))
        try:
            return self._socket.recv(LARGEST_PACKET)
        except (TimeoutError, BlockingIOError):
            return None

    def _read(self, packet: bytes) -> list[PointsFrame]:
        """The frame of a packet; none where it is no packet."""
        try:
            return self._points.feed(packet)
        except InputError as error:
            if not self._said:
                self._say(f"A packet is passed over: {error}")
                self._said = True
            return []


def draw_live(listener: PointsListener, reference: Reference, out: str, seconds: float | None = None) -> int:
    """Draw what arrives, SHOWN pictures a second, the same one again where nothing comes. Returns how many.

    Ends when the window is closed, the user interrupts, or after so many seconds; what was written is whole in each
    case. out: see live_target. Raises InputError.
    """
    animator, picture, count = Animator(reference), reference.images[0], 0
    height, width = animator.picture.size
    note = {"comment": "One picture, moved by a person's face points (HMD Removal)."}
    with open_target(out, size=(width, height), fps=SHOWN, sound=False, metadata=note) as target:
        start = due = time.monotonic()
        try:
            while not target.closed and (seconds is None or due - start < seconds):
                frame = listener.newest(until=due)
                if frame is not None:
                    picture = animator.show(frame)
                target.show(picture, time.monotonic() - start, ())
                count += 1
                due = max(due + 1 / float(SHOWN), time.monotonic())
        except KeyboardInterrupt:  # the usual way to end it, after which the file is to be whole
            pass
    return count
