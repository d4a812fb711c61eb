"""Heads followed from frame to frame, lost and found again: in coded_scene's scenes, and by the shipped network."""

import numpy as np
import pytest
from coded_scene import CodedNet, Head, picture

from hmd_removal.errors import InputError
from hmd_removal.lab.tracking.steadiness import jitter, lag
from hmd_removal.tracking.covered import CoveredFaceDetector, detector_for, is_covered
from hmd_removal.tracking.detector import Face, MediaPipeDetector
from hmd_removal.tracking.geometry import eye_distance
from hmd_removal.tracking.smoothing import FaceSmoother
from hmd_removal.tracking.track import FaceTrack, FrameStatus, detect_track, track_faces


def detect(scene: dict[int, list[Head]], numbers=None, **options):
    """Faces in each frame, and how many crops were looked at for it."""
    net = CodedNet(scene)
    detector = CoveredFaceDetector(net, **options)
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


def test_a_face_knows_what_is_hidden_and_how_sure_it_is():
    (face,), (again,) = detect({0: [Head(200, 150)], 1: [Head(200, 150, covered=False)]})[0]
    assert is_covered(face) and not is_covered(again)
    assert face.deviation == pytest.approx(0.01 * 34 * 4, rel=0.02)  # a hundredth of a crop of 34 cm
    assert face.device.probability.shape == (64, 64) and face.score > 0.9
    assert face.points.dtype == face.visibility.dtype == face.deviation.dtype == np.float32


def test_points_under_a_given_mask_are_hidden_too():
    mask = np.zeros((300, 400), np.uint8)
    mask[:, :200] = 1
    detector = CoveredFaceDetector(CodedNet({0: [Head(200, 150, covered=False)]}))
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
    faces, _ = detect({0: [Head(100, 150)], 1: [Head(100, 150)], 200: [Head(300, 120)]})
    assert faces[2][0].points == pytest.approx(Head(300, 120).points, abs=0.5)


def test_of_several_heads_each_can_be_tracked():
    scene = {t: [Head(100 + 2 * t, 150, scale=3), Head(300, 150 - t, scale=4)] for t in range(10)}
    pictures = [(picture(t), None) for t in range(10)]
    for index, of in ((0, 1), (1, 0)):
        detector = CoveredFaceDetector(CodedNet(scene))
        track = FaceTrack.stack(track_faces(pictures, detector, face=index), (300, 400))
        assert (track.status == FrameStatus.FOUND).all()
        for t in range(10):
            assert track.points[t] == pytest.approx(scene[t][of].points, abs=0.5)


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


def is_mediapipe(detector) -> bool:
    with detector:
        return isinstance(detector, MediaPipeDetector)


@pytest.mark.parametrize(("covered", "expected"), [(True, False), (False, True)])
def test_the_detector_is_chosen_by_the_eyes(covered, expected):
    net = CodedNet({0: [], 1: [Head(200, 150, covered=covered)], 2: [Head(200, 150, covered=covered)]})
    assert is_mediapipe(detector_for([picture(t) for t in range(3)], net=net)) is expected


def test_where_nobody_is_seen_faces_are_taken_for_uncovered():
    assert is_mediapipe(detector_for([picture()], net=CodedNet({0: []})))


def test_a_mode_decides_without_a_look():
    assert is_mediapipe(detector_for([], "uncovered"))
    assert not is_mediapipe(detector_for([], "covered", net=CodedNet({})))
    assert not is_mediapipe(detector_for([], box=(0, 0, 10, 10), net=CodedNet({})))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="out of auto, uncovered, covered, got 'hidden'"):
        detector_for([], "hidden")
    with pytest.raises(InputError, match="of no use in mode 'uncovered'"):
        detector_for([], "uncovered", box=(0, 0, 10, 10))


def test_a_face_of_unknown_visibility_is_not_covered():
    assert not is_covered(Face(np.zeros((478, 3), np.float32), np.zeros(52, np.float32)))


def test_the_shipped_network_follows_a_wearer_steadily(wearer, talking_head_track):
    frames, _ = wearer
    track = detect_track(frames, frames.shape[1:3], detector=CoveredFaceDetector())
    assert (track.status == FrameStatus.FOUND).all()
    smoother, eyes = FaceSmoother(), float(eye_distance(talking_head_track.points).mean())
    steady = np.stack([smoother.push(track[t]).points for t in range(len(track))])
    error = np.linalg.norm((steady - talking_head_track.points)[..., :2], axis=2)
    assert error.mean() < 0.1 * eyes and error.mean(1).max() < 0.2 * eyes
    assert jitter(steady, eyes) < 0.95 * jitter(track.points, eyes)
    assert abs(lag(steady, talking_head_track.points)) < 0.5


def test_the_shipped_network_tells_a_wearer_from_an_uncovered_face(wearer, talking_head):
    assert not is_mediapipe(detector_for(wearer[0][:2]))
    assert is_mediapipe(detector_for(talking_head[:2]))


def test_the_shipped_network_sees_nobody_in_an_empty_picture():
    noise = np.random.default_rng(0).integers(0, 256, (144, 176, 3)).astype(np.uint8)
    assert CoveredFaceDetector().detect(noise) == []
