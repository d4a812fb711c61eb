"""A person's footage behind drawn headsets, and the landmarks that are learnt from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hmd_removal.models.aligned_generator import AlignedGenerator
from hmd_removal.personal import landmarks
from hmd_removal.personal.enrolment import Enrolment, enrol
from hmd_removal.personal.footage import behind_headsets
from hmd_removal.personal.landmarks import learn_landmarks
from hmd_removal.restore.personal import PersonalModel, read_personal, write_personal
from hmd_removal.tracking.track import FrameStatus


@pytest.fixture(scope="module")
def enrolment(carphone: Path) -> Enrolment:
    return enrol([carphone])


def test_samples_are_the_same_for_a_seed_and_hide_the_eyes(enrolment: Enrolment) -> None:
    first, again = (list(behind_headsets(enrolment.pieces, 3, seed=5)) for _ in range(2))
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.seen, two.seen) and one.seen.shape == (3, 128, 128, 3)
        assert 0.02 < one.hole.mean() < 0.8
    assert not np.array_equal(first[0].seen, first[1].seen)


def test_only_frames_in_which_the_face_was_found_are_shown(enrolment: Enrolment) -> None:
    piece = enrolment.pieces[0]
    status = np.full_like(piece.track.status, FrameStatus.MISSING)
    lost = replace(piece, track=replace(piece.track, status=status))
    assert not list(behind_headsets([lost], 2, seed=0))


def test_true_points_lie_where_the_landmarker_is_to_place_them(enrolment: Enrolment) -> None:
    (drawn,) = behind_headsets(enrolment.pieces, 1, seed=2)
    points = landmarks._in_crops(drawn)
    assert points.shape == (3, 478, 3)
    assert ((points[..., :2] > -0.1) & (points[..., :2] < 1.1)).all()
    eyes, chin = points[:, [33, 263], 1].mean(1), points[:, 152, 1]
    assert (eyes < chin).all() and (np.abs(points[:, 33:34, 0] - points[:, 263:264, 0]) > 0.1).all()


@pytest.mark.slow
def test_a_persons_own_landmarks_are_nearer_and_come_back_from_the_file(
    tmp_path: Path, enrolment: Enrolment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "LEARNT_FROM", 60)
    monkeypatch.setattr(landmarks, "MEASURED_ON", 8)
    told: list[tuple[int, int]] = []
    found = learn_landmarks(enrolment.pieces, "cpu", progress=lambda *of: told.append(of))
    assert found.own < 0.95 * found.everybodys < 10
    assert told[-1] == (68 + landmarks.LEARNING,) * 2 and found.sheet.ndim == 3
    again = learn_landmarks(enrolment.pieces, "cpu")
    assert again.own == pytest.approx(found.own, rel=1e-3), "the same footage, the same landmarks"
    reference = replace(enrolment.reference, landmarker=found.net)
    write_personal(tmp_path / "me.safetensors", PersonalModel(AlignedGenerator(), reference, None, {}))
    kept = read_personal(tmp_path / "me.safetensors").reference.landmarker
    for one, two in zip(kept.shaping().state_dict().values(), found.net.shaping().state_dict().values(), strict=True):
        assert np.allclose(one, two, rtol=2e-3, atol=1e-4)  # half precision
