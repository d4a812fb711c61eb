"""One picture of a person, moved."""

from dataclasses import replace

import numpy as np
import pytest

from hmd_removal.telepresence.animate_motion import Motion, Neutral, shipped_shapes
from hmd_removal.telepresence.animate_picture import DrivenPicture, lip_gap
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.geometry import transform
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack


@pytest.fixture(scope="module")
def picture(talking_head: np.ndarray, talking_head_track: FaceTrack) -> DrivenPicture:
    return DrivenPicture(make_reference(talking_head[:1], talking_head_track.points[:1]))


def test_a_neutral_driver_gives_back_the_picture_bit_for_bit(picture: DrivenPicture, talking_head: np.ndarray) -> None:
    assert np.array_equal(picture.draw(Motion.none()), talking_head[0])


def test_the_driver_of_the_picture_itself_changes_nothing_to_be_seen(
    picture: DrivenPicture, talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    neutral = Neutral.of([talking_head_track[0]])
    shown = picture.draw(neutral.motion(talking_head_track[0]))
    assert np.abs(shown.astype(int) - talking_head[0]).mean() < 0.1


def test_the_background_stands_still(picture: DrivenPicture, talking_head: np.ndarray) -> None:
    shown = picture.draw(replace(Motion.none(), turn=np.array([0.0, 0.15, 0.0]), place=np.array([0.5, 0.0])))
    changed = (shown != talking_head[0]).any(2)
    assert changed.any() and not changed[:, :20].any() and not changed[:, -20:].any()


def test_a_face_goes_where_its_driver_goes(
    picture: DrivenPicture, talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    """Its landmarks, as MediaPipe sees them, are nearer to the truth's than those of the picture held still."""
    neutral, there = Neutral.of([talking_head_track[0]]), talking_head_track[40]
    shown = picture.draw(neutral.motion(there))
    found = track_clip([shown] * 3, shown.shape[:2], Wearer(detector="uncovered")).points[-1]
    off, still = (
        np.linalg.norm(points[:, :2] - there.points[:, :2], axis=1).mean()
        for points in (found, talking_head_track.points[0])
    )
    assert off < 0.6 * still


def test_lips_touch_before_they_go_through_each_other(picture: DrivenPicture) -> None:
    shapes = shipped_shapes()
    opening = np.array([lip_gap(shape) for shape in shapes.basis])
    face, _ = picture._moved(replace(Motion.none(), shape=-3 * opening / (opening @ opening)))
    assert lip_gap(face) > -0.05


def test_an_opened_mouth_is_dark_or_of_another_picture(
    talking_head: np.ndarray, talking_head_track: FaceTrack, picture: DrivenPicture
) -> None:
    shapes = shipped_shapes()
    opening = np.array([lip_gap(shape) for shape in shapes.basis])
    motion = replace(Motion.none(), shape=1.5 * opening / (opening @ opening))
    _, target = picture._moved(motion)
    x, y = target[[13, 14], :2].mean(0).round().astype(int)
    lips = talking_head[0][tuple(talking_head_track.points[0][17, 1::-1].astype(int))].mean()
    assert picture.draw(motion)[y, x].mean() < 0.8 * lips


def test_eyes_shut_when_the_driver_shuts_them(picture: DrivenPicture, talking_head: np.ndarray) -> None:
    shown = picture.draw(replace(Motion.none(), openness=np.zeros(2)))
    changed = (shown != talking_head[0]).any(2)
    rows, columns = np.nonzero(changed)
    face = transform(np.linalg.inv(picture._pose), np.column_stack([columns, rows, np.zeros(len(rows))]))
    assert changed.any() and np.abs(face[:, 1]).max() < 7  # around the eyes alone


def test_a_close_up_without_a_background_is_moved_as_a_whole(
    talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    points = talking_head_track.points[0]
    (x0, y0), (x1, y1) = points[:, :2].min(0).astype(int) + 8, points[:, :2].max(0).astype(int) - 8
    close_up = np.ascontiguousarray(talking_head[0][y0:y1, x0:x1])
    picture = DrivenPicture(make_reference([close_up], (points - (x0, y0, 0))[None]))
    assert np.array_equal(picture.draw(Motion.none()), close_up)
    assert picture.draw(replace(Motion.none(), turn=np.array([0.0, 0.2, 0.0]))).shape == close_up.shape


def test_a_picture_turns_no_further_than_it_can_show(picture: DrivenPicture) -> None:
    far, farther = (picture.draw(replace(Motion.none(), turn=np.array([0.0, turn, 0.0]))) for turn in (0.5, 1.2))
    assert np.array_equal(far, farther)
