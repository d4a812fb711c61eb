"""Choosing reference frames: open eyes, sharp, different poses, and clear words when there is none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.tracking.enrol import load_reference, reference_from_frames
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.geometry import EYE_LIDS, eye_openness
from hmd_removal.tracking.reference import FrameScore, make_reference, pick_frames, pick_reference, score_frames
from hmd_removal.tracking.track import FaceTrack


def score(frame: int, yaw: float = 0.0, pitch: float = 0.0, value: float = 1.0) -> FrameScore:
    return FrameScore(frame, yaw, pitch, 0.3, value, value)


def with_shut_eyes(track: FaceTrack) -> FaceTrack:
    points = track.points.copy()
    for lids, _ in EYE_LIDS.values():
        for upper, lower in lids:
            points[:, upper] = points[:, lower]
    return replace(track, points=points)


def test_the_best_of_each_pose_the_most_frontal_first():
    scores = [score(0, value=1), score(1, value=2), score(2, yaw=16, value=1), score(3, yaw=31), score(4, value=0)]
    assert pick_frames(scores, 5) == [1, 2, 3]
    assert pick_frames(scores, 2) == [1, 2]


def test_eye_openness_by_hand():
    points = np.zeros((478, 2))
    for lids, (outer, inner) in EYE_LIDS.values():
        points[outer], points[inner] = (0, 0), (30, 0)
        for upper, lower in lids:
            points[upper], points[lower] = (15, -6), (15, 3)
    assert eye_openness(points) == pytest.approx(9 / 30)


def test_frames_that_show_more_than_the_face_are_left_out_where_there_are_others():
    bare, glasses = score(0, value=1), replace(score(1, yaw=20, value=9), besides=("glasses",))
    assert pick_frames([bare, glasses], 5) == [0]
    assert pick_frames([glasses], 5) == [1]
    missed = [replace(glasses, frame=t, yaw=15.0 * t) for t in range(9)]  # glasses that one frame in ten does not tell
    assert len(pick_frames([bare, *missed], 20)) == 9


def with_glasses(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Dark frames, a bar over the nose and two to the ears. points: (478, 3) pixels."""
    drawn = frame.copy()
    eyes = [points[list(corners), :2].mean(0) for corners in ((33, 133), (362, 263))]
    across, width = (eyes[1] - eyes[0]) / 2, max(round(0.06 * float(np.linalg.norm(eyes[1] - eyes[0]))), 1)
    lines = [(eyes[0] + 0.6 * across, eyes[1] - 0.6 * across)]
    lines += [(eyes[0] - 0.6 * across, eyes[0] - 1.3 * across), (eyes[1] + 0.6 * across, eyes[1] + 1.3 * across)]
    for eye in eyes:
        axes = (round(0.6 * float(np.linalg.norm(across))), round(0.45 * float(np.linalg.norm(across))))
        cv2.ellipse(drawn, np.round(eye).astype(int).tolist(), axes, 0, 0, 360, (20, 15, 15), width, cv2.LINE_AA)
    for start, end in lines:
        start, end = (np.round(end).astype(int).tolist() for end in (start, end))
        cv2.line(drawn, start, end, (20, 15, 15), width, cv2.LINE_AA)
    return drawn


def test_glasses_are_told_and_said(talking_head, talking_head_track):
    large = [cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for frame in talking_head[:4]]
    worn = [with_glasses(f, 2 * talking_head_track.points[t]) for t, f in enumerate(large)]
    reference, scores, chosen = reference_from_frames([worn[0], large[2], worn[3]], still=True)
    assert [score.besides for score in scores] == [("glasses",), (), ("glasses",)]
    assert chosen == [1] and not reference.remarks
    assert reference_from_frames(worn, still=True)[0].remarks == (
        "The reference shows glasses, which may show in the result: a picture without is better.",
    )


def test_a_headset_on_the_forehead_is_told_and_where_it_is(talking_head, talking_head_track):
    large = [cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for frame in talking_head[:2]]
    track = track_clip(large, large[0].shape[:2], Wearer(detector="uncovered"))
    device = replace(preset("quest"), shift=(0.0, -7.0), tilt=(-15.0, 0.0))
    pushed_up, mask = HeadsetArtist(device).draw(large[0], track[0])
    reference, scores, _ = reference_from_frames([pushed_up], still=True)
    assert scores[0].besides == ("a headset",) and not scores[0].covered
    assert reference.remarks == (
        "The reference shows a headset, and what is behind it is made up: a picture without is better.",
    )
    found = reference.devices[0].mask(mask.shape)
    assert (found & (mask > 0)).sum() > 0.7 * (found | (mask > 0)).sum()

    bare = make_reference(large[1:], track.points[1:2])
    assert not bare.devices and list(bare.with_more(reference).devices) == [1]


