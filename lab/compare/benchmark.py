"""Systems trained on the same samples with one budget, and evaluated on the same clips; what is there is kept."""

import datetime
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...errors import InputError
from ...files import write_json
from ...personal.person import train_person
from ...restore.registry import EVI_WEIGHTS
from ...weights import resolve
from ...weights.cache import sha256_of
from ..evaluation.evaluate import Evaluation, Protocol, evaluate
from ..evaluation.people import Person, owners
from ..training.curves import read_log
from .config import TRAINERS, Recipe, System, TableConfig, as_file_name


@dataclass(frozen=True)
class Data:
    """takes, held_out: folders of samples that prepare-data made, of the splits `train` and `val`; clips: of uncovered
    faces that are in neither; work: keeps trainings and evaluations, so that a stopped comparison goes on from it.
    people: whose clips they are, where systems are personal."""

    takes: Path | None
    held_out: Path | None
    clips: Sequence[Path]
    work: Path
    people: Mapping[str, Person] = field(default_factory=dict)


@dataclass
class Comparison:
    """trained: of each system that was, steps, seconds, device, threads and date; of a personal one the steps of each
    person, and the seconds of all. protocols: the evaluations by name, whose methods are the names of systems; sheets:
    the pictures of each of them, by protocol and system. failed: system -> the sentence that says why it is missing.
    """

    config: TableConfig
    trained: dict[str, dict[str, Any]] = field(default_factory=dict)
    protocols: dict[str, Evaluation] = field(default_factory=dict)
    sheets: dict[str, dict[str, Path]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def compare(config: TableConfig, data: Data, device: str, report: Callable[[str], None] = lambda _: None) -> Comparison:
    """Train and evaluate what is not there yet. report: called with what is being done, and with what goes wrong with a
    system; the others go on."""
    comparison = Comparison(config)
    kept: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in config.protocols}
    for system in config.systems:
        try:
            weights = _trained(system, config, data, device, comparison)
            for name in config.protocols:
                report(f"{system.name}, protocol {name}")
                kept[name][system.name] = _evaluated(system, weights, config.protocols[name], name, data)
        except InputError as error:
            comparison.failed[system.name] = str(error)
            report(f"{system.name} is left out: {error}")
    for name, protocol in config.protocols.items():
        comparison.protocols[name] = _together(protocol, kept[name], data.clips)
        comparison.sheets[name] = {s.name: _sheet(data, name, s) for s in config.systems if s.name in kept[name]}
    return comparison


def _trained(
    system: System, config: TableConfig, data: Data, device: str, comparison: Comparison
) -> Path | dict[Path, Path] | None:
    """The weights of a system's own training, by clip where each person has one; None for one not trained here."""
    if system.recipe is None:
        return None
    folder, recipe, minutes = data.work / "trainings" / system.file_name, system.recipe, config.budget.minutes
    terms = {"recipe": asdict(recipe), "minutes": minutes}
    if system.method != "personal":
        train = partial(TRAINERS[system.method], data.takes, data.held_out, folder, recipe, device, minutes=minutes)
        weights, comparison.trained[system.name] = _once(train, folder, terms, device)
        return weights
    names = owners(data.people, data.clips)
    models, runs = {}, []
    for name in dict.fromkeys(names.values()):
        enrolled, own = data.people[name].enrolled, folder / name
        train = partial(_train_person, enrolled, own, recipe, device, minutes)
        models[name], run = _once(train, own, terms | {"enrolled": enrolled}, device)
        runs.append(run)
    comparison.trained[system.name] = _in_all(runs)
    return {clip: models[name] for clip, name in names.items()}


