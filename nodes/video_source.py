"""The encoded file behind a VIDEO, so that it can be read frame by frame."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import folder_paths
from comfy_api.input import VideoInput
from comfy_api.input_impl import VideoFromFile


def temporary_video() -> Path:
    """A new name for a video in ComfyUI's temp folder, which ComfyUI empties when it starts."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"hmd_removal_{uuid.uuid4().hex}.mp4"


@contextmanager
def encoded(video: VideoInput) -> Iterator[str | Path | BytesIO]:
    """The file of a VIDEO; where there is none that shows what the VIDEO does, one is written for the time being."""
    if _is_its_file(video):
        yield video.get_stream_source()
        return
    path = temporary_video()
    try:
        video.save_to(str(path))
        yield path
    finally:
        # Windows keeps a file that is still being read, as it is amid an error: that error is the one to show.
        with suppress(OSError):
            path.unlink()


def _is_its_file(video: VideoInput) -> bool:
    """Whether a VIDEO is a file as it stands. Others may hold all of it in memory to give one."""
    if not isinstance(video, VideoFromFile):
        return False
    # In newer ComfyUIs a VIDEO may be a stretch of its file, or its file with changes still to be made.
    trimmed = hasattr(video, "get_active_trim_window") and any(video.get_active_trim_window())
    edited = hasattr(video, "has_pending_frame_edits") and video.has_pending_frame_edits()
    return not (trimmed or edited)
