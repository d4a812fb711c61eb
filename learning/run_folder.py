"""The folder of a training run: what lets it go on after a stop, what was reached on the way, and the weights."""

import csv
import json
import time
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..files import written_whole


def recipe_fields(path: Path, recipe: type, what: str = "recipe") -> dict[str, Any]:
    """The values of a recipe's JSON file. recipe: the dataclass that they are for; what: the user calls it. Raises
    InputError for a file that is no JSON object, or has a field that the recipe does not."""
    try:
        values = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"Expected a {what} in JSON in {path}: {error}.") from error
    return known_fields(values, recipe, str(path), what)


def known_fields(values: dict[str, Any], recipe: type, where: str, what: str = "recipe") -> dict[str, Any]:
    """The values, all of which have to be fields of the dataclass `recipe`.

    where: they come from; what: the user calls it. Raises InputError for one that is no field.
    """
    known = {field.name for field in fields(recipe)}
    if unknown := set(values) - known:
        raise InputError(
            f"{where} has {', '.join(sorted(unknown))}, which no {what} has; choose of {', '.join(sorted(known))}."
        )
    return values


class RunFolder:
    """Checkpoint, log and weights of one run. recipe: the dataclass by which it trains, of plain values.

    Every file appears whole or not at all.
    """

    def __init__(self, folder: Path, recipe: Any, weights: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.weights_file = folder, folder / weights
        self._recipe = json.dumps(asdict(recipe))
        self._defaults = {field.name: field.default for field in fields(recipe) if field.default is not MISSING}
        self._started = time.monotonic()

    def load(self, device: str | torch.device) -> dict[str, Any] | None:
        """What `save` kept, or None in a new folder. Raises InputError for the folder of another recipe."""
        if not self._checkpoint.is_file():
            return None
        state = torch.load(self._checkpoint, map_location=device, weights_only=True)
        before = self._defaults | json.loads(state["recipe"])  # a run of an earlier version lacks newer fields
        if before != json.loads(self._recipe):  # whatever the order of its fields
            raise InputError(
                f"The folder {self.folder} holds a run with another recipe, {state['recipe']}; "
                "go on with that one, or give an empty folder."
            )
        self._started = time.monotonic() - state["seconds"]
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Keep what the run needs to go on: state dictionaries and plain values."""
        with written_whole(self._checkpoint) as unfinished:
            torch.save({**state, "recipe": self._recipe, "seconds": self.seconds}, unfinished)

    def save_weights(self, net: dict[str, torch.Tensor], step: int, metadata: dict[str, str] | None = None) -> None:
        """Write weights as safetensors, in half precision, with the recipe, the step and `metadata` in the header."""
        from safetensors.torch import save_file

        half = {
            name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
            for name, tensor in net.items()
        }
        header = {"recipe": self._recipe, "step": str(step), **(metadata or {})}
        with written_whole(self.weights_file) as unfinished:
            save_file(half, unfinished, metadata=header)

    def record(self, step: int, values: dict[str, float]) -> None:
        """Append a line to log.csv."""
        row = {"step": step, "seconds": round(self.seconds), **values}
        path = self.folder / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})

    @property
    def seconds(self) -> float:
        """How long the run has taken up to now, times between a stop and going on not counted."""
        return time.monotonic() - self._started

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"
