"""A person's footage as samples, and the network for everybody made theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hmd_removal.personal import fine_tuning
from hmd_removal.personal.enrolment import Enrolment, enrol, pictures_of
from hmd_removal.personal.fine_tuning import RECIPE, fine_tune
from hmd_removal.personal.footage import APART, FootageMaker
from hmd_removal.personal.person import start_generator
from hmd_removal.personal.reached import Reached
from hmd_removal.tracking.track import FrameStatus


@pytest.fixture(scope="module")
def enrolment(carphone: Path) -> Enrolment:
    return enrol([carphone])


def test_a_sample_is_given_a_picture_from_elsewhere(enrolment: Enrolment) -> None:
    pieces = enrolment.pieces
    chosen = pictures_of(pieces[:2])
    assert len(chosen) > 4 and {k for k, _ in chosen} == {0, 1}
    maker = FootageMaker(pieces, [0], chosen)
    assert maker.images.shape[0] == maker.points.shape[0] == len(chosen)
    middle = np.abs(maker.points[..., :2].mean(1) / maker.images.shape[1] - 0.5)
    assert middle.max() < 0.1, "the head is in the middle of each picture"
    for seed in range(6):
        drawn = maker.draw(np.random.default_rng(seed))
        again = maker.draw(np.random.default_rng(seed))
        assert drawn.reference == again.reference and np.array_equal(drawn.covered, again.covered)
        _, shown = maker._runs[int(np.random.default_rng(seed).integers(len(maker._runs)))]  # what it draws first
        k, t = chosen[drawn.reference]
        assert k != 0 or abs(shown - t) >= APART


def test_only_frames_in_which_the_face_was_found_are_shown(enrolment: Enrolment) -> None:
    piece = enrolment.pieces[0]
    status = piece.track.status.copy()
    status[5:] = FrameStatus.MISSING
    cut = replace(piece, track=replace(piece.track, status=status))
    maker = FootageMaker((cut, *enrolment.pieces[1:]), [0], pictures_of(enrolment.pieces[1:]))
    assert len(maker._runs) == 3


def run(enrolment: Enrolment, work: Path, steps: int, **how) -> tuple[list[Reached], list[dict[str, str]]]:
    """What is reached, and what is said of the networks that are kept."""
    kept: list[dict[str, str]] = []
    recipe = replace(RECIPE, steps=steps, batch=1)
    found = fine_tune(
        enrolment,
        work,
        recipe,
        "cpu",
        start_generator(None),
        workers=0,
        keep=lambda net, about: kept.append(about),
        **how,
    )
    return list(found), kept


@pytest.mark.slow
def test_a_training_goes_on_where_it_stopped_and_keeps_the_best(
    tmp_path: Path, enrolment: Enrolment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_tuning, "CHECKED", 1)
    monkeypatch.setattr(fine_tuning, "TOGETHER", 1)
    reached, kept = run(enrolment, tmp_path, 2)
    assert [r.done for r in reached] == [0, 0.5, 1] and reached[0].kept
    assert reached[-1].best["loss"] == min(r.scores["loss"] for r in reached)
    assert len(kept) == sum(r.kept for r in reached) and kept[0]["step"] == "0"
    assert {"hole_psnr", "warp_hole_psnr", "lpips_net"} <= reached[0].scores.keys()
    again, _ = run(enrolment, tmp_path, 2)
    assert [r.done for r in again] == [1] and not again[0].kept
    assert again[0].best == reached[-1].best
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@pytest.mark.slow
def test_it_ends_by_the_clock(tmp_path: Path, enrolment: Enrolment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tuning, "CHECKED", 1)
    monkeypatch.setattr(fine_tuning, "TOGETHER", 1)
    ticks: list[float] = []
    reached, _ = run(enrolment, tmp_path, 10**6, minutes=1e-6, tick=ticks.append)
    assert [r.done for r in reached][-1] == 1 and len(ticks) <= 1
