"""A person's footage looked over, and a model trained on it from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from skimage import data

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.personal.enrolment import Enrolment, _cut_to_face, _plan, enrol, reference_of
from hmd_removal.personal.enrolment_sheet import CAPTION, PITCHES, TILE, YAWS, enrolment_sheet
from hmd_removal.personal.sample_store import TakeStore
from hmd_removal.personal.samples import make_personal_takes
from hmd_removal.restore.personal import read_personal
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.track import DevicePatch, FaceTrack, FrameStatus

SLIM = {"attention": "slim", "mask": True, "batch": 1, "check_frames": 2}


@pytest.fixture(scope="module")
def enrolment(carphone: Path) -> Enrolment:
    return enrol([carphone])


def test_footage_is_cut_to_the_face_with_landmarks_that_fit(enrolment: Enrolment) -> None:
    assert [len(piece.frames) for piece in enrolment.pieces] == [50, 50, 20]
    assert enrolment.frames == 120 and len(enrolment.digest) == 16
    for piece in enrolment.pieces:
        assert piece.frames.shape[1] == piece.frames.shape[2] == piece.track.size[0]
        found = piece.track.points[piece.track.status == FrameStatus.FOUND][..., :2]
        size = np.ptp(found, axis=1).max(1) / piece.frames.shape[1]
        assert 0.3 < np.median(size) < 0.45  # a face of 1 / 2.6
        assert (np.abs(found.mean(1) / piece.frames.shape[1] - 0.5) < 0.15).all()
    assert len(enrolment.reference) >= 1


def test_a_headset_on_the_forehead_is_where_it_was_after_the_cut(talking_head: np.ndarray) -> None:
    large = [cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for frame in talking_head[:2]]
    artist = HeadsetArtist(replace(preset("quest"), shift=(0.0, -7.0), tilt=(-15.0, 0.0)))
    track = track_clip(large, large[0].shape[:2], Wearer(detector="uncovered"))
    frames = np.stack([artist.draw(frame, track[t])[0] for t, frame in enumerate(large)])
    whole = track_clip(frames, frames.shape[1:3], Wearer(detector="uncovered"))
    piece = _cut_to_face(frames, 0)
    before, after = (track.devices[0].hides(track.points[0]) for track in (whole, piece.track))
    assert before.any() and not before.all() and (before == after).mean() > 0.99
    reference = reference_of([piece])
    assert list(reference.devices) == list(range(len(reference)))  # there is nothing better, but it is told


def test_pictures_with_a_headset_on_the_forehead_are_left_out_where_there_are_others(enrolment: Enrolment) -> None:
    piece = enrolment.pieces[0]
    half = len(piece.frames) // 2
    pushed_up = DevicePatch(np.zeros((64, 64), np.float32), np.eye(2, 3))
    pushed_up.probability[:10] = 1.0  # and so above the face
    devices = (pushed_up,) * half + (None,) * (len(piece.frames) - half)
    reference = reference_of([replace(piece, track=replace(piece.track, devices=devices))])
    late = piece.frames[half:]
    assert not reference.devices
    assert all((late == image).all((1, 2, 3)).any() for image in reference.images)


def test_what_is_missing_is_said_and_shown(enrolment: Enrolment) -> None:
    assert any("frames with open eyes" in line for line in enrolment.advice)
    sheet = enrolment_sheet(enrolment)
    assert sheet.shape == (len(PITCHES) * (TILE + CAPTION), len(YAWS) * TILE, 3)
    middle, far = sheet[TILE + CAPTION :, 2 * TILE : 3 * TILE][:TILE], sheet[:TILE, :TILE]
    assert middle.std() > 20 and far.std() == 0  # he looks ahead, and never up to the left


def test_too_little_footage_and_none_are_refused(tmp_path: Path, talking_head: np.ndarray) -> None:
    with pytest.raises(InputError, match="at least one clip"):
        enrol([])
    with pytest.raises(InputError, match="at least 75 frames .* open eyes, got"):
        enrol([write_clip(tmp_path / "short.mp4", talking_head[:40])])


def test_two_people_are_refused(tmp_path: Path, carphone: Path) -> None:
    astronaut = np.stack([data.astronaut()[:240, 100:340]] * 80)
    with pytest.raises(InputError, match="astronaut.mp4 seems to show somebody else|pristine.mp4 seems to show"):
        enrol([carphone, write_clip(tmp_path / "astronaut.mp4", astronaut)])


def test_long_footage_is_read_here_and_there() -> None:
    assert _plan([120]) == [(0, 0, 50), (0, 50, 50), (0, 100, 20)]
    assert _plan([55]) == [(0, 0, 50)]  # what is left over is too short
    plan = _plan([100, 10_000])
    assert len(plan) == 30 and plan[0] == (0, 0, 50) and plan[-1] == (1, 9950, 50)
    assert all(length == 50 for _, _, length in plan)


def test_takes_are_held_out_in_time_and_seen_by_no_reference_of_their_own(tmp_path: Path, enrolment: Enrolment) -> None:
    short = replace(enrolment, pieces=tuple(_shortened(piece) for piece in enrolment.pieces))
    learning, held_out = TakeStore(tmp_path / "a"), TakeStore(tmp_path / "b")
    make_personal_takes(short, learning, held_out)
    assert learning.names() == ["000-0", "000-1", "001-0", "001-1"] and held_out.names() == ["002-0", "002-1"]
    modes = [learning.about(name)["landmarks"] for name in learning.names()]
    assert sorted(modes) == ["oracle", "oracle", "visible", "visible"]
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*/*/*.npy"))]
    make_personal_takes(short, learning, held_out)  # what is there stays
    assert before == [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*/*/*.npy"))]


def _shortened(piece):
    track = FaceTrack.stack([piece.track[t] for t in range(10)], piece.track.size)
    return replace(piece, frames=piece.frames[:10], track=track)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fast", "paper"])
def test_the_command_writes_a_model_that_says_what_it_is(
    recipe: str,
    tmp_path: Path,
    carphone: Path,
    talking_head: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr("hmd_removal.personal.enrolment.PIECE", 30)
    monkeypatch.setattr("hmd_removal.personal.samples.VARIANTS", 1)
    monkeypatch.setattr("hmd_removal.personal.landmarks.LEARNT_FROM", 60)
    monkeypatch.setattr("hmd_removal.personal.landmarks.MEASURED_ON", 8)
    limit = [] if recipe == "fast" else ["--minutes", "0.02"]
    if recipe == "paper":
        recipe = str(tmp_path / "recipe.json")
        Path(recipe).write_text(json.dumps({**SLIM, "stages": [{"steps": 2, "structure": True}]}))
    arguments = ["train", "personal", str(carphone), "--out", str(tmp_path / "me.safetensors"), "--device", "cpu"]
    arguments += ["--recipe", recipe, *limit]
    assert main(arguments) == 0
    assert "learnt from 120 frames" in capsys.readouterr().out
    model = read_personal(tmp_path / "me.safetensors")
    assert model.about["frames"] == "120" and model.draws == (recipe != "fast")
    said = float(model.about["hole_psnr" if model.draws else "landmarks"])
    assert 0 < said < 40 and (
        model.draws
        or (model.reference.landmarker is None) == (said >= 0.8 * float(model.about["landmarks_of_everybody"]))
    )
    assert model.identity is None or np.linalg.norm(model.identity) == pytest.approx(1, abs=1e-4)
    shown = {"enrolment.png", "landmarks.png"} if recipe == "fast" else {"enrolment.png", "sheet.png"}
    assert shown <= {file.name for file in (tmp_path / "me_training").iterdir()}
    other = write_clip(tmp_path / "other.mp4", np.concatenate([talking_head, talking_head]))
    arguments[2] = str(other)
    assert main(arguments) == int(recipe != "fast")  # of which nothing is left that could be gone on with
    if recipe != "fast":
        assert "training on other footage" in capsys.readouterr().err
