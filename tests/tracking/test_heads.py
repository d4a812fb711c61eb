"""Heads followed from frame to frame, lost and found again: in coded_scene's scenes, and by the shipped network."""

from contextlib import closing

import numpy as np
import pytest
from coded_scene import CodedNet, Head, picture, places

from hmd_removal.lab.tracking.steadiness import jitter, lag
from hmd_removal.tracking import heads, uncovered
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.geometry import EYES_AND_BROWS, eye_distance
from hmd_removal.tracking.heads import HeadDetector
from hmd_removal.tracking.track import FrameStatus
from hmd_removal.weights import WeightsMissing


def detect(scene: dict[int, list[Head]], numbers=None, **options):
    """Faces in each frame, and how many crops were looked at for it."""
    net = CodedNet(scene)
    detector = HeadDetector("covered", net=net, finder=places, **options)
    faces, looks = [], []
    for number in scene if numbers is None else numbers:
        before = net.crops
        faces.append(detector.detect(picture(number)))
        looks.append(net.crops - before)
    return faces, looks


def test_a_moving_head_is_followed_with_one_look_a_frame():
    scene = {t: [Head(100 + 3 * t, 120 + t, scale=4 * 1.01**t, roll=2 * t)] for t in range(20)}
    faces, looks = detect(scene)
    assert looks[0] > 20 and looks[1:] == [1] * 19
    for t, found in enumerate(faces):
        assert found[0].points == pytest.approx(scene[t][0].points, abs=0.5)


def test_a_jerk_is_followed_by_a_second_look():
    faces, looks = detect({0: [Head(150, 150)], 1: [Head(180, 150)]})
    assert looks[1] == 2
    assert faces[1][0].points == pytest.approx(Head(180, 150).points, abs=0.5)


def detect_together(scene: dict[int, list[Head]], **options):
    """`detect`, all frames looked at together."""
    net = CodedNet(scene)
    detector = HeadDetector("covered", net=net, finder=places, **options)
    pictures = [picture(number) for number in scene]
    found = [(detector.detect(frame, upcoming=pictures[t + 1 :]), net.crops) for t, frame in enumerate(pictures)]
    return [faces for faces, _ in found], np.diff([crops for _, crops in found], prepend=0).tolist()


def test_frames_that_are_known_ahead_are_looked_at_together():
    scene = {t: [Head(100 + 3 * t, 120 + t)] for t in range(8)}
    faces, looks = detect_together(scene)
    assert looks[2:] == [0] * 6, "the first frame is searched, and with the second one all others are looked at"
    assert looks[1] <= 2 * 7, "at most twice: where the head was, and where it has gone"
    for t, found in enumerate(faces):
        assert found[0].points == pytest.approx(scene[t][0].points, abs=0.5)


def test_a_head_that_goes_far_in_frames_looked_at_together_is_not_lost():
    scene = {t: [Head(60 + 12 * t, 150, scale=3)] for t in range(20)}
    faces, _ = detect_together(scene)
    for t, found in enumerate(faces):
        assert found[0].points == pytest.approx(scene[t][0].points, abs=0.5)


def test_while_nobody_is_there_frames_known_ahead_are_not_looked_at_again_and_again():
    scene = {0: [Head(100, 150)], **{t: [] for t in range(1, 9)}}
    faces, looks = detect_together(scene)
    assert [bool(f) for f in faces] == [True] + [False] * 8
    searched = [[t for t, n in enumerate(of) if n > 20] for of in (looks, detect(scene)[1])]
    assert searched[0] == searched[1] == [0, 2, 5]


def test_behind_a_mask_a_head_is_found_without_a_search():
    net = CodedNet({0: [Head(100, 150)]})
    mask = np.zeros((300, 400), np.uint8)
    mask[115:150, 65:135] = 1
    (face,) = HeadDetector("covered", net=net, finder=places).detect(picture(), mask)
    assert face.points == pytest.approx(Head(100, 150).points, abs=0.5)
    assert net.crops < 20


def test_a_mask_of_something_else_does_not_keep_a_head_from_being_found():
    mask = np.zeros((300, 400), np.uint8)
    mask[230:280, 300:390] = 1
    (face,) = HeadDetector("covered", net=CodedNet({0: [Head(100, 150)]}), finder=places).detect(picture(), mask)
    assert face.points == pytest.approx(Head(100, 150).points, abs=0.5)


