"""What is remembered of places that are covered now."""

from __future__ import annotations

import numpy as np
import pytest

from hmd_removal.restore.engine import Deoccluder
from hmd_removal.restore.grid import GRID
from hmd_removal.restore.memory import FrameMemory
from hmd_removal.restore.warp import WarpFiller
from hmd_removal.tracking.geometry import canonical_points, head_pose
from hmd_removal.tracking.reference import Reference, make_reference
from hmd_removal.tracking.track import FaceTrack, FrameStatus, TrackedFace

WHOLE = slice(0, 100), slice(0, 100)
FRAME = np.zeros((100, 100, 3), np.uint8)


def face_at(right: float = 0.0, seen: float = 1.0) -> TrackedFace:
    """A face around the middle of a frame of 100 x 100 pixels."""
    points = 50 + 2.6 * np.pad(canonical_points(), ((0, 10), (0, 0))) + (right, 0, 0)
    return TrackedFace(points.astype(np.float32), FrameStatus.FOUND, np.full(478, seen, np.float32), head_pose(points))


def hole_at(columns: slice) -> np.ndarray:
    mask = np.zeros((100, 100), np.float32)
    mask[40:60, columns] = 1
    return mask


def test_a_place_shows_what_it_showed_when_it_was_last_in_sight() -> None:
    memory = FrameMemory(None)
    for value, columns in ((10, slice(0, 40)), (20, slice(50, 100)), (30, slice(60, 100))):
        memory.push(np.full((100, 100, 3), value, np.uint8), hole_at(columns), face_at())
    picture, when = memory.recall(WHOLE, FRAME)
    assert (when > 0).all() and not memory.moved(when, face_at()).any()
    row = picture[50, :, 0]
    # A quarter of the side of a square as large as the hole, 7 pixels, around it what is seen is not remembered anew:
    # so much, and up to as much again, as that is measured in cells.
    assert (row[:46] == 30).all() and (row[53:] == 10).all()
    assert (picture[:26] == 30).all() and (picture[33, 53:] == 10).all()


def test_what_was_never_in_sight_is_not_known_nor_what_lies_close_to_the_device() -> None:
    memory = FrameMemory(None)
    memory.push(np.full((100, 100, 3), 9, np.uint8), hole_at(slice(30, 70)), face_at())
    known = memory.recall(WHOLE, FRAME)[1] > 0
    assert not known[40:60, 30:70].any() and not known[33, 50] and not known[50, 76]
    assert known[25].all() and known[:, 84].all()


def test_a_part_of_the_frame_is_recalled_as_in_the_whole() -> None:
    memory, rng = FrameMemory(None), np.random.default_rng(0)
    for columns in (slice(0, 0), slice(20, 50), slice(30, 60)):
        memory.push(rng.integers(0, 256, (100, 100, 3), np.uint8), hole_at(columns), face_at())
    part = slice(30, 55), slice(10, 47)
    whole = memory.recall(WHOLE, FRAME)
    for found, all_of_it in zip(memory.recall(part, FRAME), whole, strict=True):
        assert np.array_equal(found, all_of_it[part])


def test_how_far_the_face_has_moved_since_is_told() -> None:
    memory = FrameMemory(None)
    memory.push(FRAME, hole_at(slice(0, 0)), face_at())
    memory.push(FRAME, hole_at(slice(50, 100)), face_at(right=3))
    when = memory.recall(WHOLE, FRAME)[1]
    moved = memory.moved(when, face_at(right=4))
    assert moved[50, 60] == pytest.approx(4, abs=1e-2)  # remembered from the first frame
    assert moved[50, 20] == pytest.approx(1, abs=1e-2)  # and from the second
    assert np.isinf(memory.moved(when, face_at(seen=0.0))).all()  # nobody can tell


def test_faces_of_which_nothing_is_remembered_are_dropped() -> None:
    memory = FrameMemory(None)
    for t in range(300):
        memory.push(FRAME, hole_at(slice(50, 70) if t else slice(0, 0)), face_at(right=t / 100))
    assert len(memory._faces) <= 65
    when = memory.recall(WHOLE, FRAME)[1]
    assert memory.moved(when, face_at(right=3))[50, 60] == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_reference_of_the_frames_size_is_remembered_from_the_start_and_another_is_not(kind: type) -> None:
    points = np.random.default_rng(0).uniform(20, 80, (1, 478, 3)).astype(np.float32)
    frame = np.zeros((100, 100, 3), kind)
    for side, remembered in ((100, True), (90, False)):
        picture = np.full((side, side, 3), 102, np.uint8)
        shown, when = FrameMemory(make_reference([picture], points)).recall(WHOLE, frame)
        assert (when > 0).all() == remembered and (when > 0).any() == remembered
        if remembered:
            assert shown.dtype == kind and shown == pytest.approx(102 if kind == np.uint8 else 0.4)


class AskingWarp(WarpFiller):
    needs_memory = True


def test_the_engine_remembers_earlier_frames_but_not_the_one_that_it_fills(
    talking_head: np.ndarray, talking_head_track: FaceTrack, wearer: tuple[np.ndarray, np.ndarray]
) -> None:
    """A small photo as reference, of which nothing is remembered; the headset is put on in the second frame."""
    frames, masks = (a.copy() for a in wearer)
    frames[0], masks[0] = talking_head[0], 0
    small = talking_head[0][:-1]
    engine = Deoccluder(AskingWarp(), make_reference([small], talking_head_track.points[:1]))
    faces = [talking_head_track[t].covered_by(masks[t]) for t in range(2)]
    window, filled = engine.scene(0).window(list(zip(frames[:2], masks[:2], faces, strict=True)))
    assert filled == [1] and window.remembered.known.min() > 0.999
    before = window.sources[0].on_grid(talking_head[0], GRID)
    assert (window.remembered.pictures[0] - before).abs().max() <= 2 / 255


def test_a_filler_that_does_not_ask_is_told_nothing(
    talking_head: np.ndarray, talking_head_track: FaceTrack, wearer: tuple[np.ndarray, np.ndarray]
) -> None:
    frames, masks = wearer
    reference: Reference = make_reference([talking_head[0]], talking_head_track.points[:1])
    face = talking_head_track[0].covered_by(masks[0])
    window, _ = Deoccluder(WarpFiller(), reference).scene(0).window([(frames[0], masks[0], face)])
    assert window.remembered is None
