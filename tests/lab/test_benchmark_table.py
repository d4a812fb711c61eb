"""The comparison in one command, on takes of a few small frames and the demo's clip."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import write_clip

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.lab.compare.benchmark import Comparison
from hmd_removal.lab.compare.config import Budget, TableConfig, read_config
from hmd_removal.lab.compare.report import as_csv
from hmd_removal.lab.evaluation.evaluate import Evaluation, Protocol, evaluate, read_truth
from hmd_removal.lab.evaluation.people import read_people
from hmd_removal.lab.training.clip_samples import Clips
from hmd_removal.lab.training.compared import ComparedRecipe, ComparedTrainer
from hmd_removal.lab.training.evi_hrnet import EVIRecipe
from hmd_removal.personal.batches import Frames
from hmd_removal.personal.recipe import PersonalRecipe, Stage
from hmd_removal.personal.sample_store import Take, TakeStore
from hmd_removal.personal.trainer import PersonalTrainer

SHIPPED = Path(__file__).resolve().parents[2] / "lab" / "recipes" / "table1.json"
SHIPPED_PERSONAL = SHIPPED.with_name("table_personal.json")
# CombCN, since it is judged by no network that would have to be fetched first.
ALIKE = {"width": 8, "side": 64, "frames": 2, "batch": 1, "critic_width": 4, "workers": 0, "check_every": 1}
PAPER = {"source": "a paper", "psnr": 22.51}
CONFIG = {
    "budget": {"steps": 2},
    "alike": ALIKE,
    "takes": "takes",
    "held_out": "takes",
    "systems": [
        {"name": "static", "method": "static"},
        {"name": "CombCN", "method": "combcn", "recipe": "combcn.json", "paper": PAPER},
        {"name": "CombCN, fast", "method": "combcn", "recipe": "combcn.json", "changes": {"rate": 0.003}},
    ],
    "protocols": [
        {"name": "first", "reference": "first frame", "landmarks": ["oracle"], "presets": ["band"], "size": 96}
        | {"limit": 3, "networks": False}
    ],
}
PERSONAL = {
    "budget": {"steps": 2},
    "systems": [
        {"name": "static", "method": "static"},
        {"name": "personal", "method": "personal", "recipe": "personal.json", "changes": {"attention": "none"}},
    ],
    "alike": ALIKE,
    "protocols": CONFIG["protocols"],
    "people": {"cem": {"enrolled": ["cem/day1.mp4"], "clips": ["cem/day2*.mp4"]}},
}


class Steps(list):
    """Which steps were trained, of every run; `stop` interrupts at that number of them in all."""

    stop: int | None = None


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    trained, learn = Steps(), ComparedTrainer.learn

    def spied(trainer: ComparedTrainer, clips: Clips) -> dict[str, float]:
        if len(trained) == trained.stop:
            raise KeyboardInterrupt
        trained.append((trainer.recipe.rate, trainer.step))
        return learn(trainer, clips)

    monkeypatch.setattr(ComparedTrainer, "learn", spied)
    return trained


@pytest.fixture
def folder(tmp_path: Path, take: Take) -> Path:
    store = TakeStore(tmp_path / "takes")
    for person in ("anna", "ben"):
        store.add(person, take, {"person": person, "kind": "film", "landmarks": "visible"})
    (tmp_path / "combcn.json").write_text('{"network": "combcn", "steps": 100, "adversarial_from": 50}')
    return tmp_path


@pytest.fixture
def of_people(tmp_path: Path, carphone: Path) -> Path:
    """A folder with the config PERSONAL, its recipe and its video, which is the same on both days."""
    (tmp_path / "cem").mkdir()
    for day in (1, 2):
        shutil.copy(carphone, tmp_path / "cem" / f"day{day}.mp4")
    recipe = {"stages": [{"steps": 90}, {"steps": 30, "structure": True}], "mask": True, "batch": 1}
    (tmp_path / "personal.json").write_text(json.dumps(recipe | {"check_frames": 2}))
    (tmp_path / "small.json").write_text(json.dumps(PERSONAL))
    return tmp_path


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "small.json"
    path.write_text(json.dumps(CONFIG | changes))
    return path


def run(config: Path, *options: str) -> int:
    work, out = config.parent / "work", config.parent / "out"
    paths = ["--config", str(config), "--work", str(work), "--out", str(out)]
    return main(["lab", "compare", *paths, "--device", "cpu", *options])


def test_one_command_trains_measures_and_shows_and_is_then_done(folder: Path, carphone: Path, steps: Steps) -> None:
    config, out = written(folder, against=["static"]), folder / "out"
    assert run(config, str(carphone), str(carphone)) == 0
    assert steps == [(ComparedRecipe().rate, 0), (ComparedRecipe().rate, 1), (0.003, 0), (0.003, 1)]
    names = {path.name for path in out.iterdir()}
    assert names == {f"small{end}" for end in (".md", ".csv", ".json", "_first_bars.png", "_first_frames.png")} | {
        "small_first_sheet.jpg"
    }

    content, text = json.loads((out / "small.json").read_text()), (out / "small.md").read_text()
    rows = content["protocols"]["first"]["mean"]
    assert [row["method"] for row in rows] == ["static", "CombCN", "CombCN, fast"]
    for row in rows:
        assert f"| band | oracle | {row['method']} | {row['hole_psnr']:.2f} | {row['psnr']:.2f} |" in text
    assert "| preset | landmarks | method less static |" in text and "less warp" not in text
    gain = rows[1]["hole_psnr"] - rows[0]["hole_psnr"]
    assert f"| band | oracle | CombCN | {gain:+.2f} ({gain:+.2f} to {gain:+.2f}) |" in text  # the clips are the same
    assert len({row["hole_psnr"] for row in rows}) == 3 and all(row["frames"] == 6 for row in rows)
    trained = content["systems"][1]["trained"]
    assert content["systems"][0]["trained"] is None and trained["steps"] == 2
    assert f"| CombCN | combcn | - | 2 | {trained['seconds'] / 60:.1f} | cpu" in text and "| a paper | 22.51 |" in text
    assert "Budget of each training: 2 steps" in text and "first frame" in text
    lines = list(csv.DictReader((out / "small.csv").open()))
    assert [float(line["hole_psnr"]) for line in lines] == [row["hole_psnr"] for row in rows]
    assert float(lines[0]["hole_psnr_low"]) == rows[0]["interval"]["hole_psnr"][0]
    sheet = cv2.imread(str(out / "small_first_sheet.jpg"))
    assert sheet.shape[1] == (2 + 3) * 128 and sheet.shape[0] > 2 * 128

    kept = {path: path.stat().st_mtime_ns for path in (folder / "work").rglob("*") if path.is_file()}
    steps.clear()
    assert run(config, str(carphone), str(carphone)) == 0
    assert not steps and kept == {path: path.stat().st_mtime_ns for path in kept}


def test_an_interrupted_comparison_goes_on_from_its_checkpoint(folder: Path, carphone: Path, steps: Steps) -> None:
    config = written(folder)
    steps.stop = 3  # within the second training
    assert run(config, str(carphone)) == 130
    first = folder / "work" / "trainings" / "combcn" / "combcn.safetensors"
    before = first.stat().st_mtime_ns
    steps.stop = None
    steps.clear()
    assert run(config, str(carphone)) == 0
    assert steps == [(0.003, 1)] and first.stat().st_mtime_ns == before


def test_other_weights_are_measured_anew(folder: Path, carphone: Path, steps: Steps) -> None:
    systems = CONFIG["systems"][:2]
    assert run(written(folder, systems=systems), str(carphone)) == 0
    work, old = folder / "work", json.loads((folder / "out" / "small.json").read_text())
    (work / "trainings" / "combcn").rename(work / "trainings" / "old")
    steps.clear()
    assert run(written(folder, systems=systems, alike=ALIKE | {"seed": 1}), str(carphone)) == 0
    new = json.loads((folder / "out" / "small.json").read_text())
    static, network = (
        [content["protocols"]["first"]["mean"][i]["hole_psnr"] for content in (old, new)] for i in (0, 1)
    )
    assert len(steps) == 2 and static[0] == static[1] and network[0] != network[1]


def test_a_system_that_fails_is_told_and_the_others_go_on(
    folder: Path, carphone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = {"name": "too large", "method": "combcn", "recipe": "combcn.json", "changes": {"side": 128}}
    assert run(written(folder, systems=[large, *CONFIG["systems"][:1]]), str(carphone)) == 1
    assert "too large is left out: Expected takes with crops of at least 128 pixels" in capsys.readouterr().out
    text = (folder / "out" / "small.md").read_text()
    assert "- too large: Expected takes" in text and "| band | oracle | static |" in text


def test_a_budget_of_minutes_ends_by_the_clock(folder: Path, carphone: Path, steps: Steps) -> None:
    config = written(folder, systems=CONFIG["systems"][1:2])
    assert run(config, str(carphone), "--minutes", "0.0001") == 0
    assert len(steps) == 1  # during which the time is over
    trained = json.loads((folder / "out" / "small.json").read_text())["systems"][0]["trained"]
    assert trained["steps"] == 1
    assert "Budget of each training: 0.0001 minutes" in (folder / "out" / "small.md").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": {"steps": 2, "minutes": 1}}, "a positive number of one of them"),
        ({"budget": {"steps": 0}}, "a positive number of one of them"),
        ({"budget": {"hours": 1}}, "has hours, which no budget has; choose of minutes, steps"),
        ({"color": "red"}, "has color, which no comparison has"),
        ({"systems": [{"method": "warp"}]}, "missing 1 required positional argument: 'name'"),
        ({"systems": []}, "at least one system"),
        ({"systems": 2 * CONFIG["systems"][:1]}, "each with a name of its own"),
        ({"against": ["CombCN", "nobody"]}, "names of systems in `against` .* got nobody"),
        ({"systems": [{"name": "a", "method": "magic"}]}, "got 'magic'"),
        ({"systems": [{"name": "a", "method": "lgtsm"}]}, "comes without weights"),
        ({"systems": [{"name": "a", "method": "warp", "recipe": "combcn.json"}]}, "alone, got one for 'warp'"),
        ({"systems": [{"name": "a", "method": "lgtsm", "recipe": "combcn.json"}]}, "recipe of lgtsm in"),
        ({"systems": [{"name": "a", "method": "personal"}]}, "recipe for the system 'a' .* each person has a model"),
        ({"systems": [{"name": "a", "method": "personal", "recipe": "combcn.json"}]}, "has adversarial_from, network"),
        ({"systems": [CONFIG["systems"][2] | {"changes": {"wide": 3}}]}, "has wide, which no recipe has"),
        ({"protocols": [CONFIG["protocols"][0] | {"landmarks": ["guessed"]}]}, "guessed"),
    ],
)
def test_a_bad_config_is_refused_with_one_sentence(changes: dict, message: str, folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_config(written(folder, **changes))


def test_clips_and_takes_have_to_be_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(written(folder)) == 1
    assert "Expected clips, and --takes and --held-out" in capsys.readouterr().err


def test_the_shipped_comparison_differs_in_what_its_systems_name_alone() -> None:
    config = read_config(SHIPPED)
    trained = [system for system in config.systems if system.recipe is not None]
    assert {system.recipe.width for system in trained} == {32} and len(trained) == 12
    assert len({(s.recipe.rate, s.recipe.steps, s.recipe.side, s.recipe.batch * s.recipe.frames) for s in trained}) == 1
    whole = next(system.recipe for system in config.systems if system.name == "EVI-HRnet")
    for system in trained:
        if isinstance(system.recipe, EVIRecipe):
            same = {name: getattr(whole, name) for name in system.changes}
            assert replace(system.recipe, **same) == whole
    assert config.protocols["paper"].first_frame and config.protocols["honest"].landmarks == ("visible",)


def test_a_budget_keeps_the_shares_at_which_stages_begin() -> None:
    recipe = ComparedRecipe(steps=40000, adversarial_from=20000)
    assert Budget(steps=300).of(recipe) == replace(recipe, steps=300, adversarial_from=150)
    assert Budget(minutes=3).of(recipe) == recipe
    with_expression = EVIRecipe(steps=40000, adversarial_from=20000, expression_from=10000)
    assert Budget(steps=300).of(with_expression).expression_from == 75


def test_a_budget_keeps_the_shares_of_a_personal_models_stages_and_a_step_of_each() -> None:
    recipe = PersonalRecipe((Stage(84), Stage(28, adversarial=True), Stage(56, adversarial=True, structure=True)))

    def steps(budget: int) -> list[int]:
        scaled = Budget(steps=budget).of(recipe)
        assert [replace(stage, steps=0) for stage in scaled.stages] == [replace(s, steps=0) for s in recipe.stages]
        return [stage.steps for stage in scaled.stages]

    # They end at 1/2 and 2/3 of it.
    assert steps(168) == [84, 28, 56] and steps(2000) == [1000, 333, 667]
    assert steps(4) == [2, 1, 1] and steps(3) == [1, 1, 1]  # at 2, 2.67 and 4; at 1.5, 2 and 3
    assert Budget(minutes=3).of(recipe) == recipe
    with pytest.raises(InputError, match="for each of 3 stages, got 2"):
        Budget(steps=2).of(recipe)
    late = PersonalRecipe((Stage(98), Stage(1), Stage(1)))
    assert [stage.steps for stage in late.lasting(10).stages] == [8, 1, 1]


def test_a_personal_system_is_trained_for_each_person_once(
    of_people: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hmd_removal.personal.enrolment.PIECE", 30)  # of 120 frames
    monkeypatch.setattr("hmd_removal.personal.samples.VARIANTS", 1)
    trained, learn = [], PersonalTrainer.learn

    def spied(trainer: PersonalTrainer, frames: Frames) -> dict[str, float]:
        trained.append(trainer.recipe.stage_at(trainer.done).structure)
        return learn(trainer, frames)

    monkeypatch.setattr(PersonalTrainer, "learn", spied)
    config = of_people / "small.json"
    assert run(config) == 0, capsys.readouterr().out
    assert trained == [False, True]
    content, text = (of_people / "out" / f"small.{end}" for end in ("json", "md"))
    rows = json.loads(content.read_text())["protocols"]["first"]["mean"]
    assert [row["method"] for row in rows] == ["static", "personal"] and rows[0]["hole_psnr"] != rows[1]["hole_psnr"]
    assert '| personal | personal | attention "none" | 1 x 2 |' in text.read_text()
    assert "trained for each person" in text.read_text()

    kept = {path: path.stat().st_mtime_ns for path in (of_people / "work").rglob("*") if path.is_file()}
    assert of_people / "work" / "trainings" / "personal" / "cem" / "model.safetensors" in kept
    assert run(config) == 0 and len(trained) == 2
    assert kept == {path: path.stat().st_mtime_ns for path in kept}

    strange = of_people / "strange.mp4"
    shutil.copy(of_people / "cem" / "day2.mp4", strange)
    assert run(config, str(of_people / "cem" / "day2.mp4"), str(strange)) == 1 and len(trained) == 2
    assert "strange.mp4 is nobody's: name it among a person's clips in --people" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([], 'as {"NAME"'),
        ({"cem": {"enrolled": ["cem/*1.mp4"]}}, 'as {"NAME"'),
        ({"../cem": {"enrolled": ["cem/*1.mp4"], "clips": ["cem/*2.mp4"]}}, "names of letters, digits"),
        ({"cem": {"enrolled": ["cem/*1.mp4"], "clips": ["cem/*3.mp4"]}}, r"'cem/\*3.mp4' .* found none"),
        ({"cem": {"enrolled": ["cem/*1.mp4"], "clips": ["cem/*.mp4"]}}, "day1.mp4 is twice"),
    ],
)
def test_people_without_video_or_measured_on_what_is_learnt_are_refused(
    people: Any, message: str, of_people: Path
) -> None:
    file = of_people / "people.json"
    file.write_text(json.dumps(people))
    with pytest.raises(InputError, match=message):
        read_people(file)
    (of_people / "small.json").write_text(json.dumps(PERSONAL | {"people": people}))
    with pytest.raises(InputError, match=message):
        read_config(of_people / "small.json")


def test_a_person_whose_footage_will_not_do_is_named(
    of_people: Path, talking_head: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(of_people / "cem" / "day1.mp4", talking_head[:40])
    assert run(of_people / "small.json") == 1
    assert "personal is left out: Of cem: Expected at least 75 frames" in capsys.readouterr().out


def test_people_are_in_the_config_or_in_a_file_of_their_own(of_people: Path) -> None:
    (of_people / "people").mkdir()
    file = of_people / "people" / "p.json"
    file.write_text(json.dumps({"cem": {"enrolled": ["../cem/day1.mp4"], "clips": ["../cem/day2.mp4", "../cem/*2.*"]}}))
    own, there = read_people(file)["cem"], read_config(of_people / "small.json").people["cem"]
    assert [path.resolve() for path in own.clips] == [path.resolve() for path in there.clips]
    assert [path.name for path in own.enrolled] == ["day1.mp4"] and len(own.clips) == 1


def test_the_shipped_comparison_of_personal_models_differs_in_what_it_names() -> None:
    config = read_config(SHIPPED_PERSONAL)
    systems = {system.name: system for system in config.systems}
    (rival,) = (system.recipe for system in read_config(SHIPPED).systems if system.name == "LaFIn")
    assert systems["LaFIn"].recipe == Budget(steps=300).of(rival)
    baseline, ours = systems["personal, baseline (autoencoder)"].recipe, systems["personal de-occlusion"].recipe
    assert replace(ours, attention="none", mask_loss=False) == baseline
    assert [stage.steps for stage in ours.stages] == [150, 50, 100]
    assert ours.batch == systems["LaFIn"].recipe.batch * systems["LaFIn"].recipe.frames == 32


def test_the_reference_may_be_the_first_frame(carphone: Path) -> None:
    protocol = Protocol(("static",), ("oracle",), ("band",), size=96, limit=2, first_frame=True, networks=False)
    assert read_truth(carphone, protocol).first == 1
    row = evaluate([carphone], protocol).clips[0]["results"][0]
    assert row["frames"] == 2 and len(row["per_frame"]["hole_psnr"]) == 2
    assert np.mean(row["per_frame"]["hole_psnr"]) == pytest.approx(row["hole_psnr"], rel=1e-5)


def test_a_comparison_without_results_has_a_csv_of_titles() -> None:
    config = TableConfig("x", Budget(steps=1), (), {})
    (line,) = as_csv(Comparison(config, protocols={"p": Evaluation(Protocol())})).splitlines()
    assert line.startswith("protocol,system,preset,landmarks,clips,frames,psnr,psnr_low,psnr_high")
