"""When a recording begins on a clip's clock: by clocks, and by a mouth that is drawn."""

from collections.abc import Iterator

import numpy as np
import pytest
from faces_of import posed_face
from spoken import clip, recording, speech

from hmd_removal.driving.alignment import (
    brought_in_time,
    find_offset,
    in_time_with_clip,
    offset_by_date,
    offset_by_timecode,
)
from hmd_removal.driving.eye_tracking import Recording, TrackingData
from hmd_removal.errors import InputError
from hmd_removal.tracking.track import TrackedFace


def timed(timecode: float | None = None, epoch: float | None = None, offset: float = 0.0) -> Recording:
    return Recording(recording(offset), "a test", timecode, epoch)


@pytest.mark.parametrize(
    ("own", "of_clip", "offset"),
    [
        (43201.5, "12:00:00:00", 1.5),
        (43200.0, "12:00:01:15", -1.6),
        (5.0, "23:59:58;00", 7.0),
        (86398.0, "00:00:01:00", -3),
    ],
)
def test_timecodes_of_both_tell_it_also_over_midnight(own, of_clip, offset):
    assert offset_by_timecode(timed(timecode=own), {"timecode": of_clip}, 25) == pytest.approx(offset)


def test_without_a_timecode_in_both_there_is_none():
    assert offset_by_timecode(timed(), {"timecode": "12:00:00:00"}, 25) is None
    assert offset_by_timecode(timed(timecode=1.0), {}, 25) is None


@pytest.mark.parametrize(
    "tags",
    [
        {"creation_time": "2023-11-14T22:13:20.000000Z"},
        {"com.apple.quicktime.creationdate": "2023-11-14T23:13:20+0100"},
        {"creation_time": "2023-11-15T03:43:20.000000Z"},  # the time of a place that is five and a half hours ahead
    ],
)
def test_dates_of_both_tell_it_whatever_the_time_zone(tags):
    assert offset_by_date(timed(epoch=1.7e9 + 2.5), tags) == pytest.approx(2.5)


def test_without_a_date_in_both_there_is_none():
    assert offset_by_date(timed(epoch=1.7e9), {"creation_time": "some day"}) is None
    assert offset_by_date(timed(), {"creation_time": "2023-11-14T22:13:20Z"}) is None


def test_timecodes_are_exact_unless_the_mouth_surely_says_otherwise():
    tags = {"timecode": "12:00:00:00"}
    near = find_offset(timed(43200.3, offset=0.35), tags, 25, clip())
    assert near.seconds == pytest.approx(0.3) and "by timecode" in near.how
    wrong = find_offset(timed(50000.0, offset=0.35), tags, 25, clip())
    assert wrong.seconds == pytest.approx(0.35, abs=0.02) and "though the timecodes say" in wrong.how


def test_dates_are_rough_so_the_mouth_is_asked_first():
    tags = {"creation_time": "2023-11-14T22:13:20Z"}
    found = find_offset(timed(epoch=1.7e9 + 1.0, offset=0.35), tags, 25, clip())
    assert found.seconds == pytest.approx(0.35, abs=0.02) and "by the mouth" in found.how
    assert "may be seconds off" in find_offset(timed(epoch=1.7e9 + 1.0), tags, 25, None).how


def test_nothing_to_go_by_is_refused():
    with pytest.raises(InputError, match="Neither timecodes nor dates"):
        find_offset(timed(), {}, 25, None)
    with pytest.raises(InputError, match="do not tell"):
        find_offset(timed(), {}, 25, clip(seed=7))


def test_all_of_it_from_a_recording_to_frames():
    data = TrackingData(timed(offset=0.3))
    data.recording.tracking.openness[:] = 0.8
    data.recording.tracking.openness[240:250] = 0.1  # 4.0 to 4.17 s of the data
    frames, said = brought_in_time(data, clip().times, {}, 25, clip())
    assert np.flatnonzero(frames.openness[:, 0] < 0.5)[[0, -1]] / 25 == pytest.approx((4.3, 4.45), abs=0.05)
    assert frames.openness.max() == pytest.approx(1) and frames.openness.min() == pytest.approx(0)
    assert said.startswith("The data begin at +0.30 s of the clip, by the mouth") and "mirrored" not in said


def test_an_offset_that_is_told_counts_and_mirrored_data_are_said():
    frames, said = brought_in_time(TrackingData(timed(offset=0.3).mirrored(), 0.3), clip().times, {}, 25, clip())
    assert "+0.30 s of the clip, as told" in said and "seem to be mirrored" in said
    assert len(frames.times) == len(clip().times)


def faces_that_speak() -> Iterator[tuple[float, np.ndarray, TrackedFace]]:
    """A grey face whose mouth is black as far as it is open."""
    face, times = posed_face(), clip().times
    x, y = face.points[13, :2].astype(int)
    for time, opening in zip(times, speech(times), strict=True):
        frame = np.full((300, 400, 3), 128, np.uint8)
        frame[y : y + round(12 * opening), x - 10 : x + 10] = 0
        yield time, frame, face


def test_a_clip_is_looked_at_only_where_nothing_else_tells_the_time():
    recorded, times, tags = timed(timecode=43200.3, offset=0.35), clip().times, {"timecode": "12:00:00:00"}
    by_mouth, as_told, by_timecode = faces_that_speak(), faces_that_speak(), faces_that_speak()
    assert "+0.35 s of the clip, by the mouth" in in_time_with_clip(TrackingData(recorded), times, {}, 25, by_mouth)[1]
    assert "+0.20 s of the clip, as told" in in_time_with_clip(TrackingData(recorded, 0.2), times, {}, 25, as_told)[1]
    assert "by timecode" in in_time_with_clip(TrackingData(recorded), times, tags, 25, by_timecode)[1]
    assert [len(list(rest)) for rest in (by_mouth, as_told, by_timecode)] == [0, len(times), len(times)]
