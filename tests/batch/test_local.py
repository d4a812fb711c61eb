"""One clip after the other: nothing is overwritten, and what fails stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmd_removal.batch.clips import Clip
from hmd_removal.batch.local import one_by_one
from hmd_removal.errors import InputError


def work(source: Path, target: Path) -> str:
    """The footage in capitals."""
    text = source.read_text()
    if text == "dark":
        raise InputError("No face was found.")
    if text == "odd":
        raise ZeroDivisionError("division by zero")
    if text == "huge":
        raise MemoryError
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text.upper())
    return "One face."


def clips(folder: Path, *texts: str) -> list[Clip]:
    for text in texts:
        (folder / f"{text}.mov").write_text(text)
    return [Clip(folder / f"{text}.mov", f"day/{text}") for text in texts]


def test_every_clip_is_done_and_keeps_its_name(tmp_path: Path) -> None:
    a, b = one_by_one(work, clips(tmp_path, "a", "b"), tmp_path / "out")
    assert a.result == tmp_path / "out/day/a.mp4" and a.result.read_text() == "A"
    assert (b.clip, b.attempts, b.remark, b.error) == ("day/b", 1, "One face.", "")


def test_what_is_there_is_left_and_said_so(tmp_path: Path) -> None:
    there = tmp_path / "out/day/a.mov"
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    a, b = one_by_one(work, clips(tmp_path, "a", "b"), tmp_path / "out")
    assert a.result == there and there.read_text() == "mine" and "left as it is" in a.line
    assert b.attempts == 1


def test_a_clip_that_fails_stops_no_other(tmp_path: Path) -> None:
    dark, odd, a = one_by_one(work, clips(tmp_path, "dark", "odd", "a"), tmp_path / "out")
    assert dark.result is None and dark.line == "day/dark: failed. No face was found."
    assert odd.error == "ZeroDivisionError: division by zero" and a.result is not None


def test_want_of_memory_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        list(one_by_one(work, clips(tmp_path, "huge", "a"), tmp_path / "out"))
