"""Files that a workflow may name: those in ComfyUI's input, output and temp folders, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ..errors import InputError

TRACKING_SUFFIXES = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".gz"}

State = tuple[str, int, int]


def state_of(path: Path | None) -> State | None:
    """What tells a file from one that was written anew under its name; None where there is no file."""
    if path is None or not path.is_file():
        return None
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


def listed_videos() -> list[str]:
    """Names of the videos that lie directly in the input folder."""
    folder = Path(folder_paths.get_input_directory())
    names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    return sorted(folder_paths.filter_files_content_types(names, ["video"]))


def listed_tracking() -> list[str]:
    """Names of the files that lie directly in the input folder and may hold tracking data."""
    folder = Path(folder_paths.get_input_directory())
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in TRACKING_SUFFIXES)


def video_file(name: str) -> Path:
    """The existing video of a name, see `_named_file`."""
    return _named_file(name, "video", "upload one, or give the path of one in ComfyUI's input folder")


def tracking_file(name: str) -> Path:
    """The existing file of tracking data of a name, see `_named_file`."""
    return _named_file(name, "file of tracking data", "copy one into ComfyUI's input folder")


def _named_file(name: str, kind: str, advice: str) -> Path:
    """The existing file of a name, as a file widget gives it ("clip.mp4", "clip.mp4 [output]") or as a path.

    A relative path counts from the input folder.

    Raises:
        InputError: no name, no such file, or a file outside ComfyUI's input, output and temp folders.
    """
    if not name:
        raise InputError(f"No {kind} is chosen: {advice}.")
    # Links are not resolved: whoever put one into the input folder means it to be followed.
    path = Path(os.path.abspath(folder_paths.get_annotated_filepath(name)))
    folders = [
        folder_paths.get_input_directory(),
        folder_paths.get_output_directory(),
        folder_paths.get_temp_directory(),
    ]
    if not any(path.is_relative_to(os.path.abspath(folder)) for folder in folders):
        raise InputError(
            f"The {kind} must lie in ComfyUI's input, output or temp folder, but {name} does not: "
            f"move or link it into {folders[0]}."
        )
    if not path.is_file():
        raise InputError(f"There is no {kind} {name} in ComfyUI's input folder: {advice}, or check the path.")
    return path
