"""Training of personal models, on takes of a few frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hmd_removal.errors import InputError
from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.models.personal_deocclusion import PersonalConfig, PersonalDeocclusion
from hmd_removal.personal.batches import PersonalSamples
from hmd_removal.personal.reached import Reached
from hmd_removal.personal.recipe import PAPER, PersonalRecipe, Stage, read_recipe
from hmd_removal.personal.sample_store import Take, TakeStore, make_take
from hmd_removal.personal.trainer import PersonalTrainer, train
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack

LAB_RECIPES = Path(__file__).resolve().parents[2] / "lab" / "recipes"
RECIPE = PersonalRecipe(
    (Stage(2, covered=False), Stage(2, adversarial=True, structure=True)),
    attention="slim",
    mask=True,
    batch=2,
    rate=1e-3,
    check_every=2,
    check_frames=2,
)


@pytest.fixture(scope="module")
def take(talking_head: np.ndarray, talking_head_track: FaceTrack) -> Take:
    reference = make_reference([talking_head[0]], talking_head_track.points[:1])
    track = FaceTrack.stack([talking_head_track[t] for t in range(20, 29)], talking_head_track.size)
    return make_take(talking_head[20:29], track, HeadsetArtist(preset("quest")), reference, mode="oracle", side=256)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, take: Take) -> TakeStore:
    store = TakeStore(tmp_path_factory.mktemp("takes"))
    store.add("me", take, {"person": "me", "kind": "film", "landmarks": "oracle"})
    return store


def test_a_batch_is_the_same_each_time_and_shows_headset_and_truth_in_the_same_place(store: TakeStore) -> None:
    samples = PersonalSamples(store, batch=6, steps=3, seed=1)
    frames, again = samples[1], PersonalSamples(store, batch=6, steps=3, seed=1)[1]
    assert frames.covered.shape == frames.truth.shape == (6, 3, 256, 256) and frames.hole.shape == (6, 1, 256, 256)
    assert all(torch.equal(a, b) for a, b in zip(vars(frames).values(), vars(again).values(), strict=True))
    assert not torch.equal(frames.truth, samples[2].truth)
    difference = (frames.covered.float() - frames.truth.float()).abs()
    away = torch.nn.functional.max_pool2d(frames.hole.float(), 7, 1, 3) == 0  # the rim is resampled
    assert difference.mul(away).max() <= 2 and difference.mul(frames.hole).sum() / (3 * frames.hole.sum()) > 20


def test_takes_of_another_size_are_refused(tmp_path: Path, take: Take) -> None:
    store = TakeStore(tmp_path)
    store.add("small", replace(take, truth=take.truth[:, :128, :128]), {})
    with pytest.raises(InputError, match="256 pixels, got 128"):
        PersonalSamples(store, batch=1, steps=1, seed=0)


def test_stages_follow_one_another() -> None:
    assert [RECIPE.stage_at(step / 4).covered for step in range(5)] == [False, False, True, True, True]
    assert RECIPE.steps == 4
    with pytest.raises(InputError, match="at least one stage"):
        PersonalRecipe(())


def test_the_papers_recipe_has_its_epochs() -> None:
    """Of about 10,800 frames, three sessions of two minutes, in batches of 50: 216 steps an epoch."""
    paper = read_recipe(PAPER)
    assert [stage.steps // 216 for stage in paper.stages] == [300, 100, 300, 300, 100, 200]
    assert [stage.covered for stage in paper.stages] == [False] * 3 + [True] * 3
    assert paper.network() == PersonalConfig() and (paper.batch, paper.rate) == (50, 2e-5)


def test_the_recipes_of_table_2_differ_in_what_its_rows_name_alone() -> None:
    rows = ("l1", "adv", "ssim", "mask", "no_attention")
    recipes = {row: read_recipe(LAB_RECIPES / f"personal_table2_{row}.json") for row in rows}
    used = {
        row: (any(s.adversarial for s in r.stages), any(s.structure for s in r.stages), r.mask_loss, r.attention)
        for row, r in recipes.items()
    }
    assert used == {
        "l1": (False, False, False, "slim"),
        "adv": (True, False, False, "slim"),
        "ssim": (True, True, False, "slim"),
        "mask": (True, True, True, "slim"),
        "no_attention": (True, True, True, "none"),
    }
    same = {"stages": (Stage(1),), "mask_loss": True, "attention": "slim"}
    assert len({replace(recipe, **same) for recipe in recipes.values()}) == 1
    assert {recipe.steps for recipe in recipes.values()} == {168}
    # The stages are as long by each other as the paper's, 300, 100 and 200 epochs.
    assert [stage.steps for stage in recipes["mask"].stages] == [84, 28, 56]


def test_a_recipe_with_a_slip_is_refused(tmp_path: Path) -> None:
    for text, message in (
        ('{"stages": [{"steps": 3}], "wdith": 3}', "has wdith, which no recipe has"),
        ('{"rate": 3}', "with its stages"),
        ('{"stages": [{"stpes": 3}]}', "with its stages"),
        ("steps = 3", "recipe in JSON"),
    ):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(InputError, match=message):
            read_recipe(tmp_path / "r.json")


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights_which_say_what_they_are(tmp_path: Path, store: TakeStore) -> None:
    def run(work: str) -> list[Reached]:
        return list(train(store.folder, store.folder, tmp_path / work, RECIPE, "cpu", workers=0))

    reached, whole = run("whole"), tmp_path / "whole" / "personal.safetensors"
    assert [look.done for look in reached] == [0, 0.5, 1]
    best = max(look.scores["hole_psnr"] for look in reached)
    assert best == reached[-1].best["hole_psnr"] == max(look.scores["hole_psnr"] for look in reached if look.kept)
    trainer = PersonalTrainer(RECIPE, tmp_path / "stopped", "cpu")
    samples = PersonalSamples(store, batch=2, steps=4, seed=0)
    for step in range(3):
        trainer.learn(samples[step])
    trainer.save()
    assert [look.done for look in run("stopped")] == [0.75, 1]
    assert [look.done for look in run("stopped")] == [1]  # ended before: it is looked at, and nothing more is learnt
    one, two = (_reached(tmp_path / work) for work in ("whole", "stopped"))
    assert all(torch.allclose(one[name].float(), two[name].float(), atol=2e-3) for name in one)
    with safe_open(whole, "pt") as file:
        about = file.metadata()
    assert float(about["hole_psnr"]) == pytest.approx(best, abs=0.01)
    kept = {name: value.float() for name, value in load_file(whole).items()}
    PersonalDeocclusion(PersonalConfig.from_metadata(about)).load_state_dict(kept)
    assert (tmp_path / "whole" / "sheet.png").stat().st_size > 1000
    assert len((tmp_path / "whole" / "log.csv").read_text().splitlines()) == 4


def _reached(work: Path) -> dict[str, torch.Tensor]:
    """The averaged weights at the end of a run."""
    return torch.load(work / "checkpoint.pt", weights_only=True)["average"]["net"]


def test_a_run_ends_by_the_clock_and_may_be_left_before_with_the_best_so_far_on_disk(
    tmp_path: Path, store: TakeStore
) -> None:
    kept = []
    run = train(
        store.folder,
        store.folder,
        tmp_path,
        replace(RECIPE, check_every=10**6),
        "cpu",
        minutes=1e-6,
        workers=0,
        keep=lambda net, about: kept.append(about),
    )
    first = next(run)
    assert first.kept and kept[0]["step"] == "0"
    assert (tmp_path / "personal.safetensors").is_file()
    (last,) = run
    assert last.done == 1


@pytest.mark.slow
def test_what_is_learnt_is_this_face(tmp_path: Path, store: TakeStore) -> None:
    """From noise to something like the face in a few steps, seen over and over."""
    recipe = replace(RECIPE, stages=(Stage(12, structure=True),), batch=3, rate=2e-3)
    trainer, samples = (
        PersonalTrainer(recipe, tmp_path, "cpu"),
        PersonalSamples(store, batch=3, steps=1, seed=0),
    )
    losses = [trainer.learn(samples[0]) for _ in range(12)]
    assert losses[-1]["reconstruction"] < 0.7 * losses[0]["reconstruction"]
    assert losses[-1]["structure"] < losses[0]["structure"] and losses[-1]["mask"] < losses[0]["mask"]
    assert "adversarial" not in losses[-1]


def test_training_starts_from_weights_that_fit(tmp_path: Path) -> None:
    torch.manual_seed(9)
    generic = PersonalDeocclusion(PersonalConfig(attention="none", mask=True)).state_dict()
    net = PersonalTrainer(RECIPE, tmp_path, "cpu", generic).net.state_dict()
    assert all(torch.equal(net[name], generic[name]) for name in generic)
