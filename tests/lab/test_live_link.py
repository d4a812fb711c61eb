"""A clip's own face shapes as a file of Live Link Face, read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmd_removal.driving.blendshapes import MEDIAPIPE_ASKEW
from hmd_removal.driving.readers import read_tracking
from hmd_removal.driving.timing import at_frames
from hmd_removal.lab.driving.blendshapes import BlendshapeLandmarker
from hmd_removal.lab.driving.live_link import COUNT, NOON, Disturbance, write_live_link_face

TIMES = np.arange(100) / 25
SHAPES = {
    "eyeBlinkLeft": 0.1 + 0.6 * (np.abs(TIMES - 2) < 0.1),
    "eyeBlinkRight": np.full(100, 0.2),
    "eyeLookOutLeft": np.linspace(0, 0.5, 100),
    "jawOpen": np.where(np.arange(100) == 50, np.nan, 0.4),
    "jawLeft": np.full(100, 0.3),
}


def written(tmp_path: Path, **disturbance: float) -> Path:
    write_live_link_face(tmp_path / "take.csv", TIMES, SHAPES, Disturbance(**disturbance))
    return tmp_path / "take.csv"


def test_it_has_the_63_columns_and_60_rows_a_second(tmp_path):
    lines = written(tmp_path).read_text().splitlines()
    assert {line.count(",") for line in lines} == {62} and COUNT == 61
    assert len(lines) - 1 == pytest.approx(60 * TIMES[-1], abs=1)
    assert lines[1].startswith("12:00:00:00.000,61,0.1")


def test_what_is_read_is_what_was_seen(tmp_path):
    recording = read_tracking(written(tmp_path))
    frames = at_frames(recording.tracking, TIMES[:-1])
    assert recording.timecode == pytest.approx(NOON)
    assert frames.openness[:, 1].min() == pytest.approx(0.3) and frames.openness[:, 0] == pytest.approx(0.8)
    turned = MEDIAPIPE_ASKEW - 0.6 * SHAPES["eyeLookOutLeft"][[20, 80]]
    assert frames.gaze[[20, 80], 1, 0] == pytest.approx(turned, abs=0.002)
    assert frames.jaw[:, 0] == pytest.approx(0.4) and frames.jaw[:, 1] == pytest.approx(-0.3)


def test_a_late_file_begins_later_by_its_timecode(tmp_path):
    assert read_tracking(written(tmp_path, late=0.5)).timecode == pytest.approx(NOON + 0.5)


def test_disturbances_do_what_they_say(tmp_path):
    true = read_tracking(written(tmp_path)).tracking
    dropped = read_tracking(written(tmp_path, dropped=0.2)).tracking
    assert len(dropped.times) == pytest.approx(0.8 * len(true.times), rel=0.1)
    turned = read_tracking(written(tmp_path, inwards=0.07)).tracking
    assert np.median(turned.gaze - true.gaze, axis=0)[:, 0] == pytest.approx((-0.07, 0.07))
    assert 1 - read_tracking(written(tmp_path, blinks=0.9)).tracking.openness == pytest.approx(
        0.9 * (1 - true.openness)
    )
    mirrored = read_tracking(written(tmp_path, mirrored=True)).tracking.mirrored()
    for field in ("openness", "gaze", "jaw"):
        assert getattr(mirrored, field) == pytest.approx(getattr(true, field)), field


def test_mediapipe_sees_the_shapes_of_a_face(talking_head):
    landmarker = BlendshapeLandmarker()
    shapes = landmarker.of_clip([np.zeros_like(talking_head[0]), *talking_head[:3]])
    landmarker.close()
    assert len(shapes) == 52 and np.isnan(shapes["jawOpen"]).tolist() == [True, False, False, False]
    assert 0 <= shapes["eyeBlinkLeft"][1] < 0.6
