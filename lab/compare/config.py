"""What is compared in one table, and on which terms: the JSON file of `hmd-removal lab compare`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...learning.run_folder import known_fields, recipe_fields
from ...personal.recipe import PersonalRecipe, recipe_of
from ..evaluation.evaluate import Protocol
from ..evaluation.people import Person, people_of
from ..training import compared, evi_hrnet
from ..training.inpainting import InpaintingRecipe
from .registry import COMPARED, check_method

TRAINERS = {"evi-hrnet": evi_hrnet.train, **dict.fromkeys(COMPARED, compared.train)}
Recipe = InpaintingRecipe | PersonalRecipe
RECIPES = {
    "evi-hrnet": evi_hrnet.EVIRecipe,
    **dict.fromkeys(COMPARED, compared.ComparedRecipe),
    "personal": PersonalRecipe,  # for which a person's own footage is needed, not takes; see benchmark
}
FIRST_FRAME, FIRST_SECOND = "first frame", "first second"


@dataclass(frozen=True)
class Budget:
    """What every training is given: steps, or minutes, evaluations on held-out samples included."""

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.steps, self.minutes) if value is not None]
        kind = int if self.minutes is None else int | float
        if len(given) != 1 or not isinstance(given[0], kind) or given[0] <= 0:
            raise InputError(f"Expected a budget of steps or of minutes, a positive number of one of them, got {self}.")

    def __str__(self) -> str:
        return f"{self.minutes:g} minutes" if self.steps is None else f"{self.steps} steps"

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe shortened or stretched to the budget; its stages keep their shares of it."""
        return recipe if self.steps is None else recipe.lasting(self.steps)


@dataclass(frozen=True)
class System:
    """A row of the table. method: see lab.compare.registry; "personal" is trained once for each person. recipe: None
    for what is not trained here.

    changes: in what it differs from its recipe's file and from the fields that all have alike. paper: "source", and
    what a paper reports of it by score; on other data.
    """

    name: str
    method: str
    recipe: Recipe | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    paper: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        return as_file_name(self.name)


@dataclass(frozen=True)
class TableConfig:
    """A comparison. protocols: by name, without the systems' methods. takes, held_out, clips, people: None or empty
    where the command line has to give them. against: names of the systems that each other one is compared with clip by
    clip."""

    name: str
    budget: Budget
    systems: tuple[System, ...]
    protocols: Mapping[str, Protocol]
    takes: Path | None = None
    held_out: Path | None = None
    clips: tuple[Path, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    against: tuple[str, ...] = ()


# What stands in the JSON file.


@dataclass(frozen=True)
class _File:
    budget: dict[str, Any]
    systems: list[dict[str, Any]]
    protocols: list[dict[str, Any]]
    alike: dict[str, Any] = field(default_factory=dict)
    against: list[str] = field(default_factory=list)
    takes: str | None = None
    held_out: str | None = None
    clips: list[str] = field(default_factory=list)
    people: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _System:
    name: str
    method: str
    recipe: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    paper: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Terms:
    name: str
    landmarks: list[str]
    presets: list[str]
    reference: str = FIRST_SECOND
    size: int = 256
    limit: int = 0
    networks: bool = True
    frechet: bool = False


def read_config(path: Path, budget: Budget | None = None) -> TableConfig:
    """A comparison from its JSON file; paths in it are relative to it. budget: instead of the file's.

    Recipes are read from the files that the systems name, the fields in `alike` replaced in all but those of personal
    models, which have other ones, then those in `changes`, then the budget's. Raises InputError for a file that is
    none, or names what does not exist.
    """
    file = _make(_File, recipe_fields(path, _File, "comparison"), str(path), "comparison")
    budget = budget or _make(Budget, file.budget, f"the budget in {path}", "budget")
    entries = [_make(_System, entry, f"a system in {path}", "system") for entry in file.systems]
    systems = tuple(_system(entry, file, path, budget) for entry in entries)
    protocols = [_make(_Terms, entry, f"a protocol in {path}", "protocol") for entry in file.protocols]
    for kind, names in (("system", [s.name for s in systems]), ("protocol", [p.name for p in protocols])):
        if not names or len({as_file_name(name) for name in names}) < len(names):
            raise InputError(f"Expected at least one {kind} in {path}, each with a name of its own, got {names}.")
    if strange := set(file.against) - {system.name for system in systems}:
        raise InputError(f"Expected names of systems in `against` in {path}, got {', '.join(sorted(strange))}.")

    def beside(name: str | None) -> Path | None:
        return None if name is None else path.parent / name

    return TableConfig(
        path.stem,
        budget,
        systems,
        {terms.name: _protocol(terms, path) for terms in protocols},
        beside(file.takes),
        beside(file.held_out),
        tuple(path.parent / clip for clip in file.clips),
        people_of(file.people, path),
        tuple(file.against),
    )


def as_file_name(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def _make(kind: type, values: Any, where: str, what: str = "recipe") -> Any:
    """The dataclass of a JSON object. Raises InputError for one that has too much or too little."""
    if not isinstance(values, dict):
        raise InputError(f"Expected {where} as an object of a {what}'s fields, got {values!r}.")
    known_fields(values, kind, where, what)
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"Expected all that a {what} needs in {where}: {error}.") from error


def _system(entry: _System, file: _File, path: Path, budget: Budget) -> System:
    if entry.recipe is None:
        check_method(entry.method)
        if entry.method == "personal":
            raise InputError(f"Expected a recipe for the system {entry.name!r} in {path}: each person has a model.")
        if entry.changes:
            raise InputError(f"Expected a recipe for the system {entry.name!r} in {path}, since it has changes of one.")
        return System(entry.name, entry.method, paper=entry.paper)
    if entry.method not in RECIPES:
        raise InputError(f"Expected a recipe for {', '.join(RECIPES)} alone, got one for {entry.method!r} in {path}.")
    kind, recipe_file = RECIPES[entry.method], path.parent / entry.recipe
    values, where = recipe_fields(recipe_file, kind), f"the system {entry.name!r} in {path}"
    if kind is PersonalRecipe:
        recipe = recipe_of(values | entry.changes, where)
    else:
        recipe = _make(kind, values | file.alike | entry.changes, where)
    if isinstance(recipe, compared.ComparedRecipe) and recipe.network != entry.method:
        raise InputError(f"Expected a recipe of {entry.method} in {recipe_file}, got one of {recipe.network}.")
    return System(entry.name, entry.method, budget.of(recipe), entry.changes, entry.paper)


def _protocol(terms: _Terms, path: Path) -> Protocol:
    """Raises InputError for an unknown name."""
    own = terms.reference in (FIRST_FRAME, FIRST_SECOND)
    protocol = Protocol(
        methods=(),
        landmarks=tuple(terms.landmarks),
        presets=tuple(terms.presets),
        size=terms.size,
        limit=terms.limit,
        reference=None if own else path.parent / terms.reference,
        first_frame=terms.reference == FIRST_FRAME,
        networks=terms.networks,
        frechet=terms.frechet,
    )
    protocol.check()
    return protocol
