"""When a recording begins on a clip's clock: by clocks, and by a mouth that is drawn."""

from dataclasses import replace

import numpy as np
import pytest

from hmd_removal.driving.alignment import (
    FaceWatch,
    SeenFace,
    aligned,
    best_alignment,
    brought_in_time,
    find_offset,
    is_mirrored,
    offset_by_date,
    offset_by_timecode,
)
from hmd_removal.driving.eye_tracking import EyeTracking, Recording, TrackingData
from hmd_removal.errors import InputError
from hmd_removal.tracking.geometry import pose_angles
from hmd_removal.tracking.track import FaceTrack, TrackedFace


def speech(times: np.ndarray, seed: int = 0) -> np.ndarray:
    """A jaw that opens and shuts without repeating itself, in [0, 1]."""
    rng = np.random.default_rng(seed)
    waves = [np.sin(2 * np.pi * (f * times + p)) for f, p in zip(rng.uniform(1, 5, 12), rng.random(12), strict=True)]
    return 0.5 + 0.5 * np.tanh(np.sum(waves, axis=0) / 3)


def clip(seconds: float = 12.0, noise: float = 0.3, seed: int = 0) -> SeenFace:
    """A mouth at 25 frames a second, seen with an error; it goes to the wearer's right and back."""
    times = np.arange(round(25 * seconds)) / 25
    wrong, still = np.random.default_rng(99).normal(0, noise, len(times)), np.zeros(len(times))
    return SeenFace(times, 20 * speech(times, seed) + 8 * wrong + 5 * times / seconds, np.sin(times) + wrong, still)


def recording(offset: float, seconds: float = 12.0, seed: int = 0) -> EyeTracking:
    """Its data at 60 Hz, whose time 0 is at `offset` of the clip."""
    times = np.arange(round(60 * seconds)) / 60
    tracking = EyeTracking.unknown(times)
    tracking.jaw[:, 0] = 0.4 * speech(times + offset, seed)
    tracking.jaw[:, 1] = 0.2 * np.sin(times + offset)
    return tracking


@pytest.mark.parametrize("offset", [0.0, 0.2, -1.3, 3.71])
def test_the_mouth_tells_the_offset_to_a_hundredth_of_a_second(offset):
    found = aligned(clip(), recording(offset))
    assert found.offset == pytest.approx(offset, abs=0.01) and found.sure
    assert found.correlation > found.second + 0.2


def test_a_clip_out_of_a_long_recording_is_found():
    assert aligned(clip(8), recording(-40, seconds=120)).offset == pytest.approx(-40, abs=0.01)


def test_gaps_on_both_sides_do_not_matter():
    mouth, tracking = clip(), recording(0.5)
    mouth.opening[60:90] = np.nan
    tracking.jaw[np.random.default_rng(1).random(len(tracking.times)) < 0.2] = np.nan
    assert aligned(mouth, tracking).offset == pytest.approx(0.5, abs=0.015)


def test_data_of_another_clip_are_refused_in_a_sentence():
    with pytest.raises(
        InputError, match=r"do not tell when these begin: they agree by 0\.\d+ at .* s and by 0\.\d+ elsewhere"
    ):
        aligned(clip(), recording(0, seed=5))


def test_a_mouth_that_says_one_thing_again_and_again_is_refused():
    times = np.arange(300) / 25
    mouth = SeenFace(times, np.sin(6 * times), np.zeros(300), np.zeros(300))
    tracking = recording(0)
    tracking.jaw[:, 0] = 0.2 + 0.2 * np.sin(6 * tracking.times)
    assert best_alignment(mouth, tracking).correlation > 0.9
    with pytest.raises(InputError, match="do not tell"):
        aligned(mouth, tracking)


def test_what_clocks_say_helps_where_a_mouth_repeats_itself():
    times = np.arange(300) / 25
    mouth = SeenFace(times, np.sin(2 * np.pi * times / 4), np.zeros(300), np.zeros(300))
    tracking = recording(0, seconds=12)
    tracking.jaw[:, 0] = 0.2 + 0.2 * np.sin(2 * np.pi * (tracking.times + 0.5) / 4)
    assert abs(best_alignment(mouth, tracking, about=1.0).offset - 0.5) < 0.2


def test_short_clips_and_data_without_a_jaw_are_refused():
    with pytest.raises(InputError, match="share less than 5 seconds"):
        aligned(clip(4), recording(0))
    with pytest.raises(InputError, match="say nothing of the jaw"):
        aligned(clip(), EyeTracking.unknown(np.arange(600) / 60))


def test_mirrored_data_are_found_and_what_cannot_be_told_is_not():
    mouth, tracking = clip(), recording(0.3)
    assert is_mirrored(mouth, tracking, 0.3) is False
    assert is_mirrored(mouth, tracking.mirrored(), 0.3) is True
    tracking.jaw[:, 1] *= 0.05
    assert is_mirrored(mouth, tracking, 0.3) is None


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


def test_data_of_the_eyes_alone_do_not_tell_whether_they_are_mirrored():
    tracking = recording(0.3)
    tracking.jaw[:] = np.nan
    assert is_mirrored(clip(), tracking, 0.3) is None


def test_where_the_mouth_stays_in_the_middle_the_eyes_tell_mirrored_data():
    """They stay on what they look at while the head turns."""
    seen, tracking = clip(), recording(0.3)
    tracking.jaw[:, 1] = 0
    turning = 15 * np.sin(2 * np.pi * seen.times / 4)
    seen = replace(seen, yaw=turning)
    tracking.openness[:] = 1
    tracking.gaze[..., 0] = np.radians(-np.interp(tracking.times + 0.3, seen.times, turning))[:, None]
    tracking.gaze[::200, :, 0] += 0.3  # now and then they look elsewhere
    assert is_mirrored(seen, tracking, 0.3) is False
    assert is_mirrored(seen, tracking.mirrored(), 0.3) is True
    assert is_mirrored(replace(seen, yaw=0.1 * turning), tracking, 0.3) is None


def test_a_watch_sees_an_open_mouth_as_dark_where_it_is_and_how_the_head_turns(
    talking_head: np.ndarray, talking_head_track: FaceTrack
):
    face, watch = talking_head_track[0], FaceWatch()
    frames = [talking_head[0].copy() for _ in range(3)]
    x, y = face.points[14, :2].astype(int)
    frames[1][y : y + 3, x - 3 : x + 4] = 0
    frames[2][y : y + 3, x - 8 : x - 4] = 0  # the picture's left is the wearer's right
    for t, frame in enumerate(frames):
        watch.look(t / 25, frame, face)
    watch.look(3 / 25, frames[0], TrackedFace.missing())
    seen = watch.seen()
    assert seen.opening[1] > 1.1 * seen.opening[0]
    assert seen.place[2] > seen.place[0] + 0.05
    assert seen.yaw[0] == pytest.approx(-pose_angles(face.pose)[0])
    assert all(np.isnan(values[3]) for values in (seen.opening, seen.place, seen.yaw))
