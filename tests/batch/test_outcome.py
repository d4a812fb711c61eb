"""What is said of the clips at the end."""

from __future__ import annotations

from pathlib import Path

from hmd_removal.batch.outcome import Outcome, as_json, table


def test_the_table_says_what_became_of_each(tmp_path: Path) -> None:
    done = Outcome("a", tmp_path / "a.mp4", "http://one:8188", 12.34, 2)
    failed = Outcome("day 1/b", None, "http://two:8188", attempts=1, error="No headset was found.")
    lines = table([done, failed]).splitlines()
    assert lines[1].split() == ["a", "http://one:8188", "12.3", "2", str(tmp_path / "a.mp4")]
    assert lines[2].startswith("day 1/b") and lines[2].endswith("failed: No headset was found.")
    assert lines[3] == "1 of 2 clips have a result."
    assert as_json([failed])["clips"][0]["error"] == failed.error and as_json([failed])["clips"][0]["result"] is None
