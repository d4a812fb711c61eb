"""The journal survives whatever happens to its writer, and belongs to one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmd_removal.comfyui.journal import Journal
from hmd_removal.errors import InputError

RUN = {"workflow": "1234", "folder or table": "/clips"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "run.jsonl"


def test_the_last_event_of_each_clip_is_known_again(path: Path) -> None:
    with Journal(path, RUN) as journal:
        journal.write("a", "queued", prompt="1")
        journal.write("b", "queued", prompt="2")
        journal.write("a", "done", seconds=1.5)
    with Journal(path, RUN) as journal:
        assert journal.last == {
            "a": {"clip": "a", "event": "done", "seconds": 1.5},
            "b": {"clip": "b", "event": "queued", "prompt": "2"},
        }


def test_an_event_is_on_disk_as_soon_as_it_is_written(path: Path) -> None:
    with Journal(path, RUN) as journal:
        journal.write("ä", "queued")
        assert path.read_text(encoding="utf-8").endswith('{"clip": "ä", "event": "queued"}\n')


@pytest.mark.parametrize("torn", ['{"clip": "b", "ev', "{"])
def test_a_line_that_was_cut_off_is_dropped(torn: str, path: Path) -> None:
    with Journal(path, RUN) as journal:
        journal.write("a", "queued")
    with path.open("a") as file:
        file.write(torn)
    with Journal(path, RUN) as journal:
        journal.write("b", "done")
    with Journal(path, RUN) as journal:
        assert {clip: event["event"] for clip, event in journal.last.items()} == {"a": "queued", "b": "done"}


def test_a_first_line_that_was_cut_off_is_written_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"run": {"wor')
    with Journal(path, RUN) as journal:
        journal.write("a", "done")
    with Journal(path, RUN) as journal:
        assert "a" in journal.last


def test_a_journal_of_another_run_is_refused_and_says_what_differs(path: Path) -> None:
    with Journal(path, RUN):
        pass
    before = path.read_bytes()
    with (
        pytest.raises(InputError, match="is of a run with another workflow: go on with that one"),
        Journal(path, RUN | {"workflow": "5678"}),
    ):
        pass
    assert path.read_bytes() == before


def test_what_is_no_journal_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my diary\n")
    with pytest.raises(InputError, match="is no journal"), Journal(path, RUN):
        pass
    assert path.read_text() == "my diary\n"


def test_two_runs_do_not_share_one(path: Path) -> None:
    with Journal(path, RUN):
        with pytest.raises(InputError, match="Another run is writing"), Journal(path, RUN):
            pass
    with Journal(path, RUN):
        pass
