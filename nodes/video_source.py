"""The encoded file behind a VIDEO, so that it can be read frame by frame."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import folder_paths
from comfy_api.input import VideoInput
from comfy_api.input_impl import VideoFromComponents


def temporary_video() -> Path:
    """A new name for a video in ComfyUI's temp folder, which ComfyUI empties when it starts."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"hmd_removal_{uuid.uuid4().hex}.mp4"


@contextmanager
def encoded(video: VideoInput) -> Iterator[str | Path | BytesIO]:
    """The file of a VIDEO; where there is none that shows what the VIDEO does, one is written for the time being."""
    if not _needs_encoding(video):
        yield video.get_stream_source()
        return
    path = temporary_video()
    try:
        video.save_to(str(path))
        yield path
    finally:
        if path.exists():
            os.unlink(path)


def _needs_encoding(video: VideoInput) -> bool:
    if isinstance(video, VideoFromComponents):
        return True
    # In newer ComfyUIs a VIDEO may be a stretch of its file, or its file with changes still to be made.
    trimmed = hasattr(video, "get_active_trim_window") and any(video.get_active_trim_window())
    edited = hasattr(video, "has_pending_frame_edits") and video.has_pending_frame_edits()
    return trimmed or edited
