"""The comparison in one command, on takes of a few small frames and the demo's clip."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.evaluation.benchmark import Comparison
from hmd_removal.evaluation.benchmark_config import Budget, TableConfig, read_config
from hmd_removal.evaluation.benchmark_report import as_csv
from hmd_removal.evaluation.evaluate import Evaluation, Protocol, evaluate, read_truth
from hmd_removal.training.clip_samples import Clips
from hmd_removal.training.compared import ComparedRecipe, ComparedTrainer
from hmd_removal.training.evi_hrnet import EVIRecipe
from hmd_removal.training.takes import Take, TakeStore

SHIPPED = Path(__file__).resolve().parent.parent / "training" / "recipes" / "table1.json"
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


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "small.json"
    path.write_text(json.dumps(CONFIG | changes))
    return path


def run(config: Path, *options: str) -> int:
    work, out = config.parent / "work", config.parent / "out"
    paths = ["--config", str(config), "--work", str(work), "--out", str(out)]
    return main(["benchmark", "table", *paths, "--device", "cpu", *options])


def test_one_command_trains_measures_and_shows_and_is_then_done(folder: Path, carphone: Path, steps: Steps) -> None:
    config, out = written(folder), folder / "out"
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
        ({"systems": [{"name": "a", "method": "magic"}]}, "got 'magic'"),
        ({"systems": [{"name": "a", "method": "lgtsm"}]}, "comes without weights"),
        ({"systems": [{"name": "a", "method": "warp", "recipe": "combcn.json"}]}, "alone, got one for 'warp'"),
        ({"systems": [{"name": "a", "method": "lgtsm", "recipe": "combcn.json"}]}, "recipe of lgtsm in"),
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
    assert {system.recipe.width for system in trained} == {24} and len(trained) == 12
    assert len({(s.recipe.rate, s.recipe.steps, s.recipe.side, s.recipe.batch * s.recipe.frames) for s in trained}) == 1
    whole = next(system.recipe for system in config.systems if system.name == "EVI-HRnet")
    for system in trained:
        if isinstance(system.recipe, EVIRecipe):
            same = {name: getattr(whole, name) for name in ("keys", *system.changes)}
            assert replace(system.recipe, **same) == whole
    assert config.protocols["paper"].first_frame and config.protocols["honest"].landmarks == ("visible",)


def test_a_budget_keeps_the_share_of_the_adversarial_stage() -> None:
    recipe = ComparedRecipe(steps=40000, adversarial_from=20000)
    assert Budget(steps=300).of(recipe) == replace(recipe, steps=300, adversarial_from=150)
    assert Budget(minutes=3).of(recipe) == recipe


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
