"""When a recording begins on a clip's clock: by clocks in both files, or by the mouth, which is seen below the headset
and whose jaw is in the data."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from ..errors import InputError
from ..tracking.track import TrackedFace
from .eye_tracking import EyeTracking, Recording, TrackingData
from .person import own_range, to_person
from .seen_face import Alignment, FaceWatch, SeenFace, aligned, is_mirrored
from .timing import at_frames

# Seconds by which mouth and timecodes may disagree before the mouth is believed: what it finds errs by up to 0.08, over
# five seconds, and timecodes that run together are exact to a frame.
AGREED = 0.25
QUARTER_OF_AN_HOUR = 900.0
HALF_A_DAY = 43200.0


@dataclass(frozen=True)
class Offset:
    """seconds: on the clip's clock at which the recording's is 0. how: what told it, as a sentence."""

    seconds: float
    how: str


def brought_in_time(
    data: TrackingData, times: np.ndarray, tags: Mapping[str, str], fps: float, seen: SeenFace | None
) -> tuple[EyeTracking, str]:
    """The data fitted to their wearer, one row for each of a clip's frames, and what was done, in sentences.

    times: (T,) seconds, when the frames are shown. The others: see find_offset, whose errors are raised where the user
    gave no offset.
    """
    recording = data.recording
    if data.offset is None:
        offset = find_offset(recording, tags, fps, seen)
    else:
        offset = Offset(data.offset, f"The data begin at {data.offset:+.2f} s of the clip, as told.")
    said = offset.how
    if seen is not None and is_mirrored(seen, recording.tracking, offset.seconds):
        said += " They seem to be mirrored: mouth or eyes go to the other side than in the picture; switch that round."
    return at_frames(to_person(recording.tracking, own_range(recording.tracking)), times, offset.seconds), said


def in_time_with_clip(
    data: TrackingData,
    times: np.ndarray,
    tags: Mapping[str, str],
    fps: float,
    faces: Iterable[tuple[float, np.ndarray, TrackedFace]],
) -> tuple[EyeTracking, str]:
    """`brought_in_time`, for which the clip is looked at where neither the user nor timecodes tell when the data begin.

    faces: the seconds, the (H, W, 3) uint8 picture and the face of the clip's frames, in order; nothing is taken of it
    where the clip need not be looked at.
    """
    seen = None
    if data.offset is None and offset_by_timecode(data.recording, tags, fps) is None:
        watch = FaceWatch()
        for time, pixels, face in faces:
            watch.look(time, pixels, face)
        seen = watch.seen()
    return brought_in_time(data, times, tags, fps, seen)


def find_offset(recording: Recording, tags: Mapping[str, str], fps: float, seen: SeenFace | None) -> Offset:
    """Bring a recording in time with a clip by all that both say.

    tags: the clip's, see VideoReader; its timecode and time of creation count. fps: frames a second of that timecode.
    seen: what a FaceWatch saw of the clip; None where nobody looked. Timecodes are believed unless the mouth surely
    says otherwise. Raises InputError where nothing tells the offset.
    """
    by_timecode, by_date = offset_by_timecode(recording, tags, fps), offset_by_date(recording, tags)
    told = by_timecode if by_timecode is not None else by_date
    found: Alignment | None = None
    unsure = InputError("Neither timecodes nor dates tell when the tracking data begin: give the offset.")
    if seen is not None:
        try:
            found = _by_mouth(seen, recording.tracking, told)
        except InputError as error:
            unsure = error
    if found and (by_timecode is None or abs(found.offset - by_timecode) > AGREED):
        against = "" if by_timecode is None else f", though the timecodes say {by_timecode:+.2f} s"
        words = f"by the mouth (correlation {found.correlation:.2f}, next best {found.second:.2f}){against}"
        return Offset(found.offset, f"The data begin at {found.offset:+.2f} s of the clip, {words}.")
    if told is not None:
        words = "by timecode" if by_timecode is not None else "by the files' dates, which may be seconds off"
        return Offset(told, f"The data begin at {told:+.2f} s of the clip, {words}.")
    raise unsure


def _by_mouth(seen: SeenFace, tracking: EyeTracking, told: float | None) -> Alignment:
    """Wherever that is; where it is not sure, near to where clocks put it."""
    try:
        return aligned(seen, tracking)
    except InputError:
        if told is None:
            raise
        return aligned(seen, tracking, told)


def offset_by_timecode(recording: Recording, tags: Mapping[str, str], fps: float) -> float | None:
    """Where both have a timecode, the offset; None where not. fps: frames a second of the clip's."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+)[:;.](\d+)", tags.get("timecode", "").strip())
    if recording.timecode is None or not found:
        return None
    hours, minutes, seconds, frame = map(int, found.groups())
    start = 3600 * hours + 60 * minutes + seconds + frame / max(round(fps), 1)
    return (recording.timecode - start + HALF_A_DAY) % (2 * HALF_A_DAY) - HALF_A_DAY


def offset_by_date(recording: Recording, tags: Mapping[str, str]) -> float | None:
    """Where both have a date, the offset, to some seconds; None where not.

    Cameras and recorders write the time of the place where that of Greenwich is meant, and the other way round. Time
    zones are whole quarters of an hour apart, so only what is left of one counts.
    """
    date = tags.get("com.apple.quicktime.creationdate", tags.get("creation_time", ""))
    # Python 3.10 reads neither "Z" nor a zone without a colon.
    date = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", date.strip().replace("Z", "+00:00"))
    try:
        created = datetime.fromisoformat(re.sub(r"\.\d+", "", date))
    except ValueError:
        return None
    if recording.epoch is None:
        return None
    start = (created if created.tzinfo else created.replace(tzinfo=timezone.utc)).timestamp()
    half = QUARTER_OF_AN_HOUR / 2
    return (recording.epoch - start + half) % QUARTER_OF_AN_HOUR - half
