"""What the aligned generator learns from: samples by the product's own path, and a training that can be stopped."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.lab.data.face_pack import pack, unpack
from hmd_removal.lab.data.face_store import FaceStore, cut, open_store
from hmd_removal.lab.generator import sample_path
from hmd_removal.lab.generator.losses import WEIGHTS, GeneratorLosses, around_eyes
from hmd_removal.lab.generator.pairs import PairMaker, collate
from hmd_removal.lab.generator.posing import completed, extended
from hmd_removal.lab.generator.sample_path import DEVICE, Given, Pictures, SamplePath
from hmd_removal.lab.generator.train import train
from hmd_removal.lab.generator.trainer import GeneratorRecipe, GeneratorTrainer
from hmd_removal.learning.scenes import SIDE
from hmd_removal.models import covered_landmarks
from hmd_removal.models.aligned_generator import CHANNELS, AlignedGenerator, load
from hmd_removal.restore.align import complete_points
from hmd_removal.restore.grid import GRID, mesh_maps, mesh_maps_by_trying
from hmd_removal.tracking.geometry import head_pose, mirrored_points
from hmd_removal.tracking.mesh import extend_points
from hmd_removal.tracking.track import FaceTrack
from hmd_removal.weights import WeightsMissing

RECIPE = GeneratorRecipe(widths="4,8,8,8", steps=4, batch=2, warm_up=1, check_every=2)


@pytest.fixture(scope="module")
def store(talking_head: np.ndarray, talking_head_track: FaceTrack) -> FaceStore:
    """Somebody on two days, with photographs and a film of each; and another person, photographed once."""
    frames = [0, 1, 2, 20, 21, 22, 40, 44, 47]
    cuts = [cut(talking_head[t], talking_head_track.points[t]) for t in frames]
    images, points, inside = (np.stack(parts) for parts in zip(*cuts, strict=True))
    wall = np.full((2, 128, 128, 3), 90, np.uint8)
    day, clip = np.array([0, 0, 0, 1, 1, 1, 0, 1, -1]), np.array([0, 0, 0, 1, 1, 1, 2, 3, 4])
    return FaceStore(
        images,
        points,
        inside,
        person=np.array([0] * 8 + [1]),
        session=day,
        clip=clip,
        frame=np.array([0, 1, 2, 0, 1, 2, 0, 0, 0]),
        elsewhere=wall,
    )


@pytest.fixture(scope="module")
def losses() -> GeneratorLosses:
    try:
        return GeneratorLosses()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


def given(store: FaceStore, seeds: range, *, vary: bool) -> Given:
    maker = PairMaker(store)
    batch = collate([maker.draw(np.random.default_rng(seed)) for seed in seeds])
    pictures = Pictures(store.images, store.points, torch.device("cpu"))
    return SamplePath(pictures, covered_landmarks.shared(), torch.Generator().manual_seed(0), vary=vary)(batch)


def test_another_day_is_another_day(store: FaceStore) -> None:
    maker = PairMaker(store)
    assert maker.people() == [0]
    for seed in range(6):
        drawn = maker.other_day(0, np.random.default_rng(seed))
        again = maker.other_day(0, np.random.default_rng(seed))
        assert all(np.array_equal(vars(drawn)[name], vars(again)[name]) for name in vars(drawn))
        assert drawn.truth.shape == drawn.covered.shape == (3, SIDE, SIDE, 3)
        assert store.session[drawn.reference] in (0, 1)


def test_nothing_but_what_the_headset_hides_differs_from_the_truth(store: FaceStore) -> None:
    maker = PairMaker(store)
    for seed in range(8):
        drawn = maker.draw(np.random.default_rng(seed))
        assert (drawn.covered != drawn.truth)[drawn.hole == 0].mean() < 1e-3
        assert 0.02 < drawn.hole.mean() < 0.8


def test_points_are_where_the_face_is_and_the_landmarker_is_shown_it(store: FaceStore) -> None:
    drawn = PairMaker(store).draw(np.random.default_rng(3))
    chin, forehead = drawn.points[0, 152], drawn.points[0, 10]
    assert 0 < forehead[1] < chin[1] < GRID and abs(chin[0] - GRID / 2) < 0.2 * GRID
    sight = drawn.to_cells[0] @ (0.5, 0.5, 0, 1)  # the middle of what the landmarker sees, in cells
    assert np.abs(sight[:2] - drawn.points[0, :, :2].mean(0)).max() < 0.15 * GRID


def test_geometry_in_batches_is_that_of_the_product(talking_head_track: FaceTrack) -> None:
    rng = np.random.default_rng(0)
    points = talking_head_track.points[[0, 20, 40]] + rng.normal(0, 0.5, (3, 478, 3)).astype(np.float32)
    model = talking_head_track.points[[5, 5, 30]]
    hidden = points[:, :, 1] < np.median(points[:, :, 1], 1, keepdims=True)
    visibility, deviation = np.where(hidden, 0.0, 1.0), rng.uniform(0.5, 4, (3, 478))
    found = completed(*(torch.from_numpy(x).float() for x in (points, visibility, model, deviation)))
    for k in range(3):
        expected = complete_points(points[k], visibility[k], model[k], deviation[k])
        assert np.abs(found[k].numpy() - expected).max() < 0.02
        mesh = extend_points(expected, head_pose(expected))
        assert np.abs(extended(found)[k].numpy() - mesh).max() < 0.05
    true = completed(*(torch.from_numpy(x).float() for x in (points, np.ones((3, 478)), model, np.zeros((3, 478)))))
    assert np.allclose(true.numpy(), points)


def test_the_path_is_the_same_on_a_device_without_opencv(store: FaceStore) -> None:
    """What a GPU does, on the CPU: all but the edges of triangles."""
    points = torch.from_numpy(store.points[:3]).float() * GRID / store.images.shape[1]
    region = torch.ones(3, 1, GRID, GRID, dtype=torch.bool)
    source = extended(torch.from_numpy(store.points[3:6]).float())[..., :2] / store.images.shape[1]
    (places, kind), (tried, its_kind) = (
        which(source, extended(points), region, range(3)) for which in (mesh_maps, mesh_maps_by_trying)
    )
    same = kind == its_kind
    assert same.float().mean() > 0.99
    assert ((places - tried).abs() * same).flatten(1).quantile(0.99) < 2e-3


def test_a_sample_is_given_as_in_use(store: FaceStore) -> None:
    sample = given(store, range(3), vary=False)
    inputs = sample.inputs()
    assert inputs.shape == (9, CHANNELS, GRID, GRID) and inputs.isfinite().all()
    inside = inputs[:, 3:4] > 0
    assert not (inputs[:, :3] * inside).any(), "the device itself is not shown"
    warp = sample.shown(sample.fitted.filling)
    outside = sample.hole == 0
    assert torch.equal((warp * outside), (sample.truth * outside))
    error, naive = (
        ((x - sample.truth).square() * sample.hole).sum() for x in (warp, torch.full_like(warp, sample.truth.mean()))
    )
    assert error < 0.5 * naive


def test_a_headset_on_the_forehead_of_some_references_hides_them_there(store: FaceStore) -> None:
    pictures = Pictures(store.images, store.points, torch.device("cpu"))
    _, model = pictures.of(torch.zeros(100, dtype=torch.int64))
    path = SamplePath(pictures, covered_landmarks.shared(), torch.Generator().manual_seed(0))
    bare = path._bare(model, pictures.images.shape[-1])
    hidden = bare.flatten(1).eq(0).any(1)
    assert DEVICE / 2 < hidden.float().mean() < 2 * DEVICE
    row, column = model[0, 9, 1].round().int(), model[0, 9, 0].round().int()  # between the brows
    assert bare[:, 0, row:, column].all()


def test_a_mirrored_sample_is_as_exact_as_the_others(store: FaceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sample straight and mirrored: the reference lies as near to the truth, and left stays left."""
    monkeypatch.setattr(sample_path, "ORACLE", 1.0)
    monkeypatch.setattr(sample_path, "GRAIN", 0.0)
    monkeypatch.setattr(SamplePath, "_light", lambda _, count: [torch.zeros(count, n, 1, 1) for n in (1, 3, 2)])
    samples = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(sample_path, "MIRRORED", share)
        samples.append(given(store, range(20, 26), vary=True))
    straight, mirrored = samples
    assert torch.equal(mirrored.truth, straight.truth.flip(3)) and torch.equal(mirrored.hole, straight.hole.flip(3))
    assert (mirrored.points[:, 50, 0] < mirrored.points[:, 280, 0]).all()
    swapped = straight.points[:, mirrored_points(), 0]
    assert torch.allclose(mirrored.points[..., 0], SIDE - 1 - swapped, atol=1e-3)
    off, also_off = (
        ((x.shown(x.fitted.filling) - x.truth).square() * x.hole).mean((1, 2, 3)) for x in (straight, mirrored)
    )
    assert (also_off / off).log().abs().median() < 0.15  # triangles are not those of a mirrored mesh


