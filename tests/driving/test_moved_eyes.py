"""A picture's eyes moved: where each place of the moved picture is looked up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.moved_eyes import UNSURE, Layers, MovedEye, agreed, area, layers, moved_eyes, own, white_cells
from hmd_removal.driving.upper_face import Eye, EyesInPicture, lid, shipped

PIXEL = 0.01
EYE = Eye(
    matrix=np.array([[1.0, 0, 0], [0, 1.0, 0]]),  # places are the eye's own coordinates
    space=np.array([[0.35, 0, 0], [0, 0.35, 0]]),
    upper=np.array([-0.2, 0, 0, 0]),
    lower=np.array([0.12, 0, 0, 0]),
    iris=np.array([0.0, -0.05]),
    radius=0.2,
    brow=np.array([0.6, 0.0]),
)
PICTURE = EyesInPicture((EYE, EYE), np.ones(2), np.zeros(2))
STILL = MovedEye(EYE, 1.0, np.zeros(2), 0.0, 0.8)


def places() -> np.ndarray:
    """(90, 130, 2) from -0.65 to 0.65 across, and from -0.55 to 0.35 down."""
    y, x = np.mgrid[-0.55:0.35:0.01, -0.65:0.65:0.01]
    return np.stack([x, y], -1).astype(np.float32)


def at(found: np.ndarray, x: float, y: float) -> list[float]:
    return found[round((y + 0.55) * 100), round((x + 0.65) * 100)].tolist()


def looked_up(moved: MovedEye) -> Layers:
    return layers(moved, places(), PIXEL)


def wanted(openness: float = np.nan, yaw: float = np.nan, pitch: float = np.nan) -> MovedEye:
    tracking = EyeTracking.unknown(np.zeros(1))
    tracking.openness[:], tracking.gaze[:] = openness, (yaw, pitch)
    return moved_eyes(PICTURE, tracking, 0, shipped())[0]


def test_what_is_not_known_stays_as_it_is():
    for moved in (STILL, wanted(), wanted(openness=1.0), wanted(yaw=0.0, pitch=0.0)):
        found = looked_up(moved)
        skin = found.upper + found.under[..., None] * (found.lower - found.upper)
        shown = np.where(found.open[..., None] > 0.5, found.ball, skin)
        assert np.allclose(shown, places(), atol=1e-4)
        assert (found.seen[found.open > 0.5] == 1).all() and (found.light == 1).all()


def test_a_shut_lid_covers_the_whole_eye_with_skin_from_above_it():
    found = looked_up(wanted(openness=0.0))
    assert found.open.max() < 1e-4
    _, above_lid = at(found.upper, 0, 0)  # where the iris was
    assert above_lid < lid(EYE.upper, np.array(0.0))
    assert at(found.upper, 0, -0.54) == pytest.approx([0, -0.54], abs=0.01)  # hardly anything moves at the brow
    cheek = np.array([[0.0, 0.56]], np.float32)
    assert np.allclose(layers(wanted(openness=0.0), cheek, PIXEL).lower, cheek, atol=1e-3)
    down = np.diff(found.upper[:, 65, 1])
    assert (down >= 0).all()  # skin is stretched, nowhere folded over


def test_lashes_move_with_their_lid_as_they_are():
    found = looked_up(wanted(openness=0.5))
    edge = -0.2 + shipped().upper_share * 0.5 * 0.32
    for above in (0.01, 0.05, 0.09):
        assert at(found.upper, 0, round(edge - above, 2))[1] == pytest.approx(-0.2 - above, abs=0.012)


def test_a_half_open_eye_shows_the_eyeball_not_squeezed():
    found = looked_up(wanted(openness=0.5))
    assert at(found.open, 0, 0) == 1.0 and at(found.open, 0, -0.15) == 0.0
    assert at(found.ball, 0, 0) == pytest.approx([0, 0], abs=1e-4)
    assert at(found.light, 0, -0.05) < 0.95  # the lid's shadow comes down with it


def test_an_iris_moves_as_a_whole_and_the_corners_stay():
    moved = replace(STILL, step=np.array([0.1, 0.0]))
    found = looked_up(moved)
    for x, y in ((0.1, 0.0), (0.0, 0.0), (0.2, 0.02)):  # the iris now
        assert at(found.ball, x, y) == pytest.approx([x - 0.1, y], abs=1e-3)
    for x in (-0.47, 0.47):
        assert at(found.ball, x, 0)[0] == pytest.approx(x, abs=0.03)
    assert (np.diff(found.ball[55, :, 0]) > 0).all()  # the white is stretched, nothing is shown twice


@pytest.mark.parametrize("step", [(0.0, -0.12), (0.0, 0.12), (0.2, 0.1), (-0.2, -0.1)])
def test_no_lid_or_lash_is_dragged_into_the_opening(step):
    found = looked_up(replace(STILL, opening=1.3, step=np.array(step)))
    x, y = found.ball[found.open > 0.5].T
    assert (y > lid(EYE.upper, x)).all() and (y < lid(EYE.lower, x)).all()


def test_what_was_hidden_of_the_white_is_spread_from_elsewhere():
    found = looked_up(replace(STILL, step=np.array([0.0, -0.12])))  # looking up shows what the lower lid hid
    assert at(found.seen, 0, 0.08) < 0.1 and at(found.seen, 0, -0.1) == 1.0
    cells, sure = white_cells(EYE, 32)
    x, y = np.moveaxis(own(EYE, cells)[0], -1, 0)
    away = np.hypot(x - EYE.iris[0], y - EYE.iris[1])
    assert 10 < int((sure == 1).sum()) < 300 and (away[sure[0, 0] == 1] > EYE.radius).all()


def test_gaze_turns_an_eyeball_by_its_radius():
    assert wanted(yaw=0.2, pitch=0.0).step == pytest.approx([-0.35 * 1.2 * np.sin(0.2), 0], abs=1e-3)
    assert wanted(yaw=1.5, pitch=0.0).step[0] == pytest.approx(-0.25)  # and no farther than it can
    down = wanted(pitch=0.2)
    assert down.step[1] > 0 and down.follow > 0  # lids follow
    assert wanted(openness=0.1, pitch=0.3).step[1] < 0.05  # what is behind lids needs no place


def test_an_eye_is_another_once_it_is_wanted_otherwise():
    assert wanted().changed == 0 and wanted(openness=1.02).changed == pytest.approx(0.1)
    assert wanted(openness=0.3).changed == wanted(yaw=0.3, pitch=0.0).changed == 1


def test_only_what_is_around_the_eye_moves():
    around = area(EYE, places())
    assert at(around, 0, 0) == 1.0 and around[:, 0].max() == 0 and around[:, -1].max() < 0.11
    assert at(around, 0, -0.3) == 1.0 and area(EYE, np.array([[0.0, -0.7]], np.float32)).item() == 0


@pytest.mark.parametrize(("usual", "moved_by"), [(0.02, 0.02), (-0.4, -UNSURE), (np.nan, 0.0)])
def test_data_that_look_nearly_as_the_pictures_do_look_as_they_do(usual, moved_by):
    tracking = EyeTracking.unknown(np.arange(5.0))
    tracking.gaze[..., 0] = usual + np.array([0, 0, 0, 0.2, -0.3])[:, None]
    found = agreed(tracking, [PICTURE], tracking.usual_yaw).gaze
    assert found[..., 0] == pytest.approx(tracking.gaze[..., 0] - moved_by, nan_ok=True)
