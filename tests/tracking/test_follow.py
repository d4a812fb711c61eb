"""Following one person: gaps, policies, several faces, scenes. The detector here is a script; its real one is tested
below."""

from dataclasses import replace
from itertools import islice
from weakref import WeakSet

import numpy as np
import pytest

from hmd_removal.errors import InputError
from hmd_removal.tracking import follow as following
from hmd_removal.tracking.follow import SceneCuts, Wearer, box_of, track_clip
from hmd_removal.tracking.geometry import head_pose
from hmd_removal.tracking.track import DevicePatch, Face, FaceTrack, FrameStatus

LONGEST = 40  # frames of the longest gap that is bridged, at the usual rate
FOUND, INTERPOLATED, MISSING = FrameStatus.FOUND, FrameStatus.INTERPOLATED, FrameStatus.MISSING


def face(x: float, size: float = 50.0, y: float = 100.0) -> Face:
    """A face whose points fill a square of `size` pixels around (x, y)."""
    spread = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 3))
    spread[0], spread[1] = (-0.5, -0.5, 0), (0.5, 0.5, 0)
    return Face((spread * size + (x, y, 0)).astype(np.float32))


class Script:
    """A detector that gives the listed faces frame by frame."""

    def __init__(self, *frames: list[Face]):
        self._frames = iter(frames)

    def detect(self, frame, mask=None, upcoming=(), *, others=False):
        return next(self._frames)

    def restart(self):
        pass


def follow(*frames: list[Face], cut_at: int = 1000, masks=None, **options) -> FaceTrack:
    """The track as it is found: what is smoothed and calibrated is tested elsewhere."""
    pictures = (np.full((200, 400, 3), 0 if t < cut_at else 200, np.uint8) for t in range(len(frames)))
    pairs = zip(pictures, masks or [None] * len(frames), strict=True)
    faces = following._tracked(pairs, Script(*frames), Wearer(**options), masked=masks is not None)
    return FaceTrack.stack(faces, (200, 400))


def test_only_what_is_looked_ahead_is_held() -> None:
    """Frames are large: each is let go of as soon as what is made of it has come."""

    class Item:
        pass

    def made_of(items):
        while two := list(islice(items, 2)):
            yield from range(len(two))

    alive, most = WeakSet(), 0

    def items():
        for _ in range(100):
            alive.add(item := Item())
            yield item

    made = []
    for _, one in following.beside(items(), made_of):
        made.append(one)
        most = max(most, len(alive))
    assert made == [0, 1] * 50 and most <= 4


def covered_face(x: float, seen: float, deviation: float) -> Face:
    """`face` with points 0-99 visible to the degree `seen`, the others fully; all equally uncertain."""
    visibility = np.ones(478, np.float32)
    visibility[:100] = seen
    device = DevicePatch(np.zeros((64, 64), np.float32), np.eye(2, 3))
    plain = face(x)
    return Face(plain.points, visibility, np.full(478, deviation, np.float32), device, 0.9)


def centres(track: FaceTrack) -> list[float]:
    return [round(float(x), 3) for x in track.points[:, [0, 1], 0].mean(1)]


def test_a_gap_is_bridged_in_equal_steps_and_reported():
    track = follow([face(100)], [], [], [], [face(140)])
    assert centres(track) == [100, 110, 120, 130, 140]
    assert list(track.status) == [FOUND, INTERPOLATED, INTERPOLATED, INTERPOLATED, FOUND]
    assert track.summary() == "2 of 5 frames have a found face, 3 interpolated (frames 1-3)."


def test_the_ends_of_a_clip_are_held():
    track = follow([], [face(100)], [face(110)], [], [])
    assert centres(track) == [100, 100, 110, 110, 110]
    assert list(track.status) == [INTERPOLATED, FOUND, FOUND, INTERPOLATED, INTERPOLATED]


def test_a_face_lost_for_thirty_frames_is_bridged():
    track = follow([face(100)], *([[]] * 30), [face(131)])
    assert centres(track) == pytest.approx(list(range(100, 132)), abs=0.01)