def test_a_face_that_turns_wears_no_glasses(talking_head, talking_head_track):
    assert not any(score.besides for score in score_frames(talking_head, talking_head_track))


def test_blurred_frames_lose(talking_head, talking_head_track):
    frames = [frame.copy() for frame in talking_head[:6]]
    for t in (0, 1, 2, 4, 5):
        frames[t] = cv2.GaussianBlur(frames[t], (0, 0), 2)
    scores = score_frames(frames, talking_head_track_part(talking_head_track, 6))
    assert max(scores, key=lambda s: s.score).frame == 3


def talking_head_track_part(track: FaceTrack, count: int) -> FaceTrack:
    return FaceTrack.stack((track[t] for t in range(count)), track.size)


def test_a_real_clip(talking_head, talking_head_track):
    reference, scores, chosen = pick_reference(talking_head, talking_head_track, count=3)
    assert len(reference) == len(chosen) <= 3 and len(scores) == len(talking_head)
    assert (eye_openness(reference.points) > 0.2).all()
    assert (reference.images[0] == talking_head[chosen[0]]).all()


def test_by_hand(talking_head, talking_head_track):
    reference, _, chosen = pick_reference(talking_head, talking_head_track, frame=7)
    assert chosen == [7] and (reference.images[0] == talking_head[7]).all()
    with pytest.raises(InputError, match="from 0 to 47, got 48"):
        pick_reference(talking_head, talking_head_track, frame=48)


def test_shut_eyes_are_refused_unless_chosen_by_hand(talking_head, talking_head_track):
    track = with_shut_eyes(talking_head_track)
    with pytest.raises(InputError, match="eyes look shut in all 48 pictures"):
        pick_reference(talking_head, track)
    assert len(pick_reference(talking_head, track, frame=0)[0]) == 1


def test_photos_of_any_size(talking_head):
    photos = [talking_head[0], cv2.resize(talking_head[20], None, fx=2, fy=2), np.zeros((90, 70, 3), np.uint8)]
    reference, scores, chosen = reference_from_frames(photos, still=True)
    assert [s.score > 0 for s in scores] == [True, True, False] and 2 not in chosen


def test_no_face(tmp_path):
    with pytest.raises(InputError, match="no face was found"):
        reference_from_frames([np.full((128, 128, 3), 80, np.uint8)], still=True)
    photo = tmp_path / "wall.png"
    photo.write_bytes(cv2.imencode(".png", np.full((128, 128, 3), 80, np.uint8))[1].tobytes())
    with pytest.raises(InputError, match="no face was found"):
        load_reference(photo)


def test_from_files(carphone, talking_head, tmp_path):
    for t in (0, 30):
        bgr = cv2.cvtColor(talking_head[t], cv2.COLOR_RGB2BGR)
        (tmp_path / f"{t}.png").write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
    photo = load_reference(tmp_path / "0.png")
    assert (photo.images[0] == talking_head[0]).all()
    assert len(load_reference(tmp_path)) >= 1
    assert len(load_reference(carphone, count=3)) == 3


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_reference(tmp_path / "me.jpg")
    with pytest.raises(InputError, match="holds no photo"):
        load_reference(tmp_path)
    (tmp_path / "me.jpg").write_text("no picture")
    with pytest.raises(InputError, match="cannot be read"):
        load_reference(tmp_path / "me.jpg")


def test_pictures_of_two_references_serve_together(talking_head, talking_head_track):
    today = make_reference([talking_head[0]], talking_head_track.points[:1])
    before = make_reference(list(talking_head[5:7]), talking_head_track.points[5:7])
    both = today.with_more(before)
    assert len(both) == 3 and both.images[0] is today.images[0] and both.images[2] is before.images[1]
    assert np.array_equal(both.points[1:], before.points) and np.array_equal(both.angles[:1], today.angles)
    assert today.with_more(None) is today and today.with_more(today) is today
