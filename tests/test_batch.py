"""Clips of a folder, the names of their results, and the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmd_removal.batch import Clip, Outcome, as_json, clips_in, results_in, table
from hmd_removal.errors import InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_clips_keep_their_folders_and_lose_their_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "b.MOV", "day 1/a.mp4", "day 1/notes.txt", "v1.2/x.final.mkv")
    assert clips_in(tmp_path, tmp_path / "out") == [
        Clip(tmp_path / "b.MOV", "b"),
        Clip(tmp_path / "day 1/a.mp4", "day 1/a"),
        Clip(tmp_path / "v1.2/x.final.mkv", "v1.2/x.final"),
    ]


def test_hidden_files_and_the_results_are_no_clips(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "._a.mp4", ".trash/b.mp4", "out/a.mp4")
    assert [clip.name for clip in clips_in(tmp_path, tmp_path / "out")] == ["a"]


def test_names_that_would_meet_keep_their_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "talk.mp4", "talk.mov", "walk.mp4", "run.mp4", "run/b.mp4")
    names = {clip.name for clip in clips_in(tmp_path, tmp_path / "out")}
    assert names == {"talk.mp4", "talk.mov", "walk", "run.mp4", "run/b"}


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "photo.jpg")
    with pytest.raises(InputError, match=f"Expected videos in {tmp_path}"):
        clips_in(tmp_path, tmp_path / "out")


def test_results_are_found_by_the_names_of_their_clips(tmp_path: Path) -> None:
    touch(tmp_path, "day 1/a.mp4", "x.final.mkv", "talk.mov.mp4", ".c.mp4.part", "several/1.png")
    found = results_in(tmp_path)
    assert {"day 1/a", "x.final", "talk.mov", "several"} <= found.keys() and "c" not in found
    assert found["day 1/a"] == tmp_path / "day 1/a.mp4"
    assert results_in(tmp_path / "nothing") == {}


def test_the_table_says_what_became_of_each(tmp_path: Path) -> None:
    done = Outcome("a", tmp_path / "a.mp4", "http://one:8188", 12.34, 2)
    failed = Outcome("day 1/b", None, "http://two:8188", attempts=1, error="No headset was found.")
    lines = table([done, failed]).splitlines()
    assert lines[1].split() == ["a", "http://one:8188", "12.3", "2", str(tmp_path / "a.mp4")]
    assert lines[2].startswith("day 1/b") and lines[2].endswith("failed: No headset was found.")
    assert lines[3] == "1 of 2 clips have a result."
    assert as_json([failed])["clips"][0]["error"] == failed.error and as_json([failed])["clips"][0]["result"] is None