def test_eyes_count_more(losses: GeneratorLosses, store: FaceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = given(store, range(2), vary=False)
    eyes = around_eyes(sample.points, SIDE)
    assert eyes.shape == sample.hole.shape and 0.01 < eyes.mean() < 0.2
    at = sample.points[0, 468, :2].round().long()  # an iris
    assert eyes[0, 0, at[1], at[0]] > 0.9
    exact = losses(sample.truth, sample.truth, sample.hole, sample.points)
    assert set(exact) == set(WEIGHTS) and all(abs(float(value)) < 1e-4 for value in exact.values())
    wrong = sample.truth + 0.1 * eyes
    found = losses(wrong, sample.truth, sample.hole, sample.points)
    monkeypatch.setattr("hmd_removal.lab.generator.losses.EYES", 0.0)
    alike = losses(wrong, sample.truth, sample.hole, sample.points)
    for name in ("pixels", "squares", "perceptual", "texture"):
        assert found[name] > 1.5 * alike[name]


def test_blur_is_told_by_its_texture(losses: GeneratorLosses, store: FaceStore) -> None:
    sample = given(store, range(2), vary=False)
    blurred = torch.from_numpy(
        np.stack([cv2.GaussianBlur(x.permute(1, 2, 0).numpy(), (0, 0), 2) for x in sample.truth])
    ).permute(0, 3, 1, 2)
    found = losses(blurred, sample.truth, sample.hole, sample.points)
    assert found["texture"] > 5 * float(found["squares"]) > 0


def folder_of(store: FaceStore, work: Path) -> Path:
    """The store on disk, as `open_store` finds it, for both splits."""
    for split in ("train", "val"):
        pack(store, work / f"{split}.npz", quality=100)
        unpack([work / f"{split}.npz"], work / "faces" / split)
    return work


def test_a_pack_holds_what_a_store_does(tmp_path: Path, store: FaceStore) -> None:
    half, rest = np.arange(4), np.arange(4, len(store))
    pack(store, tmp_path / "a.npz", half)
    pack(replace(store, elsewhere=store.elsewhere[:0]), tmp_path / "b.npz", rest)
    unpack([tmp_path / "a.npz", tmp_path / "b.npz"], tmp_path / "faces" / "train")
    again = open_store(tmp_path / "faces", tmp_path, "train")
    assert len(again) == len(store) and again.elsewhere.shape == store.elsewhere.shape
    assert np.abs(again.points - store.points).max() <= 1 / 64
    assert np.abs(again.images.astype(int) - store.images).mean() < 4
    for name in ("person", "session", "clip", "frame", "inside"):
        assert np.array_equal(getattr(again, name), getattr(store, name))


def test_a_run_moves_to_another_machine_by_two_commands(
    tmp_path: Path, store: FaceStore, capsys: pytest.CaptureFixture[str]
) -> None:
    work = folder_of(store, tmp_path / "here")
    assert main(["lab", "pack-faces", str(tmp_path), str(tmp_path / "packed"), "--work", str(work)]) == 0
    assert len(list((tmp_path / "packed").iterdir())) == 3 and "faces" in capsys.readouterr().out
    assert main(["lab", "unpack-faces", str(tmp_path / "packed"), "--work", str(tmp_path / "there")]) == 0
    again = open_store(tmp_path / "there" / "faces", tmp_path, "train")
    assert len(again) == len(store) and len(again.elsewhere) == len(store.elsewhere)
    assert main(["lab", "unpack-faces", str(tmp_path), "--work", str(tmp_path / "there")]) == 1
    assert "Expected files train_*.npz" in capsys.readouterr().err


def test_a_machine_that_trains_needs_neither_pyav_nor_mediapipe() -> None:
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('av', 'mediapipe')));"
        "from hmd_removal.cli import main;"
        "import hmd_removal.lab.generator.train, hmd_removal.lab.training.landmarks;"
        "main(['lab', 'train', 'generator', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and "--minutes" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(
    tmp_path: Path, store: FaceStore, losses: GeneratorLosses, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = folder_of(store, tmp_path)
    stopped = tmp_path / "stopped"
    shutil.copytree(work / "faces", stopped / "faces")
    whole, slim = train(tmp_path, work, [RECIPE, replace(RECIPE, without="drawing,shift")], "cpu", workers=0)
    assert load(whole).config.drawing and not load(slim).config.drawing

    class Stopped(Exception):
        pass

    learn = GeneratorTrainer.learn

    def stop_at_three(trainer: GeneratorTrainer, sample: Given) -> dict[str, torch.Tensor]:
        if trainer.step == 3:
            raise Stopped
        return learn(trainer, sample)

    monkeypatch.setattr(GeneratorTrainer, "learn", stop_at_three)
    with pytest.raises(Stopped):
        train(tmp_path, stopped, [RECIPE], "cpu", workers=0)
    monkeypatch.setattr(GeneratorTrainer, "learn", learn)
    (again,) = train(tmp_path, stopped, [RECIPE], "cpu", workers=0)
    lines = (stopped / "whole" / "log.csv").read_text().splitlines()
    assert len(lines) == 3 and "psnr_warp" in lines[0] and "identity_net" in lines[0]
    assert (stopped / "whole" / "sheet.png").stat().st_size > 1000
    first, second = load_file(whole), load_file(again)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_brings_it_nearer_to_the_truth(tmp_path: Path, store: FaceStore, losses: GeneratorLosses) -> None:
    sample = given(store, range(2), vary=False)
    trainer = GeneratorTrainer(replace(RECIPE, widths="8,8,8,8", steps=12, rate=3e-3), tmp_path, losses, "cpu")
    found = [trainer.learn(sample) for _ in range(12)]
    assert found[-1]["pixels"] < 0.97 * found[0]["pixels"]


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(InputError, match="Expected parts out of attention, shift, .*, got memory"):
        replace(RECIPE, without="memory").network()


def test_the_network_of_the_recipe_is_the_shipped_one() -> None:
    assert GeneratorRecipe().network() == AlignedGenerator().config
