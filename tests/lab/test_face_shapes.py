"""What filmed people's points do beside head and eyes."""

import numpy as np
import pytest
from faces_of import turned

from hmd_removal.lab.driving.face_shapes import described, movements
from hmd_removal.lab.driving.linear_face import Seen
from hmd_removal.telepresence.animate_motion import learnt_shapes, shipped_shapes


def seen(person: list[str], yaw: list[float], shape: np.ndarray) -> Seen:
    """Frames of people whose face does so much of the first shipped shape."""
    faces = np.stack([turned(yaw=angle) for angle in yaw])
    faces[:, :468] += 10 * shape[:, None, None] * shipped_shapes().basis[0]
    return Seen(faces.astype(np.float32), {}, np.array(person))


def test_movements_are_counted_from_each_persons_usual_look_without_the_heads_turn() -> None:
    shape = np.array([0.0, 0.0, 0.4, 0.5, 0.5, 0.9])
    moved = movements(seen(list("aaabbb"), [0.0, 10.0, 0.0, 0.0, 0.0, 0.0], shape))
    farthest = np.linalg.norm(moved, axis=2).max(1)
    assert farthest[[0, 1, 3, 4]] == pytest.approx(np.zeros(4), abs=0.05)
    assert farthest[[2, 5]] == pytest.approx([0.4, 0.4], abs=0.1)


def test_frames_in_which_the_head_is_turned_far_are_left_out() -> None:
    assert len(movements(seen(list("aaa"), [0.0, 40.0, 0.0], np.zeros(3)))) == 2


def test_shapes_describe_what_is_a_sum_of_them() -> None:
    random = np.random.default_rng(0)
    moved = np.tensordot(random.normal(size=(30, 2)), random.normal(size=(2, 468, 3)) * 0.2, 1)
    shapes = learnt_shapes(moved, 4)
    assert np.abs(described(shapes, moved) - moved).mean() < 0.1 * np.abs(moved).mean()
