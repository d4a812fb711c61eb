"""What a face does, as a few numbers counted from its neutral look."""

from dataclasses import replace

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.errors import InputError
from hmd_removal.telepresence.animate_motion import Motion, Neutral, learnt_shapes, shipped_shapes
from hmd_removal.tracking.geometry import canonical_points
from hmd_removal.tracking.track import FrameStatus, TrackedFace


def test_a_driver_who_looks_neutral_does_nothing() -> None:
    face = posed_face(yaw=10, pitch=-5)
    motion = Neutral.of([face]).motion(face)
    assert np.abs(motion.turn).max() < 1e-6 and np.abs(motion.shape).max() < 1e-3
    assert motion.growth == pytest.approx(0, abs=1e-6) and motion.openness == pytest.approx(np.ones(2))


def test_a_turn_is_counted_in_the_heads_own_coordinates() -> None:
    """So that a nod stays a nod for a camera that looks from the side."""
    from_the_side = Neutral.of([posed_face(yaw=30)])
    straight = Neutral.of([posed_face()])
    turn = straight.motion(posed_face(pitch=12)).turn
    assert np.degrees(np.abs(turn)) == pytest.approx([12, 0, 0], abs=0.2)
    nod = posed_face(yaw=30)
    head = nod.pose[:3, :3] / 10 @ np.array([[1, 0, 0], [0, 0.9781, -0.2079], [0, 0.2079, 0.9781]])
    points = np.zeros((478, 3), np.float32)
    points[:468] = 10 * canonical_points() @ head.T + (200, 150, 0)
    turn = from_the_side.motion(replace(nod, points=points)).turn
    assert np.degrees(np.abs(turn)) == pytest.approx([12, 0, 0], abs=0.3)


def test_a_step_aside_and_nearer_is_counted_in_centimetres_of_the_neutral_head() -> None:
    face = posed_face()
    moved = replace(face, points=((face.points - (200, 150, 0)) * 1.1 + (230, 140, 0)).astype(np.float32))
    motion = Neutral.of([face]).motion(moved)
    assert motion.place == pytest.approx([3, -1], abs=0.01) and motion.growth == pytest.approx(np.log(1.1), abs=1e-3)


def test_a_shape_is_found_again_by_the_points_in_sight_below_a_headset() -> None:
    shapes = shipped_shapes()
    wanted = np.zeros(len(shapes))
    wanted[:3] = 0.6, -0.4, 0.3
    sure = np.where(canonical_points()[:, 1] > 1, 1.0, 0.05)
    found = shapes.fitted(shapes.motion(wanted), sure)
    off = np.abs(shapes.motion(found - wanted))[sure == 1]
    assert off.max() < 0.05


def test_shapes_explain_the_movements_that_they_were_learnt_from() -> None:
    random = np.random.default_rng(0)
    few = random.normal(size=(3, 468, 3)) * 0.2
    moved = np.tensordot(random.normal(size=(60, 3)), few, 1)
    shapes = learnt_shapes(moved, 6)  # each as it is and in the mirror
    rest = moved - np.stack([shapes.motion(shapes.fitted(one, np.ones(468))) for one in moved])
    assert np.sqrt((rest**2).mean()) < 0.05 * np.sqrt((moved**2).mean())
    assert np.linalg.norm(shapes.basis, axis=2).max(1) == pytest.approx(np.ones(6))


def test_tracking_data_move_the_eyes_that_a_headset_hides() -> None:
    face = replace(posed_face(), deviation=np.full(478, 2.0, np.float32))
    neutral, data = Neutral.of([face]), EyeTracking.unknown(np.zeros(1))
    data.openness[0], data.gaze[0] = (0.2, 0.3), ((0.1, 0.0), (0.3, 0.1))
    without, driven = neutral.motion(face), neutral.motion(face, data)
    assert without.openness == pytest.approx(np.ones(2)) and without.gaze == pytest.approx(np.zeros(2))
    assert driven.openness == pytest.approx([0.2, 0.3]) and driven.gaze == pytest.approx([0.2, 0.05])


def test_a_neutral_look_needs_somebody() -> None:
    with pytest.raises(InputError, match="first second"):
        Neutral.of([TrackedFace.missing()])
    assert TrackedFace.missing().status == FrameStatus.MISSING


def test_the_neutral_motion_moves_no_point() -> None:
    assert not shipped_shapes().motion(Motion.none().shape).any()
