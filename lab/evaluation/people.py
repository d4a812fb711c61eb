"""The people of a comparison: whose video a personal model learns from, and on whose it is measured."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from ...errors import InputError

FORM = '{"NAME": {"enrolled": [FILES], "clips": [FILES]}, ...}, names of letters, digits, _ and -'


@dataclass(frozen=True)
class Person:
    """enrolled: video without a headset, of which their model learns; clips: other video, which it is measured on."""

    enrolled: tuple[Path, ...]
    clips: tuple[Path, ...]


def read_people(path: Path) -> dict[str, Person]:
    """People by name from a JSON file of the form of `people_of`. Raises InputError for a file that is none."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"Expected people in JSON in {path}: {error}.") from error
    return people_of(values, path)


def people_of(values: Any, path: Path) -> dict[str, Person]:
    """People by name. values: of the JSON file `path`, as FORM says; files are relative to it, with wildcards.

    Raises InputError for another form, names without files, and a file that is named twice: nobody is measured on what
    a model has learnt from.
    """
    if not isinstance(values, dict) or not all(_is_person(*entry) for entry in values.items()):
        raise InputError(f"Expected people in {path} as {FORM}, got {json.dumps(values)[:200]}.")
    people = {
        name: Person(**{part: _files(patterns, path) for part, patterns in person.items()})
        for name, person in values.items()
    }
    seen: set[Path] = set()
    for file in (file.resolve() for person in people.values() for file in (*person.enrolled, *person.clips)):
        if file in seen:
            raise InputError(f"Expected each file once among the people in {path}, enrolled or clips: {file} is twice.")
        seen.add(file)
    return people


def owners(people: Mapping[str, Person], clips: Sequence[Path]) -> dict[Path, str]:
    """Whose each clip is. Raises InputError for clips that are nobody's."""
    names = {clip.resolve(): name for name, person in people.items() for clip in person.clips}
    if strange := [str(clip) for clip in clips if clip.resolve() not in names]:
        raise InputError(
            f"A personal model is of one person, but {', '.join(strange)} is nobody's: name it among a person's clips "
            "in --people."
        )
    return {clip: names[clip.resolve()] for clip in clips}


def _is_person(name: str, value: Any) -> bool:
    parts = isinstance(value, dict) and set(value) == {"enrolled", "clips"}
    return parts and bool(re.fullmatch(r"[\w-]+", name)) and all(isinstance(files, list) for files in value.values())


def _files(patterns: list[str], path: Path) -> tuple[Path, ...]:
    found = []
    for pattern in patterns:
        files = sorted(glob(str(pattern), root_dir=path.parent, recursive=True))
        if not files:
            raise InputError(f"Expected files {pattern!r} beside {path}, found none.")
        found += [path.parent / file for file in files]
    return tuple(dict.fromkeys(found))