def test_a_gap_longer_than_the_limit_is_left_alone():
    track = follow([face(100)], *([[]] * (LONGEST + 1)), [face(140)], [])
    assert list(track.status) == [FOUND] + [MISSING] * (LONGEST + 1) + [FOUND, INTERPOLATED]
    assert np.isfinite(track.points).all() and np.isfinite(track.pose).all()


@pytest.mark.parametrize(
    ("fps", "frames", "bridged"), [(240, 48, True), (240, 400, False), (8, 12, True), (8, 32, False)]
)
def test_the_longest_gap_is_one_of_time(fps, frames, bridged):
    track = follow([face(100)], *([[]] * frames), [face(140)], fps=fps)
    assert list(track.status[1:-1]) == [INTERPOLATED if bridged else MISSING] * frames


def test_in_a_very_large_picture_fewer_frames_wait(monkeypatch):
    monkeypatch.setattr(following, "HELD", 10 * 200 * 400 * 3)
    track = follow([face(100)], *([[]] * 12), [face(140)])
    assert list(track.status[1:-1]) == [MISSING] * 12


def wearing(x: float, size: float = 50.0) -> Face:
    """`face`, with a device over all of it."""
    return replace(face(x, size), device=DevicePatch(np.ones((300, 300), np.float32), np.eye(3)[:2]))


def test_whoever_wears_the_headset_is_followed():
    """A larger head beside it, or one that was there before, is somebody else's."""
    friend, wearer = face(60, 80), wearing(200)
    assert set(centres(follow(*[[friend, wearer]] * 3, wearing=True))) == {200}
    track = follow([friend], [friend], *[[friend, wearer]] * 2, wearing=True)
    assert centres(track) == [60, 60, 200, 200] and list(track.scene) == [0, 0, 1, 1]
    assert set(centres(follow(*[[friend, wearer]] * 3))) == {60}
    assert centres(follow([wearer], [face(200), friend], wearing=True)) == [200, 200], "taken off, and nobody wears it"


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("hold", [MISSING, FOUND, INTERPOLATED, FOUND]),
        ("untouched", [MISSING, FOUND, MISSING, FOUND]),
        ("interpolate", [INTERPOLATED, FOUND, INTERPOLATED, FOUND]),
    ],
)
def test_policies(policy, status):
    assert list(follow([], [face(100)], [], [face(120)], on_missing=policy).status) == status


def test_hold_keeps_the_last_position():
    assert centres(follow([face(100)], [], [face(120)], on_missing="hold")) == [100, 100, 120]


def test_the_policy_error_names_the_frame():
    with pytest.raises(InputError, match="frame 1 has none"):
        follow([face(100)], [], on_missing="error")


def test_a_second_face_that_comes_later_is_waited_for():
    two = [face(50, 40), face(300, 60)]
    track = follow([face(300, 60)], [face(300, 60)], two, two, face=1)
    assert centres(track) == [50, 50, 50, 50]
    assert list(track.status) == [INTERPOLATED, INTERPOLATED, FOUND, FOUND]
    with pytest.raises(InputError, match="Face 1 was asked for, counted from 0, but no frame shows more than 1"):
        follow([face(300, 60)], [face(300, 60)], face=1)


def test_unknown_detector():
    with pytest.raises(InputError, match="out of auto, uncovered, covered, got 'hidden'"):
        Wearer(detector="hidden")


def test_unknown_policy():
    with pytest.raises(InputError, match="interpolate, hold, untouched, error, not 'skip'"):
        follow([face(100)], on_missing="skip")


@pytest.mark.parametrize("policy", ["interpolate", "hold", "untouched"])
def test_no_face_in_the_whole_clip(policy):
    with pytest.raises(InputError, match="No face was found in any of the 3 frames"):
        follow([], [], [], on_missing=policy)


