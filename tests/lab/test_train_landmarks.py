"""The trainer of the covered-face landmarker, on a clip of a few frames."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hmd_removal.errors import InputError
from hmd_removal.lab.data.face_store import list_footage, open_store
from hmd_removal.lab.training.landmarks import Recipe, load_known, train
from hmd_removal.models import covered_landmarks
from hmd_removal.models.covered_landmarks import CoveredLandmarkNet

RECIPE = Recipe(steps=4, batch=3, warm_up=1, workers=0, check_every=2, check_samples=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, carphone: Path) -> Path:
    """A clip for each split, and one that is damaged."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(carphone, folder / name)
    (folder / "broken.mp4").write_bytes(carphone.read_bytes()[:2000])
    rows = ["path\tkind\tperson\tsplit", "a.mp4\tvideo\tanna\ttrain", "broken.mp4\tvideo\tben\ttrain"]
    (folder / "INDEX.tsv").write_text("\n".join([*rows, "b.mp4\tvideo\tanna\tval"]))
    return folder


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """The prepared faces of both splits."""
    folder = tmp_path_factory.mktemp("faces")
    for split in ("train", "val"):
        open_store(folder, data, split, frames_per_clip=6)
    return folder


def a_run(folder: Path, faces: Path) -> Path:
    shutil.copytree(faces, folder / "faces")
    return folder


def test_a_damaged_clip_is_named_and_left_out(tmp_path: Path, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path, data, "train", frames_per_clip=3)
    assert len(store) == 3
    assert 0 < len(store.elsewhere) <= 12  # other parts of the pictures
    assert "broken.mp4" in caplog.text


def test_without_an_index_every_twelfth_file_is_for_validation(tmp_path: Path) -> None:
    for number in range(24):
        (tmp_path / f"{number:02}.jpg").touch()
    (tmp_path / "notes.txt").touch()
    names = {split: [f.path.name for f in list_footage(tmp_path, split)] for split in ("train", "val")}
    assert names["val"] == ["00.jpg", "12.jpg"]
    assert len(names["train"]) == 22


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pictures or videos"):
        list_footage(tmp_path, "train")


def test_a_stopped_run_goes_on_to_the_same_weights(
    tmp_path: Path, data: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(data, a_run(tmp_path / "whole", faces), RECIPE)

    class Stopped(Exception):
        pass

    from hmd_removal.lab.training import landmarks

    learn = landmarks.Trainer.learn

    def stop_at_three(trainer, batch):
        if trainer.step == 3:
            raise Stopped
        return learn(trainer, batch)

    work = a_run(tmp_path / "stopped", faces)
    monkeypatch.setattr(landmarks.Trainer, "learn", stop_at_three)
    with pytest.raises(Stopped):
        train(data, work, RECIPE)
    monkeypatch.setattr(landmarks.Trainer, "learn", learn)
    resumed = train(data, work, RECIPE)

    first, second = load_file(whole), load_file(resumed)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len((work / "log.csv").read_text().splitlines()) == 3  # heading, step 2, step 4
    net = covered_landmarks.load(resumed)
    assert torch.isfinite(net(torch.rand(1, 3, 128, 128)).points).all()


def test_a_run_goes_on_from_weights_that_lack_a_layer(tmp_path: Path, data: Path, faces: Path) -> None:
    """As those of before the refinements do."""
    short = replace(RECIPE, steps=2)
    state = load_file(train(data, a_run(tmp_path / "first", faces), short))
    older = {name: tensor for name, tensor in state.items() if not name.startswith("refinements.")}
    save_file(older, tmp_path / "older.safetensors")
    net = CoveredLandmarkNet()
    load_known(net, tmp_path / "older.safetensors")
    assert torch.equal(net.state_dict()["shapes"].half(), state["shapes"])
    again = replace(short, steps=1, rate=0.0, warm_up=1)
    after = load_file(train(data, a_run(tmp_path / "second", faces), again, tmp_path / "older.safetensors"))
    assert torch.allclose(after["code.0.weight"].float(), state["code.0.weight"].float(), atol=1e-3)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"holds 'features\.0\.weight'"):
        load_known(CoveredLandmarkNet(), tmp_path / "other.safetensors")


def test_the_folder_of_another_recipe_is_refused(tmp_path: Path, data: Path, faces: Path) -> None:
    work = a_run(tmp_path / "run", faces)
    short = Recipe(**{**vars(RECIPE), "steps": 2})
    train(data, work, short)
    with pytest.raises(InputError, match="another recipe"):
        train(data, work, RECIPE)