def test_a_face_knows_what_is_hidden_and_how_sure_it_is():
    (face,), (again,) = detect({0: [Head(200, 150)], 1: [Head(200, 150, covered=False)]})[0]
    eyes = list(EYES_AND_BROWS)
    assert face.visibility[eyes].mean() < 0.1 and again.visibility[eyes].mean() > 0.9
    assert face.deviation == pytest.approx(0.01 * 34 * 4, rel=0.02)  # a hundredth of a crop of 34 cm
    assert face.device.probability.shape == (64, 64) and face.score > 0.9
    assert face.points.dtype == face.visibility.dtype == face.deviation.dtype == np.float32


def test_points_under_a_given_mask_are_hidden_too():
    mask = np.zeros((300, 400), np.uint8)
    mask[:, :200] = 1
    detector = HeadDetector("covered", net=CodedNet({0: [Head(200, 150, covered=False)]}), finder=places)
    (face,) = detector.detect(picture(), mask)
    left = face.points[:, 0] < 199
    assert face.visibility[left].max() == 0 and face.visibility[face.points[:, 0] > 201].min() > 0.9


def test_a_lost_head_is_found_again_elsewhere():
    away = {t: [] for t in range(2, 5)}
    scene = {0: [Head(100, 150)], 1: [Head(104, 150)], **away, **{t: [Head(280, 100)] for t in range(5, 12)}}
    faces, _ = detect(scene)
    found = [bool(f) for f in faces]
    assert found[:2] == [True, True] and found[2:5] == [False] * 3
    assert all(found[8:])
    assert faces[8][0].points == pytest.approx(Head(280, 100).points, abs=0.5)


def test_one_who_reappears_at_the_same_place_is_seen_at_once():
    scene = {0: [Head(100, 150)], **{t: [] for t in range(1, 8)}, 8: [Head(104, 150)]}
    faces, _ = detect(scene)
    assert faces[8]


def test_an_empty_picture_is_not_searched_in_every_frame():
    _, looks = detect({t: [] for t in range(30)})
    assert [t for t, n in enumerate(looks) if n > 20] == [0, 2, 5, 10, 19]


def test_after_a_cut_the_head_is_found_in_the_same_frame():
    scene = {t: [Head(100, 150)] for t in range(4)} | {200 + t: [Head(300, 120)] for t in range(4)}
    detector = HeadDetector("covered", net=CodedNet(scene), finder=places)
    track = track_clip([picture(t) for t in scene], (300, 400), detector=detector)
    assert (track.status == FrameStatus.FOUND).all() and list(track.scene) == [0] * 4 + [1] * 4
    assert track.points[4] == pytest.approx(Head(300, 120).points, abs=0.5)


def test_of_several_heads_each_can_be_tracked():
    scene = {t: [Head(100 + 2 * t, 150, scale=3), Head(300, 150 - t, scale=4)] for t in range(10)}
    pictures = [picture(t) for t in range(10)]
    for index, of in ((0, 1), (1, 0)):
        detector = HeadDetector("covered", net=CodedNet(scene), finder=places)
        track = track_clip(pictures, (300, 400), Wearer(face=index), detector=detector)
        assert (track.status == FrameStatus.FOUND).all()
        for t in range(10):
            assert track.points[t] == pytest.approx(scene[t][of].points, abs=1.0)


def test_one_who_leaves_is_given_up():
    scene = {0: [Head(100, 150, scale=3), Head(300, 150)]} | {t: [Head(300, 150)] for t in range(1, 60)}
    faces, looks = detect(scene)
    assert [len(f) for f in faces[:2]] == [2, 1]
    assert looks[-20:] == [1] * 20


def test_only_the_head_in_the_box_is_followed():
    scene = {t: [Head(100, 150), Head(300, 150, scale=5)] for t in range(3)}
    faces, _ = detect(scene, box=(60, 110, 80, 90))
    assert [len(f) for f in faces] == [1, 1, 1]
    assert faces[2][0].points == pytest.approx(Head(100, 150).points, abs=0.5)


def test_somebody_who_comes_later_is_found_where_others_are_waited_for():
    scene = {t: [Head(100, 150, scale=3)] for t in range(20)}
    scene |= {t: [Head(100, 150, scale=3), Head(300, 150)] for t in range(20, 60)}
    for others in (False, True):
        net = CodedNet(scene)
        detector = HeadDetector("covered", net=net, finder=places)
        counts, looks = [], []
        for t in scene:
            before = net.crops
            counts.append(len(detector.detect(picture(t), others=others)))
            looks.append(net.crops - before)
        assert counts[:20] == [1] * 20
        if others:
            assert counts[40:] == [2] * 20
        else:
            assert counts[20:] == [1] * 40 and max(looks[1:]) <= 2
        assert sum(n > 20 for n in looks) <= 5, "not in every frame"


