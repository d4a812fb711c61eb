"""What became of each clip, as a line, a table and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LEFT = "It was there already and is left as it is."  # remark on a result that was not made in this run


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
