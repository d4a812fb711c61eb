"""What is remembered of places that are covered now."""

from __future__ import annotations

import numpy as np
import pytest

from hmd_removal.restore.engine import Deoccluder, window_of
from hmd_removal.restore.memory import FrameMemory
from hmd_removal.restore.warp import WarpFiller
from hmd_removal.tracking.crop import Crop
from hmd_removal.tracking.geometry import canonical_points, head_pose
from hmd_removal.tracking.reference import Reference, make_reference
from hmd_removal.tracking.track import FaceTrack, FrameStatus, TrackedFace

WHOLE = Crop(50, 50, 100), 100


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
    found = memory.take(*WHOLE, np.zeros((100, 100, 3), np.uint8), face_at())
    picture = found.picture
    assert found.known.all() and not found.moved.any()
    row = picture[50, :, 0]
    # A quarter of the side of a square as large as the hole, 7 pixels, around it what is seen is not remembered anew.
    assert (row[:53] == 30).all() and (row[53:] == 10).all()
    assert (picture[:33] == 30).all() and (picture[33, 53:] == 10).all()


def test_what_was_never_in_sight_is_not_known_nor_what_lies_close_to_the_device() -> None:
    memory = FrameMemory(None)
    memory.push(np.full((100, 100, 3), 9, np.uint8), hole_at(slice(30, 70)), face_at())
    known = memory.take(*WHOLE, np.zeros((100, 100, 3), np.uint8), face_at()).known
    assert not known[40:60, 30:70].any() and not known[33, 50] and not known[50, 76]
    assert known[32].all() and known[:, 77].all()


def test_how_far_the_face_has_moved_since_is_told_where_it_is() -> None:
    memory, frame = FrameMemory(None), np.zeros((100, 100, 3), np.uint8)
    memory.push(frame, hole_at(slice(0, 0)), face_at())
    memory.push(frame, hole_at(slice(50, 100)), face_at(right=3))
    moved = memory.take(*WHOLE, frame, face_at(right=4)).moved
    assert moved[50, 60] == pytest.approx(0.04, abs=1e-4)  # remembered from the first frame
    assert moved[50, 40] == pytest.approx(0.01, abs=1e-4)  # and from the second
    assert not moved[:, [0, 99]].any()
    assert memory.take(*WHOLE, frame, face_at(seen=0.0)).moved[50, 50] == pytest.approx(1)  # nobody can tell


def test_faces_of_which_nothing_is_remembered_are_dropped() -> None:
    memory, frame = FrameMemory(None), np.zeros((100, 100, 3), np.uint8)
    for t in range(300):
        memory.push(frame, hole_at(slice(50, 70) if t else slice(0, 0)), face_at(right=t / 100))
    assert len(memory._faces) <= 65
    assert memory.take(*WHOLE, frame, face_at(right=3)).moved[50, 60] == pytest.approx(0.03, abs=1e-3)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_reference_of_the_frames_size_is_remembered_from_the_start_and_another_is_not(kind: type) -> None:
    points = np.random.default_rng(0).uniform(20, 80, (1, 478, 3)).astype(np.float32)
    frame = np.zeros((100, 100, 3), kind)
    for side, remembered in ((100, True), (90, False)):
        picture = np.full((side, side, 3), 102, np.uint8)
        found = FrameMemory(make_reference([picture], points)).take(*WHOLE, frame, face_at())
        shown, known = found.picture, found.known
        assert known.all() == remembered and known.any() == remembered
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
    engine = Deoccluder(AskingWarp(64), make_reference([small], talking_head_track.points[:1]))
    prepared = engine.prepare(
        list(frames[:2]), list(masks[:2]), [talking_head_track[t].covered_by(masks[t]) for t in range(2)]
    )
    assert prepared[0].crop is None
    window = window_of(prepared[1:])
    assert window.in_memory.all()
    before = prepared[1].crop.take(talking_head[0], 64)
    assert np.abs(255 * window.remembered[0].permute(1, 2, 0).numpy() - before).max() <= 1


def test_a_filler_that_does_not_ask_is_told_nothing(
    talking_head: np.ndarray, talking_head_track: FaceTrack, wearer: tuple[np.ndarray, np.ndarray]
) -> None:
    frames, masks = wearer
    reference: Reference = make_reference([talking_head[0]], talking_head_track.points[:1])
    (prepared,) = Deoccluder(WarpFiller(64), reference).prepare(
        [frames[0]], [masks[0]], [talking_head_track[0].covered_by(masks[0])]
    )
    assert window_of([prepared]).remembered is None
