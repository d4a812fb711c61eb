"""What inpainting networks are trained on: takes, moving portraits, and how they are made from a data folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.lab.data.moving_portraits import motion_of, moving_portrait
from hmd_removal.lab.data.prepare import Preparation, prepare
from hmd_removal.personal.sample_store import MODES, SHORTEST, Take, TakeStore, make_take
from hmd_removal.tracking.geometry import eye_distance, pose_angles
from hmd_removal.tracking.reference import Reference, make_reference
from hmd_removal.tracking.track import FaceTrack, FrameStatus

SIDE = 128


@pytest.fixture(scope="module")
def reference(talking_head: np.ndarray, talking_head_track: FaceTrack) -> Reference:
    return make_reference([talking_head[0]], talking_head_track.points[:1])


def take_of(frames: np.ndarray, track: FaceTrack, reference: Reference, mode: str) -> Take | None:
    return make_take(frames, track, HeadsetArtist(preset("quest")), reference, mode=mode, side=SIDE)


@pytest.fixture(scope="module")
def takes(talking_head: np.ndarray, talking_head_track: FaceTrack, reference: Reference) -> dict[str, Take]:
    part = slice(20, 32)
    track = FaceTrack.stack([talking_head_track[t] for t in range(20, 32)], talking_head_track.size)
    return {mode: take_of(talking_head[part], track, reference, mode) for mode in ("oracle", "visible")}


@pytest.mark.parametrize("mode", ["oracle", "visible"])
def test_a_take_differs_from_the_truth_in_the_hole_alone(takes: dict[str, Take], mode: str) -> None:
    take = takes[mode]
    assert len(take) == 12 and take.truth.shape == (12, SIDE, SIDE, 3)
    hole = take.hole > 0
    away = cv2.dilate(take.hole[0], np.ones((5, 5))) == 0  # a resampled rim mixes both
    assert (take.truth[0][away] == take.covered[0][away]).all()
    assert np.abs(take.truth[hole].astype(int) - take.covered[hole]).mean() > 20
    assert 0.1 < hole.mean() < 0.4


@pytest.mark.parametrize("mode", ["oracle", "visible"])
def test_the_warp_is_near_the_truth(takes: dict[str, Take], mode: str) -> None:
    take = takes[mode]
    hole = take.hole > 0
    error, plastic = (np.abs(a[hole].astype(int) - take.truth[hole]).mean() for a in (take.warped, take.covered))
    assert error < 0.3 * plastic


def test_true_landmarks_are_exact_in_oracle_mode_and_what_is_hidden_is_unknown_in_the_other(
    takes: dict[str, Take],
) -> None:
    oracle, visible = takes["oracle"], takes["visible"]
    assert np.allclose(oracle.points, oracle.seen, atol=1e-3) and oracle.known.all()
    assert not visible.known[:, [33, 263, 168]].any() and visible.known[:, [152, 61, 291]].all()
    off = np.linalg.norm(visible.points - visible.seen, axis=2).mean() / eye_distance(visible.points).mean()
    assert 0.005 < off < 0.1


def test_a_frame_without_a_face_ends_a_take(
    talking_head: np.ndarray, talking_head_track: FaceTrack, reference: Reference
) -> None:
    track = FaceTrack.stack([talking_head_track[t] for t in range(24)], talking_head_track.size)
    track.status[9] = FrameStatus.MISSING
    take = take_of(talking_head[:24], track, reference, "oracle")
    assert len(take) == 14
    track.status[16] = FrameStatus.MISSING
    assert len(take_of(talking_head[:24], track, reference, "oracle")) == 9
    few = FaceTrack.stack([talking_head_track[t] for t in range(SHORTEST - 1)], talking_head_track.size)
    assert take_of(talking_head[: SHORTEST - 1], few, reference, "oracle") is None


def test_unknown_modes_are_refused(
    talking_head: np.ndarray, talking_head_track: FaceTrack, reference: Reference
) -> None:
    with pytest.raises(InputError, match="'guess'"):
        take_of(talking_head, talking_head_track, reference, "guess")


def test_takes_come_back_as_they_were_kept_and_unfinished_ones_do_not_count(
    tmp_path: Path, takes: dict[str, Take]
) -> None:
    store = TakeStore(tmp_path)
    store.add("b", takes["oracle"], {"person": "anna"})
    store.add("a", takes["visible"], {"person": "ben"})
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    (tmp_path / "c" / "take.json").unlink()
    assert store.names() == ["a", "b"] and "a" in store and "c" not in store
    assert store.about("b") == {"person": "anna", "frames": 12}
    assert np.array_equal(store.open("a").truth, takes["visible"].truth)
    assert [len(take) for take in store] == [12, 12]


def test_takes_of_an_earlier_version_are_told_apart(tmp_path: Path, takes: dict[str, Take]) -> None:
    store = TakeStore(tmp_path)
    store.add("old", takes["oracle"], {"person": "a"})
    (tmp_path / "old" / "warped.npy").unlink()
    with pytest.raises(InputError, match=r"lacks warped.npy: it was made by an earlier version"):
        store.open("old")


def test_a_portrait_moves_as_the_filmed_person_did(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    motion = motion_of(talking_head_track)
    assert np.allclose(motion.angles.mean(0), 0, atol=1e-6) and np.allclose(motion.shape.mean(0), 0, atol=1e-6)
    frames, track = moving_portrait(talking_head[0], talking_head_track.points[0], motion.part(10, 22), 160)
    assert frames.shape == (12, 160, 160, 3) and len(track) == 12
    turned = pose_angles(track.pose) - pose_angles(track.pose)[0]
    assert np.allclose(turned, motion.angles[10:22] - motion.angles[10], atol=2)
    head = track.points[:, 168, :2]
    assert np.ptp(head, axis=0).max() < 40 and np.abs(np.diff(frames.astype(int), axis=0)).max() > 10


@pytest.fixture
def data(tmp_path: Path, carphone: Path, talking_head: np.ndarray) -> Path:
    """Two clips of one man, one that is damaged, and a portrait."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(carphone, folder / name)
    (folder / "broken.mp4").write_bytes(carphone.read_bytes()[:2000])
    cv2.imwrite(str(folder / "p.png"), cv2.cvtColor(talking_head[30], cv2.COLOR_RGB2BGR))
    rows = ["path\tkind\tperson\tsplit", "a.mp4\tvideo\tanna\ttrain", "b.mp4\tvideo\tanna\ttrain"]
    rows += ["broken.mp4\tvideo\tben\ttrain", "p.png\timage\tcarl\ttrain"]
    (folder / "INDEX.tsv").write_text("\n".join(rows))
    return folder


