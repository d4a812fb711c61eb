"""From a driver's clip to points, and from points to a picture that moves: in one process, by a file, or by UDP."""

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

from ..driving.alignment import brought_in_time, offset_by_timecode
from ..driving.eye_tracking import EyeTracking, TrackingData, median
from ..driving.natural import natural
from ..driving.seen_face import WATCHED, FaceWatch
from ..errors import InputError
from ..tracking.enrol import load_reference
from ..tracking.follow import Wearer, follow
from ..tracking.reference import Reference, make_reference
from ..tracking.track import FrameStatus, TrackedFace
from ..video import QUALITIES, VideoReader, VideoWriter
from .animate_motion import Motion, Neutral
from .animate_picture import DrivenPicture
from .animate_points import NEUTRAL_SECONDS, TICKS, PointsFrame, PointsReader, PointsWriter

EYES = ("driver", "natural")  # as the driver's are, or with blinks and small shifts of the gaze that are made up
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
    eyes: str = EYES[0],
    progress: Progress | None = None,
) -> Iterator[Packet]:
    """The packets of a clip's frames, in order.

    source: the driver, with a headset or without one. reference: pictures of the driver, by which landmarks behind a
    headset are better; None where they are not at hand. tracking: what moves the eyes; eyes: out of EYES, how they move
    without. Raises InputError.
    """
    if eyes not in EYES:
        raise InputError(f"Expected eyes out of {', '.join(EYES)}, got {eyes!r}.")
    with VideoReader(source) as reader:
        fps = float(reader.info.fps)
        rows = _wanted_eyes(reader, tracking, eyes)
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


def neutral_of(faces: Iterator[TrackedFace], fps: float) -> tuple[list[TrackedFace], Neutral]:
    """The driver's neutral look, of the first second in which they are seen, and the faces until then."""
    wanted, first, found = max(round(NEUTRAL_SECONDS * fps), 1), [], 0
    for face in faces:
        first.append(face)
        found += face.status != FrameStatus.MISSING
        if found >= wanted:
            break
    return first, Neutral.of(first)


def _wanted_eyes(reader: VideoReader, tracking: TrackingData | None, eyes: str) -> EyeTracking | None:
    """One row for each of the clip's frames; None where the eyes are the driver's own. Where nothing but the mouth
    tells the data's time, the clip is gone through once before."""
    if tracking is None:
        return natural(reader.times) if eyes != EYES[0] else None
    fps, seen = float(reader.info.fps), None
    if tracking.offset is None and offset_by_timecode(tracking.recording, reader.tags, fps) is None:
        watch = FaceWatch()
        frames = ((frame.pixels, None) for frame in reader.frames(length=round(WATCHED * fps)))
        with closing(follow(frames, Wearer(wearing=True, fps=fps, required=False))) as followed:
            for moment, (pixels, _, face) in zip(reader.times, followed, strict=False):
                watch.look(moment, pixels, face)
        seen = watch.seen()
    return from_usual(brought_in_time(tracking, reader.times, reader.tags, fps, seen)[0])


def from_usual(rows: EyeTracking) -> EyeTracking:
    """Tracking data whose gaze is counted from the usual one, which is neutral."""
    return replace(rows, gaze=rows.gaze - np.nan_to_num(median(rows.gaze)))


def picture_of(path: Path) -> Reference:
    """`to_drive` of a photo, a folder of photos or a clip. Raises InputError."""
    return to_drive(load_reference(path))


def to_drive(reference: Reference) -> Reference:
    """Pictures of which the first can be driven: not larger than LARGEST, and with even sides, as H.264 wants them."""
    images, points = [], []
    for image, own in zip(reference.images, reference.points, strict=True):
        by = min(LARGEST / max(image.shape[:2]), 1.0)
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
    many frames. What comes late, after a newer frame, is left out."""
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
SILENCE = 5.0  # seconds without a packet after which a sender is gone
LARGEST_PACKET = 65536  # bytes, the most that UDP carries


def udp_address(text: str) -> tuple[str, int] | None:
    """(host, port) of udp://HOST:PORT, None for anything that does not begin like that. Raises InputError for a
    malformed one."""
    if not text.startswith("udp:"):
        return None
    found = ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise InputError(f"Expected an address like udp://HOST:PORT, got {text!r}.")
    return found[1], int(found[2])


def send(packets: Iterable[Packet], host: str, port: int) -> int:
    """Send packets at the pace of their clip. Returns how many. Raises InputError for a host that is not known."""
    count, start = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        for packet in packets:
            time.sleep(max(start + packet.time - time.monotonic(), 0))
            try:
                connection.sendto(packet.data, (host, port))
            except socket.gaierror as error:
                raise InputError(f"The host {host!r} is not known: {error.strerror}.") from error
            except ConnectionRefusedError:
                pass  # nobody listens yet
            count += 1
    return count


class PointsListener:
    """Receives packets by UDP, from all that send to a port of this machine. Use it as a context manager.

    port: 0 for one that is free, see `port`. host: of the network interface, empty for all. Raises InputError for a
    port that is taken.
    """

    def __init__(self, port: int, host: str = "") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise InputError(f"UDP port {port} cannot be had ({error.strerror}): choose another one.") from error

    @property
    def port(self) -> int:
        return self._socket.getsockname()[1]

    def __enter__(self) -> "PointsListener":
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def frames(self) -> Iterator[PointsFrame]:
        """The frames that arrive, from the first one until SILENCE. What is no packet is passed over; if nothing else
        came, its InputError is raised."""
        reader, wrong, any_right = PointsReader(), None, False
        self._socket.settimeout(None)
        while True:
            try:
                packet = self._socket.recv(LARGEST_PACKET)
            except TimeoutError:
                break
            self._socket.settimeout(SILENCE)
            try:
                found = reader.feed(packet)
            except InputError as error:
                wrong = error
                continue
            any_right = True
            yield from found
        if wrong is not None and not any_right:
            raise wrong