def test_of_two_faces_the_largest_is_followed_even_when_the_other_grows():
    frames = [[face(50, 40), face(300, 60)], [face(52, 90), face(302, 60)], [face(304, 60), face(54, 90)]]
    assert centres(follow(*frames)) == [300, 302, 304]
    assert centres(follow(*frames, face=1)) == [50, 52, 54]


def test_another_person_does_not_take_over():
    track = follow([face(50, 60), face(300, 40)], [face(300, 40)], [face(54, 60), face(300, 40)])
    assert centres(track) == [50, 52, 54]
    assert track.status[1] == INTERPOLATED


def test_points_under_a_mask_are_not_visible():
    mask = np.zeros((200, 400), np.uint8)
    mask[:, :100] = 1
    track = follow([face(100)]).covered_by(mask[None])
    hidden = track.points[0, :, 0] < 99.5
    assert track.visibility[0, hidden].max() == 0 and hidden.sum() > 100
    assert track.visibility[0, track.points[0, :, 0] > 100.5].min() == 1


def test_a_detector_that_tells_nothing_of_cover_is_taken_at_its_word():
    track = follow([face(100)])
    assert (track.visibility == 1).all() and (track.deviation == 0).all() and track.devices == (None,)
    assert track.pose[0] == pytest.approx(head_pose(track.points[0]))


def test_what_is_known_of_cover_is_kept():
    given = covered_face(100, seen=0.1, deviation=2.0)
    track = follow([given])
    assert track.visibility[0] == pytest.approx(given.visibility)
    assert (track.deviation == 2).all()
    assert track.devices[0] is given.device and track[0].device is given.device


def test_the_pose_rests_on_what_is_seen_and_sure():
    true = covered_face(100, seen=1.0, deviation=0.5)
    wrong, deviation = true.points.copy(), true.deviation.copy()
    wrong[:60] += 40
    deviation[:60] = 400
    unsure = Face(wrong, true.visibility, deviation)
    hidden = Face(wrong, np.where(np.arange(478) < 60, 0, 1).astype(np.float32), true.deviation)
    at_rest = head_pose(true.points[:468], np.where(np.arange(468) < 60, 0, 1))
    assert follow([unsure]).pose[0] == pytest.approx(at_rest, abs=0.1)
    assert follow([hidden]).pose[0] == pytest.approx(at_rest, abs=1e-9)


def test_cover_is_bridged_like_points():
    track = follow([covered_face(100, 0.0, 1.0)], [], [covered_face(120, 1.0, 3.0)])
    assert track.visibility[1, 0] == pytest.approx(0.5) and track.deviation[1, 0] == pytest.approx(2.0)
    assert track.devices[1] is None  # where the device was then is not known


def test_nothing_is_carried_across_a_cut():
    track = follow([face(100)], [], [], [face(300)], [face(302)], cut_at=2)
    assert centres(track) == [100, 100, 300, 300, 302]
    assert list(track.status) == [FOUND, INTERPOLATED, INTERPOLATED, FOUND, FOUND]


def test_after_a_cut_the_person_may_be_elsewhere():
    assert list(follow([face(50)], [face(300)], cut_at=1).status) == [FOUND, FOUND]
    assert list(follow([face(50)], [face(300)]).status) == [FOUND, INTERPOLATED]
    two, one = [face(50, 40), face(300, 60)], [face(150, 50)]
    assert centres(follow(two, one, face=1, cut_at=1)) == [50, 150]


def test_a_cut_and_a_long_absence_begin_a_new_scene():
    gone = [[]] * (LONGEST + 1)
    assert list(follow([face(50)], [face(50)], [face(300)], cut_at=2).scene) == [0, 0, 1]
    assert list(follow([face(50)], [], [face(52)]).scene) == [0, 0, 0]
    for policy in ("interpolate", "hold", "untouched"):
        assert list(follow([face(50)], *gone, [face(52)], on_missing=policy).scene) == [0] * (LONGEST + 2) + [1]


