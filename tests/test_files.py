"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmd_removal.files import written_whole


def test_the_file_takes_its_name_when_it_is_done(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.txt"
    with written_whole(target) as unfinished:
        unfinished.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert list(target.parent.iterdir()) == [target]


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("before")
    with pytest.raises(KeyboardInterrupt), written_whole(target) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
