"""Many clips in one run: which there are, what their results are called, and the table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import InputError

VIDEOS = {".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}


@dataclass(frozen=True)
class Clip:
    """source: the footage. name: path of its result below the folder of results, without a suffix: "monday/talk"."""

    source: Path
    name: str


@dataclass(frozen=True)
class Outcome:
    """What became of a clip. result: the file, or the folder of several, that was written or was there before; None
    where there is none, and then `error` says why. where: the machine. seconds: that the last attempt took."""

    clip: str
    result: Path | None
    where: str = ""
    seconds: float = 0.0
    attempts: int = 0
    error: str = ""
    remark: str = ""

    @property
    def line(self) -> str:
        """For the terminal."""
        if self.result is None:
            return f"{self.clip}: failed. {self.error}"
        return " ".join(filter(None, (f"{self.clip}: {self.result}.", self.remark)))


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


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as text, one a line, under a heading, and how many were done."""
    lines = [("clip", "machine", "seconds", "attempts", "result")]
    for outcome in outcomes:
        seconds = f"{outcome.seconds:.1f}" if outcome.seconds else ""
        last = f"failed: {outcome.error}" if outcome.result is None else str(outcome.result)
        lines.append((outcome.clip, outcome.where, seconds, str(outcome.attempts or ""), last))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    rows = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:4], widths, strict=True)), line[4]])
        for line in lines
    ]
    done = sum(outcome.result is not None for outcome in outcomes)
    return "\n".join([*rows, f"{done} of {len(outcomes)} clips have a result."])


def as_json(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """The same for programs."""
    return {"clips": [asdict(o) | {"result": None if o.result is None else str(o.result)} for o in outcomes]}