@pytest.mark.slow
def test_a_data_folder_is_prepared_once(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["lab", "prepare-data", str(data), str(tmp_path / "takes"), "--size", "96", "--variants", "1"]
    assert main(command) == 0
    store = TakeStore(tmp_path / "takes")
    people = [store.about(name)["person"] for name in store.names()]
    # Of 120 frames: the first clip is its own reference, a second away; for the other one that is the first clip.
    assert people.count("anna") == 3 + 2 and people.count("carl") == 1
    assert {store.about(name)["landmarks"] for name in store.names()} == set(MODES)
    assert "broken.mp4" in (tmp_path / "takes" / "left_out.txt").read_text()
    assert store.open(store.names()[0]).truth.shape[1:] == (96, 96, 3)
    assert f"{len(people)} samples" in capsys.readouterr().out
    first = tmp_path / "takes" / store.names()[0] / "take.json"
    first.write_text(json.dumps({**store.about(store.names()[0]), "mark": "kept"}))
    assert main(command) == 0
    assert store.about(store.names()[0])["mark"] == "kept"
    together = prepare(data, tmp_path / "together", "train", Preparation(96, 1, workers=2))
    assert store.names() == together.names(), "several processes make the same"
    for name in store.names():
        one, two = store.open(name).hole, together.open(name).hole
        # Networks round differently by the number of threads, and a crop may lie a hundredth of a pixel elsewhere.
        assert one.shape == two.shape and np.mean(one == two) > 0.999


def test_a_folder_of_nothing_usable_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((90, 90, 3), 128, np.uint8))
    (tmp_path / "INDEX.tsv").write_text("path\tkind\tperson\tsplit\nwall.png\timage\tnobody\ttrain")
    assert main(["lab", "prepare-data", str(tmp_path), str(tmp_path / "takes")]) == 1
    assert "None of the 1 files" in capsys.readouterr().err