def test_of_two_people_the_one_behind_the_mask_is_meant():
    two = [face(70, 60), face(300, 90)]
    nobody, left, both = (np.zeros((200, 400), np.uint8) for _ in range(3))
    left[80:100, 40:100] = 1
    both[80:100, 40:100] = both[60:140, 260:340] = 1
    for mask, x in ((nobody, 300), (left, 70), (both, 300)):
        assert centres(follow(two, masks=[mask])) == [x]
    assert centres(follow(two, masks=[left], face=0)) == [70]


def test_a_scene_without_anybody_is_missing():
    assert list(follow([face(50)], [], [], cut_at=1).status) == [FOUND, MISSING, MISSING]


def test_the_real_detector_follows_a_real_face(talking_head, talking_head_track):
    assert (talking_head_track.status == FOUND).all()
    eyes = talking_head_track.points[:, [33, 263], :2]
    assert np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1) == pytest.approx(32, abs=6)
    # the man nods and turns a little; from frame to frame his nose moves by a few pixels at most
    assert np.abs(np.diff(talking_head_track.points[:, 1, :2], axis=0)).max() < 6


def test_tiny_frames_are_refused():
    with pytest.raises(InputError, match="at least 64 x 64 pixels, got 63 x 80"):
        track_clip(np.zeros((1, 80, 63, 3), np.uint8), (80, 63))


def test_a_clip_without_any_face(talking_head):
    with pytest.raises(InputError, match="No face was found in any of the 4 frames"):
        track_clip(np.full_like(talking_head[:4], 90), talking_head.shape[1:3])


@pytest.mark.parametrize(
    ("text", "box"), [("", None), (" ", None), ("12, 8.5,30,40", (12, 8.5, 30, 40)), ("-5,0,60,70", (-5, 0, 60, 70))]
)
def test_a_box_is_written_as_four_numbers(text, box):
    assert box_of(text) == box


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "left", "1,2,3,nan", "1 2 3 4"])
def test_what_is_no_box_is_refused(text):
    with pytest.raises(InputError, match=f"as x, y, width, height in pixels, got '{text}'"):
        box_of(text)


def cuts(frames) -> list[int]:
    noticed = SceneCuts()
    return [t for t, frame in enumerate(frames) if noticed(frame)]


def test_a_real_clip_has_no_cut_and_two_spliced_have_one(talking_head):
    assert cuts(talking_head) == []
    other = 255 - talking_head[:5, :, ::-1]
    assert cuts([*talking_head[:10], *other]) == [10]


def test_a_moving_object_is_no_cut():
    frames = np.full((20, 90, 160, 3), 60, np.uint8)
    for t in range(20):
        frames[t, 20:70, 6 * t : 6 * t + 40] = 230
    assert cuts(frames) == []


def test_a_new_clip_starts_without_a_cut():
    assert cuts([np.full((64, 64, 3), 255, np.uint8)]) == []


class TestCausal:
    """Live, no frame waits for later ones."""

    def test_every_frame_comes_before_the_next_one_is_taken(self) -> None:
        taken = 0

        def pictures():
            nonlocal taken
            for _ in range(60):
                taken += 1
                yield np.zeros((200, 400, 3), np.uint8), None

        detector = Script(*[[face(100)]] * 5, *[[]] * 50, *[[face(100)]] * 5)
        tracked = following._tracked(pictures(), detector, Wearer(causal=True), masked=False)
        for done, _ in enumerate(tracked, 1):
            assert taken == done
        assert done == 60

    def test_a_gap_is_held_for_a_moment_and_then_missing(self) -> None:
        track = follow([face(100)], *[[]] * 20, [face(120)], causal=True)
        assert track.status.tolist() == [FOUND, *[INTERPOLATED] * 10, *[MISSING] * 10, FOUND]
        assert np.array_equal(track.points[10], track.points[0])

    def test_nobody_yet_is_missing(self) -> None:
        assert follow([], [face(100)], causal=True).status.tolist() == [MISSING, FOUND]