def _once(train: Callable[[], Path], folder: Path, terms: dict[str, Any], device: str) -> tuple[Path, dict[str, Any]]:
    """The weights of a training in a folder and how it went, as `Comparison.trained` has it; trained if it was not."""
    about, terms = folder / "trained.json", _plain(terms)
    done = _read(about)
    if done is None or done["terms"] != terms or not (folder / done["weights"]).is_file():
        weights = train()
        log = read_log(folder / "log.csv")
        done = {
            "terms": terms,
            "weights": weights.name,
            "steps": int(log["step"][-1]),
            "seconds": float(log["seconds"][-1]),
            "device": torch.cuda.get_device_name() if device.startswith("cuda") else f"{device}, {platform.machine()}",
            "threads": torch.get_num_threads(),
            "date": datetime.date.today().isoformat(),
        }
        write_json(about, done)
    return folder / done["weights"], {key: done[key] for key in ("steps", "seconds", "device", "threads", "date")}


def _train_person(enrolled: Sequence[Path], folder: Path, recipe: Recipe, device: str, minutes: float | None) -> Path:
    """The file of the model, in a folder of the person's name. Raises InputError for footage that will not do."""
    model = folder / "model.safetensors"
    try:
        for _ in train_person(enrolled, model, folder, recipe, device, minutes=minutes):
            pass
    except InputError as error:
        raise InputError(f"Of {folder.name}: {error}") from error
    return model


def _in_all(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The trainings of several people as one: the last one's device and date, the steps of each, the seconds of all."""
    return runs[-1] | {"steps": [run["steps"] for run in runs], "seconds": sum(run["seconds"] for run in runs)}


def _evaluated(
    system: System, weights: Path | dict[Path, Path] | None, protocol: Protocol, name: str, data: Data
) -> dict[str, Any]:
    """Scores of a system on every clip, and their means, as evaluate gives them."""
    protocol = replace(protocol, methods=(system.method,))
    used: Any = weights
    if isinstance(weights, dict):
        # Whose clips they are is known, and a model of little training draws a face that is nobody's.
        protocol = replace(protocol, personal=weights, anyone=True)
        used = {str(clip): sha256_of(file) for clip, file in weights.items()}
    elif weights is not None:
        protocol, used = replace(protocol, weights={system.method: weights}), sha256_of(weights)
    elif system.method == "evi-hrnet":
        used = sha256_of(resolve(EVI_WEIGHTS))
    terms = _plain({**asdict(replace(protocol, personal=None)), "weights": used, "clips": data.clips})
    sheet = _sheet(data, name, system)
    kept = sheet.with_suffix(".json")
    done = _read(kept)
    if done is None or done["terms"] != terms or not sheet.is_file():
        evaluation = evaluate(data.clips, protocol, sheet=sheet)
        scores = {"clips": evaluation.clips, "mean": evaluation.mean, "not_computed": evaluation.not_computed}
        done = {"terms": terms, **scores}
        write_json(kept, done)
    return done


def _together(protocol: Protocol, kept: Mapping[str, dict[str, Any]], clips: Sequence[Path]) -> Evaluation:
    """The evaluations of single systems as one, in which the systems' names stand for their methods."""
    together = Evaluation(replace(protocol, methods=tuple(kept)), [{"clip": str(c), "results": []} for c in clips])
    for name, single in kept.items():
        together.mean += [row | {"method": name} for row in single["mean"]]
        together.not_computed |= single["not_computed"]
        for clip, own in zip(together.clips, single["clips"], strict=True):
            clip["results"] += [row | {"method": name} for row in own["results"]]
            clip |= {"refused": own["refused"]} if "refused" in own else {}
    order = [(p, mode) for p in protocol.presets for mode in protocol.landmarks]
    for rows in (together.mean, *(clip["results"] for clip in together.clips)):
        rows.sort(key=lambda row: order.index((row["preset"], row["landmarks"])))
    return together


def _sheet(data: Data, protocol: str, system: System) -> Path:
    return data.work / "evaluations" / as_file_name(protocol) / f"{system.file_name}.png"


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.is_file() else None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """As it is when it comes out of a JSON file."""
    return json.loads(json.dumps(values, default=str))