def test_a_wearer_who_comes_later_is_followed_by_the_real_detector():
    """Of two heads only the second one wears something; the first one was there before."""
    scene = {t: [Head(100, 150, scale=4, covered=False)] for t in range(12)}
    scene |= {t: [Head(100, 150, scale=4, covered=False), Head(300, 150, scale=3)] for t in range(12, 50)}
    detector = HeadDetector("covered", net=CodedNet(scene), finder=places)
    track = track_clip([picture(t) for t in scene], (300, 400), Wearer(wearing=True), detector=detector)
    assert track.points[2] == pytest.approx(Head(100, 150, scale=4).points, abs=1.0)
    assert track.points[-1] == pytest.approx(Head(300, 150, scale=3).points, abs=1.0)


def covered(frames, mode: str = "auto", **options) -> list[bool]:
    """Of each frame whether its face was seen by the landmarker for covered faces."""
    track = track_clip(frames, frames[0].shape[:2], Wearer(detector=mode), **options)
    assert (track.status == FrameStatus.FOUND).all()
    return [face.covered for face in track]


def test_each_frame_is_seen_by_the_landmarker_that_suits_it(wearer, talking_head):
    on, _ = wearer
    assert covered(on[:6]) == [True] * 6 and covered(talking_head[:6]) == [False] * 6
    # The headset is put on in mid-clip, and taken off: it does not matter what the first frames show.
    assert covered([*talking_head[:8], *on[8:16], *talking_head[16:24]]) == [False] * 8 + [True] * 8 + [False] * 8


def test_a_mode_decides_whatever_is_seen(wearer, talking_head):
    assert covered(talking_head[:3], "covered") == [True] * 3
    assert covered(talking_head[:3], "uncovered") == [False] * 3
    assert covered(talking_head[:3], masks=np.zeros(talking_head[:3].shape[:3], np.uint8)) == [True] * 3


def test_eyes_that_are_half_in_sight_do_not_make_the_landmarks_jump(monkeypatch):
    """The device's edge lies over the eyes: what is seen of them sways about one half."""
    shares = iter([0.3, 0.5, 0.5, 0.7, 0.5, 0.5, 0.3])
    detector = HeadDetector(net=CodedNet({}), finder=places)
    place, chosen = None, []
    for share in shares:
        now = detector._is_covered(np.full(478, share, np.float32), place)
        place = heads._Place(None, None, now)
        chosen.append(now)
    assert chosen == [True, True, True, False, False, False, True]


@pytest.mark.parametrize(
    "why", [ImportError("No module named 'mediapipe'"), WeightsMissing("The weights 'face_landmarker' are not here.")]
)
def test_without_mediapipe_the_landmarker_for_covered_faces_does(
    talking_head, talking_head_track, monkeypatch, why: Exception
):
    def not_there():
        raise why

    monkeypatch.setattr(uncovered, "UncoveredLandmarker", not_there)
    track = track_clip(talking_head[:8], talking_head.shape[1:3], Wearer(detector="uncovered"))
    error = np.linalg.norm((track.points - talking_head_track.points[:8])[..., :2], axis=2)
    assert error.mean() < 0.05 * float(eye_distance(talking_head_track.points).mean())


def test_the_shipped_network_follows_a_wearer_steadily(wearer, talking_head_track):
    frames, _ = wearer
    with closing(HeadDetector("covered")) as detector:
        raw = np.stack([detector.detect(frame)[0].points for frame in frames])
    track = track_clip(frames, frames.shape[1:3])
    assert (track.status == FrameStatus.FOUND).all()
    eyes = float(eye_distance(talking_head_track.points).mean())
    error = np.linalg.norm((track.points - talking_head_track.points)[..., :2], axis=2)
    assert error.mean() < 0.1 * eyes and error.mean(1).max() < 0.2 * eyes
    assert jitter(track.points, eyes) < 0.95 * jitter(raw, eyes)
    assert abs(lag(track.points, talking_head_track.points)) < 0.5


def test_the_shipped_network_sees_nobody_in_an_empty_picture():
    noise = np.random.default_rng(0).integers(0, 256, (144, 176, 3)).astype(np.uint8)
    with closing(HeadDetector()) as detector:
        assert detector.detect(noise) == []
