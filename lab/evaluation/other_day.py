"""The protocol `other day`: a photograph behind a drawn headset, and as reference another photograph of that person.

It is the case that the product is for: other light, hair, clothes and camera, often years apart.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError


@dataclass(frozen=True)
class Pair:
    """Two photographs of one person from unlike sessions. shown: the one that gets the headset."""

    shown: Path
    reference: Path
    person: str


def pairs_of(data: Path, split: str, most: int = 2) -> list[Pair]:
    """Pairs of a data folder with an INDEX.tsv (columns path, kind, person, session, split), at most so many a person,
    spread over what that person has. Raises InputError where there are none."""
    index = data / "INDEX.tsv"
    if not index.is_file():
        raise InputError(f"Expected a folder with an INDEX.tsv that says whose each photo is, got {data}.")
    photos: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    with index.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["split"] == split and row["kind"] == "image" and row["person"]:
                photos[row["person"]].append((row.get("session") or "", data / row["path"]))
    if most < 1:
        raise InputError(f"Expected one pair of each person or more, got {most}.")
    pairs = []
    for person, own in sorted(photos.items()):
        own = sorted(own)
        possible = [
            Pair(shown, reference, person)
            for session, shown in own
            for other, reference in own
            if session != other and session and other
        ]
        every = max(len(possible) // most, 1)
        pairs += possible[::every][:most]
    if not pairs:
        raise InputError(f"No person of the split {split!r} in {data} has photographs of two sessions.")
    return pairs
