"""The clips of a folder, what their results are called, and which of these are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

VIDEOS = {".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}


@dataclass(frozen=True)
class Clip:
    """source: the footage. name: path of its result below the folder of results, without a suffix: "monday/talk"."""

    source: Path
    name: str


def clips_in(folder: Path, leave_out: Path) -> list[Clip]:
    """Every video in a folder and those below it, by name, but for hidden ones and what lies in `leave_out`.

    Raises:
        InputError: there is none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEOS and path.is_file())
    places = [path.relative_to(folder) for path in files if not path.resolve().is_relative_to(leave_out.resolve())]
    places = [place for place in places if not _is_hidden(place)]
    if not places:
        raise InputError(f"Expected videos in {folder}, found none with a suffix of {', '.join(sorted(VIDEOS))}.")
    names = [place.with_suffix("").as_posix() for place in places]
    # talk.mp4 beside talk.mov, or beside a folder talk with clips in it.
    taken = Counter(names) + Counter({parent.as_posix(): 1 for place in places for parent in place.parents})
    return [
        Clip(folder / place, name if taken[name] == 1 else place.as_posix())
        for place, name in zip(places, names, strict=True)
    ]


def results_in(folder: Path) -> dict[str, Path]:
    """The results that a folder holds, by the name of their clip: files, and folders of several files."""
    places = [path.relative_to(folder) for path in folder.rglob("*")]
    return {
        (place if (folder / place).is_dir() else place.with_suffix("")).as_posix(): folder / place
        for place in places
        if not _is_hidden(place)
    }


def _is_hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)
