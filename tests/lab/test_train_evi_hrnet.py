"""EVI-HRnet's samples and trainer, on takes of a few small frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hmd_removal.errors import InputError
from hmd_removal.lab.training.clip_samples import Clips, ClipSamples, shrunk, window
from hmd_removal.lab.training.evi_hrnet import EVIRecipe, EVITrainer, read_recipe, train
from hmd_removal.models.evi_hrnet import EVIConfig, EVIHRnet
from hmd_removal.personal.sample_store import Take, TakeStore
from hmd_removal.tracking.geometry import EYES_AND_BROWS
from hmd_removal.weights import WeightsMissing, resolve

RECIPES = Path(__file__).resolve().parents[2] / "lab" / "recipes"
RECIPE = EVIRecipe(
    width=4,
    keys=4,
    side=64,
    frames=2,
    batch=2,
    steps=4,
    adversarial_from=2,
    critic_width=4,
    rate=1e-3,
    workers=0,
    check_every=2,
)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory, take: Take) -> Path:
    for network in ("vgg16", "face_expression"):
        try:
            resolve(network)
        except WeightsMissing as missing:
            pytest.skip(str(missing))
    store = TakeStore(tmp_path_factory.mktemp("takes"))
    for person in ("anna", "ben"):
        store.add(person, take, {"person": person, "kind": "film", "landmarks": "visible"})
    return store.folder


def test_a_window_is_a_part_of_its_take(take: Take) -> None:
    clips = window(shrunk(take, slice(2, 5), 64))
    assert clips.truth.shape == (1, 3, 3, 64, 64) and clips.contour.shape == clips.hole.shape == (1, 3, 1, 64, 64)
    assert np.array_equal(clips.truth[0, 0].permute(1, 2, 0), take.truth[2])
    assert np.array_equal(clips.reference[0, 0].permute(1, 2, 0), take.reference)
    assert torch.equal(clips.reference[0, 0], clips.reference[0, 2])


def test_a_smaller_window_shows_the_same_in_the_same_places(take: Take) -> None:
    small = shrunk(take, slice(1, 3), 32)
    assert small.truth.shape == (2, 32, 32, 3) and small.hole.shape == (2, 32, 32) and len(small.reference) == 32
    assert np.array_equal(small.hole, take.hole[1:3].reshape(2, 32, 2, 32, 2).max((2, 4)))
    assert abs(small.truth[1].astype(int) - take.truth[2].reshape(32, 2, 32, 2, 3).mean((1, 3))).max() <= 1
    # The middle between pixels 6 and 7 is the middle of pixel 3.
    assert np.allclose(small.points[0, 5], (take.points[1, 5] - 0.5) / 2)
    with pytest.raises(InputError, match="at least 65 pixels, got 64"):
        shrunk(take, slice(0, 2), 65)


def test_a_mirrored_window_is_the_mirror_image_of_its_pictures_and_lines(take: Take) -> None:
    straight, mirrored = (window(shrunk(take, slice(0, 2), 64), mirrored=m) for m in (False, True))
    for name in ("frames", "truth", "reference", "hole"):
        assert torch.equal(getattr(mirrored, name), getattr(straight, name).flip(-1))
    assert (mirrored.contour - straight.contour.flip(-1)).abs().mean() < 0.01
    assert mirrored.points[0, 0, 61, 0].item() == pytest.approx(63 - straight.points[0, 0, 291, 0].item(), abs=1e-3)


def test_a_headset_that_tracks_the_eyes_knows_their_shape(take: Take) -> None:
    plain, driven, none = (
        window(shrunk(take, slice(0, 1), 64), landmarks=mode) for mode in ("as they are", "driven", "none")
    )
    hole = plain.hole.float()
    assert (driven.contour * hole).sum() > 1.3 * (plain.contour * hole).sum() > 0
    assert not (none.contour * hole).any() and torch.equal(none.contour * (1 - hole), plain.contour * (1 - hole))
    assert not take.known[0, list(EYES_AND_BROWS)].any()


def test_a_batch_is_the_same_each_time(takes: Path) -> None:
    def drawn(step: int) -> Clips:
        store = TakeStore(takes)
        return ClipSamples(store, side=64, frames=3, batch=4, steps=9, seed=5)[step]

    first, second = drawn(7), drawn(7)
    assert first.truth.shape == (4, 3, 3, 64, 64)
    assert all(torch.equal(vars(first)[name], vars(second)[name]) for name in vars(first))
    assert not torch.equal(first.truth, drawn(8).truth)


def test_shipped_recipes_can_be_read() -> None:
    assert read_recipe(RECIPES / "evi_paper.json").network() == EVIConfig(64)
    assert read_recipe(RECIPES / "evi_table.json").network() == EVIConfig(64, keys=16)


def test_a_recipe_with_a_slip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"wdith": 3}')
    with pytest.raises(InputError, match="has wdith, which no recipe has"):
        read_recipe(tmp_path / "r.json")
    (tmp_path / "r.json").write_text("width = 3")
    with pytest.raises(InputError, match="recipe in JSON"):
        read_recipe(tmp_path / "r.json")
    with pytest.raises(InputError, match="'vanilla'"):
        EVIRecipe(gan="vanilla")


def test_a_stopped_run_goes_on_to_the_same_weights(
    tmp_path: Path, takes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_file(train(takes, takes, tmp_path / "whole", RECIPE, "cpu"))

    class Stopped(Exception):
        pass

    learn = EVITrainer.learn

    def stop_at_three(trainer: EVITrainer, clips: Clips) -> dict[str, float]:
        if trainer.step == 3:
            raise Stopped
        return learn(trainer, clips)

    monkeypatch.setattr(EVITrainer, "learn", stop_at_three)
    with pytest.raises(Stopped):
        train(takes, takes, tmp_path / "stopped", RECIPE, "cpu")
    monkeypatch.setattr(EVITrainer, "learn", learn)
    written = train(takes, takes, tmp_path / "stopped", RECIPE, "cpu")
    resumed = load_file(written)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)

    lines = (tmp_path / "stopped" / "log.csv").read_text().splitlines()
    assert (
        len(lines) == 3 and "network_film_visible" in lines[0] and "warp_film_visible" in lines[0]
    )  # heading, steps 2 and 4
    assert (tmp_path / "stopped" / "sheet.png").stat().st_size > 1000
    with safe_open(written, "pt") as file:
        header = file.metadata()
    assert "face-api" in header["expression_loss"]
    EVIHRnet(EVIConfig.from_metadata(header)).load_state_dict({k: v.float() for k, v in resumed.items()})


def test_the_fer_loss_counts_from_its_step_on(tmp_path: Path, takes: Path) -> None:
    trainer = EVITrainer(replace(RECIPE, expression=0.5, expression_from=2), tmp_path, "cpu")
    assert trainer.weights()["expression"] == 0
    trainer.step = 2
    assert trainer.weights()["expression"] == 0.5


def test_training_brings_the_result_nearer_to_the_truth(tmp_path: Path, take: Take, takes: Path) -> None:
    trainer = EVITrainer(replace(RECIPE, width=8, steps=60, adversarial_from=60, reconstruction=10.0), tmp_path, "cpu")
    part = shrunk(take, slice(0, 2), 64)
    clips = window(part)
    losses = [trainer.learn(clips) for _ in range(60)]
    assert losses[-1]["reconstruction"] < 0.95 * losses[0]["reconstruction"]
    assert losses[-1]["perceptual"] < losses[0]["perceptual"]
    assert losses[-1]["critic"] == 0


def test_a_folder_without_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hmd-removal lab prepare-data"):
        train(tmp_path, tmp_path, tmp_path / "work", RECIPE, "cpu")
