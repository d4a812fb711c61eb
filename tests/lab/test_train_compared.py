"""The trainer of the compared networks, on takes of a few small frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.lab.networks.compared import NETWORKS, ComparedConfig, Filled, load
from hmd_removal.lab.networks.evi_discriminator import EVIDiscriminator
from hmd_removal.lab.training.clip_samples import Clips, ClipSamples, Given, shrunk, window
from hmd_removal.lab.training.compared import ComparedRecipe, ComparedTrainer, read_recipe, train
from hmd_removal.learning.ema import settled
from hmd_removal.learning.run_folder import RunFolder
from hmd_removal.personal.sample_store import Take, TakeStore
from hmd_removal.weights import WeightsMissing, resolve

RECIPES = Path(__file__).resolve().parents[2] / "lab" / "recipes"
RECIPE = ComparedRecipe(
    width=8,
    side=64,
    frames=2,
    batch=1,
    focus=0.5,
    steps=4,
    adversarial_from=2,
    gan="lsgan",
    critic_width=4,
    rate=3e-3,
    workers=0,
    check_every=2,
)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory, take: Take) -> Path:
    try:
        resolve("vgg16")
    except WeightsMissing as missing:
        pytest.skip(str(missing))
    store = TakeStore(tmp_path_factory.mktemp("takes"))
    for person in ("anna", "ben"):
        store.add(person, take, {"person": person, "kind": "film", "landmarks": "visible"})
    return store.folder


def test_shipped_recipes_have_the_sizes_of_the_papers() -> None:
    recipes = {name: read_recipe(RECIPES / f"{name}.json") for name in NETWORKS}
    assert {name: recipe.network for name, recipe in recipes.items()} == {name: name for name in NETWORKS}
    assert all(recipe.width == 64 for recipe in recipes.values())
    assert recipes["lafin"].side == 256 and recipes["lgtsm"].frames == recipes["combcn"].frames == 32


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stopped_run_goes_on_to_the_same_weights(
    name: str, tmp_path: Path, takes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, network=name)
    whole = load_file(train(takes, takes, tmp_path / "whole", recipe, "cpu"))

    class Stopped(Exception):
        pass

    def stop_at_three(trainer: ComparedTrainer, clips: Clips) -> dict[str, float]:
        if trainer.step == 3:
            raise Stopped
        return learn(trainer, clips)

    learn = ComparedTrainer.learn
    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(ComparedTrainer, "learn", stop_at_three)
        train(takes, takes, tmp_path / "stopped", recipe, "cpu")
    written = train(takes, takes, tmp_path / "stopped", recipe, "cpu")
    resumed = load_file(written)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)

    lines = (tmp_path / "stopped" / "log.csv").read_text().splitlines()
    assert len(lines) == 3 and "network_film_visible" in lines[0] and "warp_film_visible" in lines[0]
    assert (tmp_path / "stopped" / "sheet.png").stat().st_size > 1000
    assert written.name == f"{name}.safetensors"
    with safe_open(written, "pt") as file:
        assert file.metadata()["step"] == "4"
    assert load(written, name).config == ComparedConfig(name, 8, 64, frames=recipe.frames)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_brings_the_result_nearer_to_the_truth(name: str, tmp_path: Path, take: Take, takes: Path) -> None:
    trainer = ComparedTrainer(replace(RECIPE, network=name, steps=16, adversarial_from=16), tmp_path, "cpu")
    clips = window(shrunk(take, slice(0, 2), 64))
    losses = [trainer.learn(clips) for _ in range(16)]
    assert losses[-1]["hole"] < 0.9 * losses[0]["hole"]
    assert losses[-1]["critic"] == losses[-1]["adversarial"] == 0


def test_combcn_has_one_loss_for_each_of_its_networks_and_no_critic(tmp_path: Path, take: Take, takes: Path) -> None:
    trainer = ComparedTrainer(replace(RECIPE, network="combcn", adversarial_from=0), tmp_path, "cpu")
    given = Given.of(window(shrunk(take, slice(0, 2), 64)), "cpu")
    hole = torch.zeros_like(given.hole)
    hole[..., 3:5, 8:10] = 1  # two by two places, in two by one of half the size
    given = replace(given, hole=hole, truth=torch.full_like(given.truth, 0.5))
    picture = torch.full_like(given.truth, 0.75)
    small = torch.full((1, 2, 3, 32, 32), 0.9)
    small[..., 1, 4] = 0.6
    losses = trainer.losses(given, Filled(picture, small), given.composite(picture))
    assert losses.keys() == trainer.weights().keys()
    assert losses["hole"].item() == pytest.approx(0.25) and losses["small"].item() == pytest.approx((0.1 + 0.4) / 2)
    assert trainer.learn(window(shrunk(take, slice(0, 2), 64)))["critic"] == 0


@pytest.mark.parametrize(("name", "own"), [("lgtsm", {"reconstruction"}), ("lafin", {"hole", "variation"})])
def test_lgtsm_and_lafin_are_judged_by_pictures_and_a_critic_but_not_by_expressions(
    name: str, own: set[str], tmp_path: Path, take: Take, takes: Path
) -> None:
    trainer = ComparedTrainer(replace(RECIPE, network=name, adversarial_from=0), tmp_path, "cpu")
    assert trainer.weights().keys() == own | {"perceptual", "style", "adversarial"}
    losses = trainer.learn(window(shrunk(take, slice(0, 2), 64)))
    assert trainer.weights().keys() <= losses.keys() and "expression" not in losses
    assert losses["critic"] > 0 and losses["adversarial"] > 0


def test_a_critic_of_single_frames_does_not_see_their_neighbours() -> None:
    torch.manual_seed(0)
    frames, mask = torch.rand(1, 3, 3, 64, 64), torch.zeros(1, 3, 1, 64, 64)
    changed = torch.cat([1 - frames[:, :1], frames[:, 1:]], 1)
    for in_time in (True, False):
        critic = EVIDiscriminator(8, in_time=in_time).eval()
        with torch.no_grad():
            scores, others = critic(frames, mask, mask), critic(changed, mask, mask)
        assert torch.allclose(scores[:, 1], others[:, 1], atol=1e-6) != in_time


def test_an_averaged_network_gets_statistics_of_its_own() -> None:
    def show(net: nn.Module, batch: torch.Tensor) -> None:
        net(batch)

    batches = [torch.full((2, 1, 4, 4), value) for value in (1.0, 3.0)]
    net = nn.Sequential(nn.BatchNorm2d(1)).eval()
    net[0].running_mean.fill_(9)
    found = settled(net, batches, show)
    assert found[0].running_mean.item() == 2 and not found.training
    assert net[0].running_mean.item() == 9
    plain = nn.Conv2d(1, 1, 1)
    assert settled(plain, batches, show) is plain


def test_a_file_of_combcn_has_the_statistics_of_its_weights(tmp_path: Path, takes: Path) -> None:
    """The network of the file says in evaluation what it says of a batch, as nearly as batches are alike."""
    written = train(takes, takes, tmp_path, replace(RECIPE, network="combcn", steps=8, average=0.99), "cpu")
    net = load(written, "combcn")
    samples = ClipSamples(TakeStore(takes), side=64, frames=2, batch=4, steps=1, seed=9)
    given = Given.of(samples[0], "cpu")
    with torch.no_grad():
        used = net(given.frames, given.hole, given.contour).picture
        of_batch = net.train()(given.frames, given.hole, given.contour).picture
    assert (used - of_batch).abs().mean() < 0.1 * of_batch.std()


def test_the_command_trains_what_its_recipe_names(
    tmp_path: Path, takes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "recipe.json"
    config.write_text('{"network": "lafin", "width": 4, "side": 32, "frames": 1, "batch": 1, "steps": 1, "workers": 0}')
    command = ["lab", "train", "compared", str(takes), "--held-out", str(takes), "--config", str(config)]
    assert main([*command, "--work", str(tmp_path / "run"), "--device", "cpu"]) == 0
    assert "lafin.safetensors: averaged weights" in capsys.readouterr().out
    config.write_text('{"network": "unet"}')
    assert main([*command, "--work", str(tmp_path / "other"), "--device", "cpu"]) == 1
    assert "a network out of lgtsm, combcn, lafin, got 'unet'" in capsys.readouterr().err
    config.write_text('{"network": "lgtsm", "expression": 2}')
    assert main([*command, "--work", str(tmp_path / "other"), "--device", "cpu"]) == 1
    assert "has expression, which no recipe has" in capsys.readouterr().err


def test_other_recipes_and_empty_folders_are_refused(tmp_path: Path, takes: Path) -> None:
    train(takes, takes, tmp_path / "run", replace(RECIPE, steps=1), "cpu")
    with pytest.raises(InputError, match="holds a run with another recipe"):
        train(takes, takes, tmp_path / "run", replace(RECIPE, steps=2), "cpu")
    with pytest.raises(InputError, match="hmd-removal lab prepare-data"):
        train(tmp_path / "run", takes, tmp_path / "other", RECIPE, "cpu")


def test_a_run_of_a_version_with_fewer_fields_goes_on(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Before:
        steps: int = 4

    @dataclass(frozen=True)
    class Now(Before):
        warm_up: int = 0

    RunFolder(tmp_path, Before(), "w.safetensors").save({"step": 3})
    assert RunFolder(tmp_path, Now(), "w.safetensors").load("cpu")["step"] == 3
    for other in (Now(warm_up=1), Now(steps=5)):
        with pytest.raises(InputError, match="holds a run with another recipe"):
            RunFolder(tmp_path, other, "w.safetensors").load("cpu")
