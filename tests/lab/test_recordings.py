"""Tracking data whose truth is known, through all that a clip's data go through."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmd_removal.lab.driving.live_link import DISTURBANCES
from hmd_removal.lab.driving.recordings import SCORES, evaluate_recordings


@pytest.mark.slow
def test_a_row_for_each_disturbance_in_all_of_which_the_eyes_follow_the_truth(carphone: Path):
    rows = evaluate_recordings(carphone, "quest", limit=60)
    assert [row["disturbance"] for row in rows] == list(DISTURBANCES)
    assert not any(row["sure"] for row in rows)  # two seconds are too few
    for row in rows:
        assert row.keys() <= {"clip", "disturbance", *SCORES}
        assert row["aperture"] > 0.85  # of both eyes together, which is the same in the mirror
        if row["disturbance"] != "mirrored":
            assert row["gaze"] < 6
