"""What is seen of a covered face: when its mouth opens, and to which side it goes, as tracking data say or not."""

from dataclasses import replace

import numpy as np
import pytest
from spoken import clip, recording

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.seen_face import FaceWatch, SeenFace, aligned, best_alignment, is_mirrored
from hmd_removal.errors import InputError
from hmd_removal.tracking.geometry import pose_angles
from hmd_removal.tracking.track import FaceTrack, TrackedFace


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
