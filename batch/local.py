"""One clip after the other on this machine, and what is done for one wherever it is."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from .clips import Clip, results_in
from .outcome import LEFT, Outcome

Work = Callable[[Path, Path], str]
"""Makes of the footage at one path the result at the other, whole or not at all; a remark on it."""


def result_of(clip: Clip, out: Path) -> Path:
    """Where the result of a clip goes in a folder of results."""
    return out / f"{clip.name}.mp4"


def one_by_one(work: Work, clips: Sequence[Clip], out: Path) -> Iterator[Outcome]:
    """Do every clip that has no result in `out` yet; what became of each, as soon as that is known."""
    missing, there = split(clips, out)
    yield from there
    for clip in missing:
        yield done(work, clip, out)


def split(clips: Sequence[Clip], out: Path) -> tuple[list[Clip], list[Outcome]]:
    """The clips without a result, and the outcomes of those that have one, which is left as it is."""
    there = results_in(out)
    outcomes = [Outcome(clip.name, there[clip.name], remark=LEFT) for clip in clips if clip.name in there]
    return [clip for clip in clips if clip.name not in there], outcomes


def done(work: Work, clip: Clip, out: Path, attempt: int = 1) -> Outcome:
    """Do one clip. What is wrong with it stops no other; want of memory does."""
    import torch

    # As models.device.OutOfMemory, which a room below cannot import.
    out_of_memory = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)

    started, error, remark = time.monotonic(), "", ""
    target = result_of(clip, out)
    try:
        remark = work(clip.source, target)
    except (MemoryError, out_of_memory):
        raise
    except InputError as problem:
        error = str(problem)
    except Exception as problem:  # of one clip in a thousand, in the midst of a night
        error = f"{type(problem).__name__}: {problem}"
    result = None if error else target
    seconds = round(time.monotonic() - started, 1)
    return Outcome(clip.name, result, socket.gethostname(), seconds, attempt, error, remark)
