"""The measurements of covered-face landmarks and of tracking."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hmd_removal.errors import InputError
from hmd_removal.files import write_json, write_png
from hmd_removal.lab.data.face_store import FaceStore, cut
from hmd_removal.lab.data.repose import rotation
from hmd_removal.lab.tracking.landmarks import (
    SCORES,
    angle_between,
    evaluate_landmarks,
    eye_distance_of,
    over_all_yaws,
    spread_over_people,
    table,
)
from hmd_removal.lab.tracking.landmarks_sheet import SIDE, LandmarkSheet
from hmd_removal.lab.tracking.tracking import evaluate_tracking
from hmd_removal.models import covered_landmarks
from hmd_removal.tracking.track import FaceTrack
from hmd_removal.tracking.uncovered import UncoveredLandmarker


@pytest.fixture(scope="module")
def store(talking_head: np.ndarray, talking_head_track: FaceTrack) -> FaceStore:
    cuts = [cut(talking_head[t], talking_head_track.points[t]) for t in (0, 16, 32)]
    images, points, inside = (np.stack(parts) for parts in zip(*cuts, strict=True))
    return FaceStore.of_photographs(images, points, inside, np.zeros(3, int), np.zeros((0, 128, 128, 3), np.uint8))


def posed(yaw: float, pitch: float, scale: float = 7.0) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation(yaw, pitch, 0)
    return matrix


def test_the_angle_between_two_poses_is_that_of_the_rotation_whatever_their_scales() -> None:
    assert angle_between(posed(10, 0), posed(35, 0, scale=3)) == pytest.approx(25)
    assert angle_between(posed(0, 12), posed(0, 12)) == pytest.approx(0, abs=1e-5)


def test_the_unit_of_length_does_not_shrink_as_the_head_turns() -> None:
    assert eye_distance_of(posed(0, 0)) == pytest.approx(eye_distance_of(posed(60, 20)))
    assert 8 < eye_distance_of(posed(0, 0, scale=1.0)) < 10  # centimetres between the outer corners


def test_faces_are_taken_from_as_many_people_as_can_be() -> None:
    person = np.array([5, 5, 5, 2, 2, 9])
    assert list(spread_over_people(person, 2)) == [3, 5]  # people 2 and 9, the first and the last
    assert list(spread_over_people(person, 3)) == [3, 0, 5]
    assert list(spread_over_people(person, 5)) == [3, 0, 5, 4, 1]
    assert sorted(spread_over_people(person, 0)) == [0, 1, 2, 3, 4, 5]


def test_bins_are_joined_by_the_faces_that_were_found_in_them() -> None:
    nothing = dict.fromkeys(SCORES)
    rows = [
        {"preset": "quest", "method": "covered", "yaw": "0-15", "faces": 10, **nothing, "found": 1.0, "pose": 2.0},
        {"preset": "quest", "method": "covered", "yaw": "15-30", "faces": 10, **nothing, "found": 0.5, "pose": 5.0},
    ]
    (together,) = over_all_yaws(rows)
    assert (together["yaw"], together["faces"], together["found"]) == ("all", 20, 0.75)
    assert together["pose"] == pytest.approx(3.0)  # 10 faces of 2 degrees, 5 of 5
    assert together["mask_iou"] is None


def test_every_method_is_scored_in_every_bin_and_ours_finds_what_mediapipe_does_not(store: FaceStore) -> None:
    sheet = LandmarkSheet()
    with closing(UncoveredLandmarker()) as mediapipe:
        rows = evaluate_landmarks(store, covered_landmarks.load(), mediapipe, ["psvr"], limit=2, looked_at=sheet.add)
    assert [row["yaw"] for row in rows[::4]] == ["0-15", "15-30", "30-45", "45-60"]
    ours, theirs = ([r for r in rows if r["method"] == method] for method in ("covered", "mediapipe"))
    assert np.mean([r["found"] for r in ours]) == 1
    assert np.mean([r["hole_nme"] for r in ours]) < 15
    for our, their in zip(ours, theirs, strict=True):
        assert their["found"] < 1 or our["hole_nme"] < their["hole_nme"]
        assert set(SCORES) <= set(our)
        assert their["inside_90"] is None
    assert sheet.picture().shape[0] % SIDE == 0
    lines = table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[2].startswith("| psvr | 0-15 | covered | 1.000 |")


def test_tracking_is_scored_before_and_after_smoothing(carphone: Path) -> None:
    rows = list(evaluate_tracking(carphone, "quest", covered_landmarks.load(), limit=30))
    ways = {row["way"]: row for row in rows}
    assert list(ways)[0] == "truth"
    assert (ways["truth"]["visible_nme"], ways["truth"]["mask_iou"]) == (0, 1)
    raw, smooth = ways["covered"], ways["covered, smoothed"]
    assert raw["found"] == smooth["found"] == 1
    assert smooth["jitter"] < raw["jitter"]
    assert abs(smooth["lag"]) < 1
    assert smooth["mask_iou"] > 0.8
    assert smooth["mask_flicker"] < raw["mask_flicker"]


def test_results_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "scores.json", {"rows": [1.5]})
    assert json.loads((tmp_path / "new" / "scores.json").read_text()) == {"rows": [1.5]}
    write_png(tmp_path / "sheet.png", np.zeros((4, 5, 3), np.uint8))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "sheet.png"]
    with pytest.raises(TypeError):
        write_json(tmp_path / "scores.json", {"rows": np.zeros(2)})
    assert not (tmp_path / "scores.json").exists()


def test_a_negative_limit_is_refused(tmp_path: Path) -> None:
    from hmd_removal.cli import main

    assert main(["lab", "evaluate-landmarks", str(tmp_path), "--work", str(tmp_path), "--limit", "-1"]) == 1


def test_a_folder_without_people_to_test_on_is_refused(tmp_path: Path) -> None:
    from hmd_removal.lab.tracking.landmarks_command import _evaluate

    arguments = type("Arguments", (), {"limit": 0, "preset": ["quest"], "data": tmp_path, "work": tmp_path})
    with pytest.raises(InputError, match="pictures or videos"):
        _evaluate(arguments)
