"""Clips of a folder and the names of their results."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmd_removal.batch.clips import Clip, clips_in, results_in
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
